"""One container of a Compose service: what the file gives to it, its log as Docker keeps it, its health, its restarts, its end.

Of the file it does: image, entrypoint, command, environment, user, capabilities, read-only root, init, binds, volumes, tmpfs,
secrets, names on networks, published ports, healthcheck, depends_on, restart, stop_grace_period. Not done: limits of memory, the log's
driver and its rotation; what a container wrote outside its volumes is gone after a restart.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import images, sandbox
from ..pod import PATH
from .project import Project, seconds

if TYPE_CHECKING:
    from .engine import Engine

DONE = {
    "image", "entrypoint", "command", "environment", "user", "cap_drop", "cap_add", "read_only", "init", "volumes", "tmpfs", "secrets",
    "networks", "network_mode", "ports", "healthcheck", "depends_on", "restart", "stop_grace_period", "labels", "security_opt",
    "mem_limit", "logging",
}  # fmt: skip
"""What a service may say: anything else would be passed over in silence."""
# Where the file is silent (moby 28, daemon/health.go and daemon/stop.go)
INTERVAL, TIMEOUT, START_INTERVAL, RETRIES, GRACE = 30.0, 30.0, 5.0, 3, 10.0
INIT = '"$@" & child=$!; trap "kill -TERM $child" TERM INT; wait $child; wait $child'
"""What docker-init is to a program: not process 1, and it hears the signals."""


class Container:
    """A container of the engine. Its log outlives its restarts; one that is made anew has another id and another log."""

    def __init__(self, engine: Engine, project: Project, service: str) -> None:
        self.engine, self.project, self.service, self.declared = engine, project, service, project.services[service]
        assert self.declared.keys() <= DONE, f"{service}: {self.declared.keys() - DONE} is not done here"
        assert self.declared.get("cap_drop") == ["ALL"], (
            f"{service} keeps Docker's capabilities, which are not done here"
        )
        self.name, self.networks, self.id = (
            f"{project.name}-{service}-1",
            project.networks_of(service),
            uuid.uuid4().hex * 2,
        )
        self.labels = {
            **(self.declared.get("labels") or {}),
            "com.docker.compose.project": project.name,
            "com.docker.compose.service": service,
        }
        self.folder = engine.node.home / "containers" / self.id[:12]
        self.folder.mkdir(parents=True)
        self.network = sandbox.Network(engine.node.address(), self.name)
        self.running: sandbox.Container | None = None
        self.starts, self.exit, self.finished = 0, 0, "0001-01-01T00:00:00Z"
        self.ordered = 1  # starts that somebody wanted; the others followed its own end
        self.health = "starting" if self.declared.get("healthcheck") else "none"
        self.checked = b""  # what its last check said
        self.lines: list[tuple[int, str, bytes]] = []  # Unix nanoseconds, stream, line with its end
        self.wrote = threading.Condition()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    # What the file gives to it

    def _command(self) -> list[str]:
        image = images.image(self.declared["image"])
        command = [*(self.declared.get("entrypoint") or image.entrypoint), *(self.declared.get("command") or ())]
        return ["/bin/sh", "-c", INIT, "init", *command] if self.declared.get("init") else command

    def _image(self) -> images.Image:
        """Of Alloy's image, `NAME-volume` starts `chown` alone: its own program need not be here."""
        of = self.declared["image"]
        unregistered = of.rpartition(":")[0] in images.UNREGISTERED
        return images.Image({}) if unregistered and self.declared.get("entrypoint") else images.image(of)

    def _user(self) -> sandbox.User:
        uid, _, gid = self.declared["user"].partition(":")
        return sandbox.User(int(uid), int(gid), (), tuple(self.declared.get("cap_add") or ()))

    def _mounts(self) -> list[sandbox.Mount]:
        made = [sandbox.Mount(self.engine.trusted, "/etc/ssl/certs", True)]
        for one in self.declared.get("volumes") or ():
            source = self.engine.socket if one["source"] == "/var/run/docker.sock" else Path(one["source"])
            if one["type"] == "volume":
                source = self.engine.volume(self.project, one["source"], self._image().owned.get(one["target"]))
            assert source.exists(), f"{source}: bind source path does not exist"  # create_host_path: false
            made.append(sandbox.Mount(source, one["target"], bool(one.get("read_only"))))
        for one in self.declared.get("tmpfs") or ():
            target, _, options = one.partition(":")
            made.append(
                sandbox.Mount(
                    None, target, False, ",".join(("nosuid,nodev,noexec,mode=1777", *filter(None, [options])))
                )
            )
        for one in self.declared.get("secrets") or ():
            made.append(sandbox.Mount(self.project.secrets[one["source"]], one["target"], True))
        return made

    # Its life

    def _live(self) -> None:
        again = self.declared.get("restart", "no") != "no"
        while not self._stopping.is_set():
            began = time.monotonic()
            self._run()
            if not again:
                break
            # as Docker: 100 ms, doubled each time, from the start again after ten seconds of running
            pause = 0.1 * 2 ** min(self.starts, 6) if time.monotonic() - began < 10 else 0.1
            self._stopping.wait(pause)

    def _run(self) -> None:
        self.starts += 1
        folder = self.folder / str(self.starts)
        folder.mkdir()
        pipes = {stream: os.pipe() for stream in ("stdout", "stderr")}
        readers = [
            threading.Thread(target=self._read, args=(stream, pipe[0]), daemon=True) for stream, pipe in pipes.items()
        ]
        for reader in readers:
            reader.start()
        user = self._user()
        for _, write in pipes.values():
            os.fchown(write, user.uid, user.gid)  # as runc: who the container is may open /proc/1/fd/1
        try:
            self.running = sandbox.Container(
                self._image(), self._command(), {
                    "PATH": f"{images.PYTHON}/bin:{PATH}", "HOSTNAME": self.id[:12], "HOME": "/", **(self.declared.get("environment") or {})
                }, user, self._mounts(), self.network, folder,
                hostname=self.id[:12], namespace="", read_only=bool(self.declared.get("read_only")),
                stdout=pipes["stdout"][1], stderr=pipes["stderr"][1],
            )  # fmt: skip
        finally:
            for _, write in pipes.values():
                os.close(write)
        self.engine.name(self)
        if self.declared.get("healthcheck"):
            threading.Thread(target=self._check, args=(self.running,), daemon=True).start()
        self.engine.notify()
        self.exit = self.running.process.wait()
        for reader in readers:
            reader.join(5)
        with self.wrote:
            self.running, self.finished = None, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            self.wrote.notify_all()
        self.engine.name(self)
        self.engine.notify()

    def _check(self, running: sandbox.Container) -> None:
        """Its healthcheck, as long as it runs."""
        check = self.declared["healthcheck"]
        assert check["test"][0] == "CMD", check
        failures, began, self.health = 0, time.monotonic(), "starting"
        interval, grace = seconds(check.get("interval"), INTERVAL), seconds(check.get("start_period"), 0)
        while True:
            starting = self.health == "starting" and time.monotonic() - began < grace
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.process.wait(min(START_INTERVAL, interval) if starting else interval)
                return
            try:
                asked = running.run(check["test"][1:], seconds(check.get("timeout"), TIMEOUT))
                good, self.checked = asked.returncode == 0, asked.stdout + asked.stderr
            except subprocess.TimeoutExpired:
                good, self.checked = False, b"timeout"
            failures = 0 if good or starting else failures + 1
            if good or failures >= int(check.get("retries") or RETRIES):
                self.health = "healthy" if good else "unhealthy"
                self.engine.notify()

    def stop(self) -> None:
        """SIGTERM, after the grace of the file SIGKILL, as `docker compose stop`."""
        self._stopping.set()
        if running := self.running:
            running.send(signal.SIGTERM)
            try:
                running.process.wait(seconds(self.declared.get("stop_grace_period"), GRACE))
            except subprocess.TimeoutExpired:
                running.kill()
        self._thread.join()

    def start(self) -> None:
        """Again, after `stop`: the same container."""
        self.ordered += 1
        self._stopping.clear()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    def remove(self) -> None:
        """At once, and for ever."""
        self._stopping.set()
        if running := self.running:
            running.kill()
        self._thread.join()
        self.network.close()

    # As Docker tells of it (dockerd.Container)

    @property
    def address(self) -> str:
        """On the bridge."""
        return self.network.address

    @property
    def state(self) -> dict[str, Any]:
        """Of `docker inspect`, as far as agents ask."""
        running = self.running is not None
        return {
            "Running": running,
            "Status": "running" if running else "exited",
            "FinishedAt": self.finished,
            "ExitCode": self.exit,
        }

    def written(self, since: float) -> Iterator[tuple[str, str, bytes]]:
        """Its lines, from its first start on; waits for more until it ends."""
        place = 0
        while True:
            with self.wrote:
                while place == len(self.lines):
                    if self.running is None:
                        return
                    self.wrote.wait(60)
                at, stream, line = self.lines[place]
            place += 1
            if at >= since * 10**9:
                yield stream, stamp(at), line

    def _read(self, stream: str, pipe: int) -> None:
        with os.fdopen(pipe, "rb") as lines:
            for line in lines:
                with self.wrote:
                    self.lines.append((time.time_ns(), stream, line))
                    self.wrote.notify_all()

    def said_so_far(self) -> bytes:
        """All of its log."""
        return b"".join(line for _, _, line in self.lines)

    def last(self) -> str:
        """What it said last, and its last check."""
        lines = b"".join(line for _, _, line in self.lines[-30:]).decode(errors="replace")
        return f"{lines[-1500:]}\n{self.checked.decode(errors='replace')[-300:]}"


def stamp(at: int) -> str:
    """Nanoseconds as Docker writes a time before each line."""
    whole, rest = divmod(at, 10**9)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
