"""Two real Alertmanagers out of step, as after one was away: when the end of an alert is told once, and when it is not.

The check route/turns and docs/scale.md say what is shown here; a turn is 3 seconds instead of 15.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from conftest import judge

TURN, INTERVAL, OUT_OF_STEP = 3, 8, 1.0  # seconds: --cluster.peer-timeout, group_interval, between the looks of both
CONFIG = """\
route: {{receiver: us, group_wait: 1s, group_interval: {interval}s, repeat_interval: 1h}}
receivers: [{{name: us, webhook_configs: [{{url: "http://127.0.0.1:{port}/"}}]}}]
"""
LABELS = {"alertname": "RedisDown"}


class Replica:
    """One Alertmanager, its address and its log."""

    def __init__(self, program: Path, config: Path, name: str, web: int, gossip: int, peer: int) -> None:
        self.web, self.log = f"http://127.0.0.1:{web}", config.with_name(f"{name}.log")
        arguments = {
            "config.file": config, "storage.path": config.with_name(name), "web.listen-address": f"127.0.0.1:{web}",
            "cluster.listen-address": f"127.0.0.1:{gossip}", "cluster.peer": f"127.0.0.1:{peer}", "cluster.peer-name": name,
            "cluster.peer-timeout": f"{TURN}s", "cluster.settle-timeout": "1s", "log.level": "debug",
        }  # fmt: skip
        with self.log.open("wb") as log:
            self.running = subprocess.Popen(
                [str(program), *(f"--{key}={value}" for key, value in arguments.items())], stdout=log, stderr=log
            )

    def ask(self, path: str, body: object = None) -> str:
        """What it answers. Raises OSError."""
        data = json.dumps(body).encode() if body else None
        request = urllib.request.Request(self.web + path, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return str(answer.read().decode())

    def joined(self) -> bool:
        """Whether it knows the other one, and begins to tell."""
        cluster = json.loads(self.ask("/api/v2/status"))["cluster"]
        return cluster["status"] == "ready" and len(cluster["peers"]) == 2

    def hear(self, **more: str) -> None:
        """The alert; `endsAt` ends it."""
        self.ask("/api/v2/alerts", [{"labels": LABELS, **more}])

    def looks(self) -> int:
        """How often it has looked at the group."""
        return self.log.read_text().count("msg=flushing")

    def metric(self, name: str) -> int:
        """A metric without labels, 0 where there is none. Raises OSError."""
        found = re.search(rf"^{name} (\d+)", self.ask("/metrics"), re.MULTILINE)
        return int(found[1]) if found else 0

    def turns(self) -> int:
        """How often it had its turn."""
        return self.metric("alertmanager_nflog_queries_total")

    def done(self) -> bool:
        """Whether it looks at no group any more: it said what it had to say, and let the group go (once in 30 s)."""
        return self.metric("alertmanager_dispatcher_aggregation_groups") == 0

    def stop(self) -> None:
        self.running.kill()
        self.running.wait()


def free_ports(count: int) -> list[int]:
    """Of this machine; all held until all are known."""
    with contextlib.ExitStack() as held:
        found = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in found:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in found]


def until(true: Callable[[], object], seconds: float = 90) -> None:
    """Asked often. Raises AssertionError."""
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError):
            if true():
                return
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def told() -> Iterator[tuple[list[str], int]]:
    """What the receiver was told, and its port."""
    found: list[str] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["status"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found, server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture
def out_of_step(tmp_path: Path, told: tuple[list[str], int]) -> Iterator[tuple[Replica, Replica]]:
    """First and second in turn; an alert has begun, and the second looks a second before the first."""
    program = judge("alertmanager", "0.34", "nothing shows when two Alertmanagers tell an end twice")
    config = tmp_path / "alertmanager.yaml"
    config.write_text(CONFIG.format(interval=INTERVAL, port=told[1]))
    ports = free_ports(4)
    with contextlib.ExitStack() as stack:
        first = Replica(program, config, "a", ports[0], ports[1], ports[3])
        stack.callback(first.stop)
        second = Replica(program, config, "b", ports[2], ports[3], ports[1])
        stack.callback(second.stop)
        for one in (first, second):
            until(one.joined)
        began = datetime.now(UTC).isoformat()
        second.hear(startsAt=began)
        until(lambda: second.looks() == 1)
        time.sleep(OUT_OF_STEP)
        first.hear(startsAt=began)
        until(lambda: told[0] == ["firing"])
        yield first, second


def end(*replicas: Replica) -> None:
    now = datetime.now(UTC).isoformat()
    for one in replicas:
        one.hear(endsAt=now)


def ended(first: Replica, second: Replica) -> None:
    """The alert ends when both have had their turn, and both let it go."""
    until(lambda: second.turns() == 2)
    end(first, second)
    until(lambda: first.done() and second.done())


def test_an_end_between_the_look_of_one_replica_and_its_turn_is_told_twice(
    out_of_step: tuple[Replica, Replica], told: tuple[list[str], int]
) -> None:
    first, second = out_of_step
    until(lambda: second.looks() == 2)
    end(first, second)
    until(lambda: len(told[0]) >= 4 and first.done() and second.done())
    assert told[0] == ["firing", "resolved", "firing", "resolved"]


def test_an_end_after_all_had_their_turn_is_told_once(
    out_of_step: tuple[Replica, Replica], told: tuple[list[str], int]
) -> None:
    ended(*out_of_step)
    assert told[0] == ["firing", "resolved"]


def test_an_alert_that_comes_back_while_one_waits_with_its_old_end_is_told_to_have_ended(
    out_of_step: tuple[Replica, Replica], told: tuple[list[str], int]
) -> None:
    first, second = out_of_step
    ended(first, second)
    before = first.looks(), second.looks()
    end(first, second)  # once a minute for a quarter of an hour, Prometheus says so again (rules/alerting.go, 3.13)
    until(lambda: (first.looks(), second.looks()) == (before[0] + 1, before[1] + 1))
    began = datetime.now(UTC).isoformat()
    for one in (first, second):
        one.hear(startsAt=began)
    until(lambda: len(told[0]) >= 5)
    assert told[0] == ["firing", "resolved", "firing", "resolved", "firing"]
