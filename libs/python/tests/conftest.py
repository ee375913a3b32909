"""Fixtures of a real Redis, and a clock that tests move. The servers: servers.py."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import browser, serve  # noqa: F401 - fixtures of the page's tests
from servers import PASSWORD, ROOT, SERVERS, Nodes, Server, server_program

from auralink_shared.dlq import DeadLetters, Settings, Spool

__all__ = ["OTHER", "PASSWORD", "QUEUE", "ROOT", "SETTINGS", "Clock", "Server", "server_program"]

QUEUE, OTHER = "rooms:create", "webhooks:deliver"

# What a test starts must hear SIGINT, also where a shell began this run in the background: those ignore it, and so would their children.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "each_server: asked of every server that is promised, not of the oldest alone")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for name in {"server", "nodes"} & set(metafunc.fixturenames):
        if metafunc.definition.get_closest_marker("each_server"):
            metafunc.parametrize(name, list(SERVERS), indirect=True, scope="session")


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Redis 7.0, the oldest that is promised, or each, where the mark says so."""
    one = Server(tmp_path_factory.mktemp("redis"), kind=getattr(request, "param", "redis-7.0"))
    yield one
    one.kill()


@pytest.fixture(scope="session")
def nodes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """The same as a Cluster of three."""
    one = Nodes(tmp_path_factory.mktemp("nodes"), kind=getattr(request, "param", "redis-7.0"))
    yield one
    one.kill()


@pytest.fixture(params=["one", "cluster"])
def place(request: pytest.FixtureRequest) -> Server | Nodes:
    """Both, one after the other, and empty."""
    found: Server | Nodes = request.getfixturevalue("server" if request.param == "one" else "nodes")
    found.flush()
    return found


@pytest.fixture
def redis(server: Server) -> Any:
    """An empty Redis, as the user `dlq`."""
    server.flush()
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
def letters(redis: Any, clock: Clock, tmp_path: Path) -> Iterator[DeadLetters]:
    one = DeadLetters(redis, settings=SETTINGS, spool=Spool(tmp_path / "spool"), clock=clock)
    yield one
    one.close()  # its spool's thread would bring letters into the next test's Redis


@pytest.fixture
def api(letters: DeadLetters, tmp_path: Path) -> Iterator[Any]:
    """The admin API with tokens, as it runs."""
    from admin import Api

    with Api(letters, tmp_path).running() as running:
        yield running
