"""Real servers on loopback, asked as the user `dlq` of the rendered ACL: one, or three as a Cluster.

Without one its tests skip, saying so; OBSGEN_REQUIRE_JUDGES=1: they fail instead. Looked for in the cache that
`make tools` fills, then in PATH.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, NoReturn

import pytest
import redis as client_library
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode
from redis.retry import Retry

ROOT = Path(__file__).parents[3]
PASSWORD = "as in the Secret"
START_SECONDS = 30


# Which server: its name in the cache, and in PATH.
SERVERS = {
    "redis-7.0": ("redis-server-7.*", "redis-server"),
    "redis-8": ("redis8-server-8.*", None),
    "valkey": ("valkey-server-*", "valkey-server"),
}


def absent(said: str) -> NoReturn:
    """Skips a test, saying what was not asked; fails it where OBSGEN_REQUIRE_JUDGES=1, as `.ci/run` has it."""
    if os.environ.get("OBSGEN_REQUIRE_JUDGES") == "1":
        pytest.fail(said)
    pytest.skip(said)


def server_program(name: str = "redis-7.0") -> str:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "obsgen" / "bin"
    pattern, installed = SERVERS[name]
    found = next((str(path) for path in sorted(cache.glob(pattern))), None) or (installed and shutil.which(installed))
    if found:
        return found
    absent(f"{name} is not here, so nothing was asked of a real one (make tools)")


def acl() -> list[str]:
    """The user `dlq` as the rendered start script makes it, of the rendered keys and of the commands that are rendered from libs."""

    def signed(sign: str, path: Path) -> list[str]:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [sign + line.split()[0] for line in lines if line.split() and not line.startswith("#")]

    return [
        "on",
        f">{PASSWORD}",
        "resetkeys",
        "resetchannels",
        "-@all",
        *signed("~", ROOT / "rendered" / "local" / "dlq" / "keys.txt"),
        *signed("+", ROOT / "libs" / "lua" / "commands.txt"),
    ]


def free_port() -> int:
    """A port whose neighbour 10,000 above, where nodes of a Cluster talk, is one as well; each worker of pytest-xdist looks elsewhere."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    for port in range(21_000 + 500 * (worker % 20), 31_000):
        with socket.socket() as one, socket.socket() as other:
            try:
                one.bind(("127.0.0.1", port))
                other.bind(("127.0.0.1", port + 10_000))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")


class Server:
    """redis-server with a folder of its own, as durable as the rendered one."""

    def __init__(self, folder: Path, *options: str, kind: str = "redis-7.0") -> None:
        self.program, self.folder, self.options, self.port = server_program(kind), folder, options, free_port()
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(exist_ok=True)
        self.start()

    @property
    def root(self) -> Any:
        """As the default user, which only tests have."""
        return client_library.Redis(port=self.port)

    def start(self) -> None:
        command = [self.program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--appendfsync", "always", "--maxmemory-policy", "noeviction", *self.options],
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                self.root.ping()  # refused while it reads its file, as ACL is not
                answers = self.root.info("server")["process_id"]
                assert answers == self.process.pid, f"port {self.port} is another server's"
                self.root.execute_command("ACL", "SETUSER", "dlq", *acl())
                return
            except client_library.ConnectionError:
                assert self.process.poll() is None and time.monotonic() < end, (self.folder / "log").read_text()
                time.sleep(0.02)

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.process.wait()

    def connect(self) -> Any:
        return client_library.Redis(port=self.port, username="dlq", password=PASSWORD, retry=Retry(NoBackoff(), 0))

    def flush(self) -> None:
        self.root.config_set("maxmemory", "0")
        self.root.flushall()

    def root_of(self, key: str) -> Any:
        return self.root


class Nodes:
    """Three servers as a Cluster: a queue and its letters are in different slots."""

    def __init__(self, folder: Path, kind: str = "redis-7.0") -> None:
        self.nodes: list[Server] = []
        try:
            self._start(folder, kind)
        except BaseException:
            self.kill()
            raise

    def _start(self, folder: Path, kind: str) -> None:
        for number in range(3):
            self.nodes.append(Server(folder / str(number), "--cluster-enabled", "yes", kind=kind))
        for number, node in enumerate(self.nodes):
            last = 16383 if number == 2 else (number + 1) * 5461 - 1
            node.root.execute_command("CLUSTER", "ADDSLOTSRANGE", number * 5461, last)
            node.root.execute_command("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port)
        end = time.monotonic() + START_SECONDS
        while not all(
            "cluster_state:ok" in str(one) and "cluster_known_nodes:3" in str(one)
            for one in (node.root.execute_command("CLUSTER", "INFO") for node in self.nodes)
        ):
            assert time.monotonic() < end, "the nodes don't find each other"
            time.sleep(0.05)

    def move(self, node: Server) -> None:
        """A node ends, and comes back with its data at another address, of which the others have heard."""
        node.kill()
        node.port = free_port()
        node.start()
        end = time.monotonic() + START_SECONDS
        while not all(
            f":{node.port}@" in str(one.root.execute_command("CLUSTER", "NODES"))
            and "cluster_state:ok" in str(one.root.execute_command("CLUSTER", "INFO"))
            for one in self.nodes
        ):
            assert time.monotonic() < end, "the others don't hear of its address"
            time.sleep(0.05)

    def connect(self) -> Any:
        places = [ClusterNode("127.0.0.1", node.port) for node in self.nodes]
        return client_library.RedisCluster(startup_nodes=places, username="dlq", password=PASSWORD)

    def flush(self) -> None:
        for node in self.nodes:
            node.flush()

    def root_of(self, key: str) -> Any:
        """The node that has the key, as the default user."""
        slot = client_library.cluster.key_slot(key.encode())
        return self.nodes[min(slot // 5461, 2)].root

    def kill(self) -> None:
        for node in self.nodes:
            node.kill()
