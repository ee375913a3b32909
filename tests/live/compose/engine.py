"""One machine with an engine: starts the services of a Compose file as the file says, and answers on a socket in Docker's place.

Its API is obsgen.judging.dockerd's, fed from what the started programs write. Ports are published on loopback, names of services answered
on the network, volumes kept while the engine lives.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import socketserver
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from obsgen.judging import dockerd

from .. import sinks as sinkhouse
from ..node import Node
from ..site import site
from . import project as projects
from .container import Container
from .project import Project

_SECRET = re.compile(r"^\| `secrets/([^`]+)` \| `([^`]+)` \|", re.MULTILINE)


def _said(one: Container) -> str:
    return f"== {one.name} {one.state} {one.health}\n{one.last()}"


class Engine:
    """What a scenario speaks of: containers by the names of their services, and what people were told."""

    def __init__(self, node: Node, sinks: sinkhouse.Sinks, trusted: Path) -> None:
        self.node, self.sinks, self.trusted = node, sinks, trusted
        self.socket = node.home / "docker.sock"
        self.containers: dict[str, Container] = {}
        self.problems: dict[str, str] = {}
        self.changed = threading.Condition()
        self._stack = contextlib.ExitStack()
        self._published: set[int] = set()
        self._stack.enter_context(dockerd.listening(self.socket, lambda: [*self.containers.values()]))

    def up(self, file: Path, services: Collection[str] = ()) -> Project:
        """`docker compose up --detach`: services of a file (all), and what they depend on. Returns before they run: `await_healthy`."""
        project = projects.read(file)
        for service in _ordered(project, services or project.services):
            threading.Thread(target=self._begin, args=(project, service), daemon=True).start()
        return project

    def _begin(self, project: Project, service: str) -> None:
        """All at once, but for who waits for another."""
        declared = project.services[service]
        try:
            for other, on in (declared.get("depends_on") or {}).items():
                self.await_(
                    lambda other=other, on=on: self._is(other, on["condition"]), 60, f"{service} waits for {other}"
                )
            self.containers[service] = Container(self, project, service)
            for port in declared.get("ports") or ():
                self._publish(port["host_ip"], int(port["published"]), service, port["target"])
        except Exception as error:
            self.problems[service] = f"{type(error).__name__}: {error}"
        self.notify()

    def remove(self, service: str) -> None:
        """`docker compose rm --stop`."""
        self.containers[service].stop()
        self.containers.pop(service).remove()

    def recreate(self, service: str) -> None:
        """`docker compose up --force-recreate`: stopped, and a new container in its place."""
        project = self.containers[service].project
        self.remove(service)
        self.containers[service] = Container(self, project, service)

    def exec(self, service: str, *command: str, seconds: float = 30) -> str:
        """`docker compose exec -T`: what the command prints. Raises AssertionError with its words where it fails."""
        running = self.containers[service].running
        assert running, f"{service} does not run"
        ended = running.run(command, seconds)
        assert ended.returncode == 0, ended.stderr.decode()
        return ended.stdout.decode()

    def await_healthy(self, *services: str, seconds: float = 90) -> None:
        """Until they run, and their healthchecks agree where they have some. Raises AssertionError with what they said."""
        for one in services:
            self.await_(lambda one=one: self._is(one, "service_healthy"), seconds, f"{one} is not healthy")

    def _is(self, service: str, condition: str) -> bool:
        assert service not in self.problems, self.problems[service]
        one = self.containers.get(service)
        if one is None:
            return False
        if condition == "service_completed_successfully":
            return one.starts > 0 and one.running is None and one.finished[0] != "0" and one.exit == 0
        return one.running is not None and (condition == "service_started" or one.health in ("healthy", "none"))

    def await_(self, true: Callable[[], Any], seconds: float, what: str) -> Any:
        """Until a change of the containers makes it true, asked at least twice a second. Raises AssertionError with their logs."""
        end = time.monotonic() + seconds
        while True:
            with contextlib.suppress(OSError):
                if found := true():
                    return found
            left = end - time.monotonic()
            assert left > 0, f"{what}: not within {seconds} s\n{self.state()}"
            with self.changed:
                self.changed.wait(min(left, 0.5))

    def notify(self) -> None:
        """Wakes who waits for containers to change."""
        with self.changed:
            self.changed.notify_all()

    def state(self) -> str:
        """What each container has said last that is not well."""
        return "\n".join(
            _said(one)
            for one in self.containers.values()
            if one.health not in ("healthy", "none") or one.exit or one.starts > one.ordered
        )

    def said(self) -> str:
        """What every container has said last."""
        return "\n".join(map(_said, self.containers.values()))

    def get(self, port: int, path: str, **query: str) -> bytes:
        """What a published port answers. Raises OSError."""
        words = f"?{urllib.parse.urlencode(query)}" if query else ""
        with urllib.request.urlopen(f"http://localhost:{port}{path}{words}", timeout=10) as answer:
            return bytes(answer.read())

    # For its containers

    def volume(self, project: Project, name: str, owner: int | None) -> Path:
        """The folder of a named volume: root's, or as the image has it at that place."""
        place = self.node.home / "volumes" / f"{project.name}_{name}"
        if not place.exists():
            place.mkdir(parents=True)
            os.chown(place, owner or 0, owner or 0)
        return place

    def name(self, one: Container) -> None:
        """Its service and itself are names while it runs, unless it is on no network."""
        there = one.running is not None and one.networks != ["none"]
        names = {name: [one.address] for name in (one.service, one.name, one.id[:12])} if there else {}
        self.node.answer(f"container.{one.service}", names)

    def _publish(self, host: str, port: int, service: str, target: int) -> None:
        """What docker-proxy does: connections to a port of this machine go on to the container that the service has then."""
        if port in self._published:
            return
        self._published.add(port)
        engine = self

        class Proxy(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with (
                    contextlib.suppress(OSError),
                    socket.create_connection((engine.containers[service].address, target), 5) as inner,
                ):
                    inner.settimeout(None)
                    threading.Thread(target=_copy, args=(inner, self.request), daemon=True).start()
                    _copy(self.request, inner)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address, daemon_threads = True, True

        server = Server((host, port), Proxy)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self._stack.callback(server.server_close)
        self._stack.callback(server.shutdown)

    def close(self) -> None:
        """Kills what runs."""
        for one in self.containers.values():
            one.remove()
        self._stack.close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(65536):
            target.sendall(part)
        target.shutdown(socket.SHUT_WR)


def _ordered(project: Project, services: Collection[str]) -> list[str]:
    """Services and what they depend on, that before them."""
    found: list[str] = []

    def add(service: str) -> None:
        for other in project.services[service].get("depends_on") or ():
            add(other)
        if service not in found:
            found.append(service)

    for service in services:
        add(service)
    return found


def secrets(tree: Path, values: dict[str, str]) -> None:
    """Makes the files of SECRETS.md as it says; the value of a logical name, where none is given, is that name."""
    folder = tree / "secrets"
    folder.mkdir(mode=0o700)
    for name, logical in _SECRET.findall((tree / "SECRETS.md").read_text()):
        (folder / name).write_text(values.get(logical, logical))
        (folder / name).chmod(0o644)


@contextlib.contextmanager
def machine() -> Iterator[Engine]:
    """A machine of its own, gone with all it started at the end."""
    with site() as at:
        engine = Engine(at.node, at.sinks, at.trusted)
        try:
            yield engine
        finally:
            engine.close()
