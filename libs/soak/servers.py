"""One Redis, or a Cluster of three, on loopback and with the rendered settings: started, killed, cut off from power."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode
from redis.retry import Retry

from .power import Disk

ROOT = Path(__file__).parents[2]
RENDERED = ROOT / "rendered" / "local" / "dlq"
PASSWORD = "soak"
SLOTS = 16384
READY_SECONDS = 60


class NoServerError(Exception):
    """redis-server is not here."""


def program() -> str:
    """redis-server from the cache that `make tools` fills, else from PATH. Raises NoServerError."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "obsgen" / "bin"
    found = next((str(path) for path in sorted(cache.glob("redis-server-7.*"))), None) or shutil.which("redis-server")
    if not found:
        raise NoServerError("redis-server is not here (make tools)")
    return found


def _users() -> str:
    """The rendered default user; `dlq` with the rendered commands and keys of any queue below soak:; one that looks at everything."""
    script = (RENDERED / "start.sh").read_text(encoding="utf-8").splitlines()
    (default,) = [line for line in script if line.startswith("user default ")]
    lines = (RENDERED / "commands.txt").read_text(encoding="utf-8").splitlines()
    commands = " ".join("+" + line.split()[0] for line in lines if line.strip() and not line.startswith("#"))
    return (
        f"{default}\n"
        f"user dlq on >{PASSWORD} resetchannels ~dlq:* ~{{dlq:* ~{{dlq}}:* ~soak:* ~{{soak:* -@all {commands}\n"
        f"user auditor on >{PASSWORD} ~* &* +@all\n"
    )


def _free_ports() -> Iterator[int]:
    """Ports whose neighbours 10,000 above, where nodes of a Cluster talk, are free as well.

    Below 32,768: a client's own end of a connection never takes the port of a server that is down for a moment.
    """
    for port in range(19_000 + os.getpid() % 90 * 20, 21_000):
        with socket.socket() as one, socket.socket() as other:
            try:
                one.bind(("127.0.0.1", port))
                other.bind(("127.0.0.1", port + 10_000))
            except OSError:
                continue
        yield port


def _settings(folder: Path, port: int, options: Sequence[str]) -> str:
    """The rendered file, with the places of this machine instead of the container's; `options` stand last."""
    places = {"dir": str(folder), "aclfile": str(folder / "users.acl"), "port": str(port), "bind": "127.0.0.1"}
    lines = (RENDERED / "redis.conf").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line.partition(" ")[0] not in places]
    return "\n".join([*kept, *(f"{name} {value}" for name, value in places.items()), *options, ""])


class Node:
    """redis-server with a folder of its own. `options` stand behind the rendered ones."""

    def __init__(self, folder: Path, port: int, shim: Path, options: Sequence[str]) -> None:
        self.folder, self.port, self._shim = folder, port, shim
        self.disk = Disk(folder)
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()
        (folder / "users.acl").write_text(_users(), encoding="utf-8")
        (folder / "redis.conf").write_text(_settings(folder, port, options), encoding="utf-8")

    def start(self) -> None:
        """Returns when it answers, its file read. Raises RuntimeError with its log where it doesn't."""
        self.disk.boot()
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [program(), str(self.folder / "redis.conf")],
                stdout=log,
                stderr=log,
                start_new_session=True,  # a rewrite is a child, and dies with it
                env={**os.environ, "LD_PRELOAD": str(self._shim), "SOAK_JOURNAL": str(self.disk.journal)},
            )
        end = time.monotonic() + READY_SECONDS
        while True:
            try:
                self.client().ping()  # INFO is answered while it reads its file
                if self.client().info("server")["process_id"] != self._process.pid:
                    raise RuntimeError(f"port {self.port} is another server's")
                return
            except (redis.ConnectionError, redis.exceptions.BusyLoadingError):
                if self._process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError((self.folder / "log").read_text(encoding="utf-8")[-4000:]) from None
                time.sleep(0.01)

    def client(self, user: str = "auditor") -> Any:
        """As somebody who may look at everything."""
        return redis.Redis(port=self.port, username=user, password=PASSWORD, retry=Retry(NoBackoff(), 0))

    def kill(self) -> None:
        """kill -9; nothing where it doesn't run."""
        if self._process and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def cut(self) -> int:
        """The power goes; returns how many bytes the disk had not got."""
        self.kill()
        return self.disk.cut()

    @property
    def rewriting(self) -> bool:
        """Whether a rewrite of the append-only file is under way."""
        return bool(self.client().info("persistence")["aof_rewrite_in_progress"])


class Servers:
    """`count` nodes: 1 is a Redis, 3 are a Cluster with the slots shared out evenly and no replicas."""

    def __init__(self, folder: Path, count: int, shim: Path, options: Sequence[str] = ()) -> None:
        self.clustered = count > 1
        # a dead node is noticed, and a restarted one believed, within seconds
        cluster = ("cluster-enabled yes", "cluster-node-timeout 2000") if self.clustered else ()
        ports = _free_ports()
        self.nodes = [Node(folder / f"node{n}", next(ports), shim, (*options, *cluster)) for n in range(count)]

    def __enter__(self) -> Servers:
        for node in self.nodes:
            node.start()
        if self.clustered:
            share = -(-SLOTS // len(self.nodes))
            for number, node in enumerate(self.nodes):
                last = min((number + 1) * share, SLOTS) - 1
                node.client().execute_command("CLUSTER", "ADDSLOTSRANGE", number * share, last)
                node.client().execute_command("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port)
        self.await_ready()
        return self

    def __exit__(self, *_: object) -> None:
        for node in self.nodes:
            node.kill()

    @property
    def url(self) -> str:
        """As a client is told it."""
        return f"redis://dlq:{PASSWORD}@127.0.0.1:{self.nodes[0].port}"

    def client(self) -> Any:
        """Of all nodes, as somebody who may look at everything."""
        if not self.clustered:
            return self.nodes[0].client()
        places = [ClusterNode("127.0.0.1", node.port) for node in self.nodes]  # type: ignore[no-untyped-call]
        return redis.RedisCluster(startup_nodes=places, username="auditor", password=PASSWORD)

    def await_ready(self) -> None:
        """Returns when every node of a Cluster says that all is well. Raises RuntimeError where they don't find each other."""
        end = time.monotonic() + READY_SECONDS
        while self.clustered and not all(self._well(node) for node in self.nodes):
            if time.monotonic() > end:
                raise RuntimeError("the nodes don't find each other")
            time.sleep(0.02)

    def _well(self, node: Node) -> bool:
        said = node.client().execute_command("CLUSTER", "INFO")
        text = said.decode() if isinstance(said, bytes) else "\n".join(f"{k}:{v}" for k, v in said.items())
        return "cluster_state:ok" in text and f"cluster_known_nodes:{len(self.nodes)}" in text
