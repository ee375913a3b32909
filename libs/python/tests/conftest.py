"""A real redis-server on loopback, asked as the user `dlq` of the rendered ACL. Without one these tests skip, saying so.

OBSGEN_REQUIRE_JUDGES=1: they fail instead. Looked for in the cache that `make tools` fills, then in PATH.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis as client_library
from browsing import browser, serve  # noqa: F401 - fixtures of the page's tests
from redis.backoff import NoBackoff
from redis.retry import Retry

from auralink_shared.dlq import DeadLetters, Settings, Spool

ROOT = Path(__file__).parents[3]
PASSWORD = "as in the Secret"
QUEUE, OTHER = "rooms:create", "webhooks:deliver"
START_SECONDS = 30


def server_program() -> str:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "obsgen" / "bin"
    found = next((str(path) for path in sorted(cache.glob("redis-server-7.*"))), None) or shutil.which("redis-server")
    if found:
        return found
    said = "redis-server is not here, so nothing was asked of a real Redis (make tools)"
    if os.environ.get("OBSGEN_REQUIRE_JUDGES") == "1":
        pytest.fail(said)
    pytest.skip(said)


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

    def __init__(self, folder: Path, *options: str) -> None:
        self.program, self.folder, self.options, self.port = server_program(), folder, options, free_port()
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


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    one = Server(tmp_path_factory.mktemp("redis"))
    yield one
    one.kill()


@pytest.fixture
def redis(server: Server) -> Any:
    """An empty Redis, as the user `dlq`."""
    server.root.flushall()
    server.root.config_set("maxmemory", "0")
    return server.connect()


class Clock:
    """A time that tests move."""

    def __init__(self) -> None:
        self.now = 1_780_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


SETTINGS = Settings.from_contract({"dlq": {"queues": {QUEUE: {"max_attempts": 3}, OTHER: {"max_attempts": 5}}}})


@pytest.fixture
def letters(redis: Any, clock: Clock, tmp_path: Path) -> DeadLetters:
    return DeadLetters(redis, settings=SETTINGS, spool=Spool(tmp_path / "spool"), clock=clock)


@pytest.fixture
def api(letters: DeadLetters, tmp_path: Path) -> Iterator[Any]:
    """The admin API with tokens, as it runs."""
    from admin import Api

    with Api(letters, tmp_path).running() as running:
        yield running
