"""A real Alertmanager that loads its configuration: what is on its way then is told again, what has arrived is not.

docs/live.md says so; the live tests load a configuration of Alertmanager when nothing else is told.
"""

from __future__ import annotations

import json
import queue
import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.request import Request, urlopen

import pytest

from conftest import judge
from test_alertmanager_turns import LABELS, free_ports, until

CONFIG = """\
route: {{receiver: us, group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers: [{{name: us, webhook_configs: [{{url: "http://127.0.0.1:{port}/"}}]}}]
"""
SECONDS = 30


class Told(NamedTuple):
    """What has come, in turn; each is answered once there is leave."""

    messages: queue.Queue[str]
    leave: threading.Event
    port: int


@pytest.fixture
def told() -> Iterator[Told]:
    found = Told(queue.Queue(), threading.Event(), *free_ports(1))

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.messages.put(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["status"])
            found.leave.wait(SECONDS)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", found.port), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found
    found.leave.set()
    server.shutdown()
    server.server_close()


class Alertmanager(NamedTuple):
    """Where it listens."""

    web: str

    def ask(self, path: str, body: object = None, method: str = "GET") -> str:
        """What it answers. Raises OSError."""
        data = json.dumps(body).encode() if body else None
        request = Request(self.web + path, data, {"Content-Type": "application/json"}, method=method)
        with urlopen(request, timeout=10) as answer:
            return str(answer.read().decode())

    def metric(self, name: str) -> int:
        """A metric without labels, 0 where there is none. Raises OSError."""
        found = re.search(rf"^{name} (\d+)", self.ask("/metrics"), re.MULTILINE)
        return int(found[1]) if found else 0

    def load(self) -> None:
        self.ask("/-/reload", method="POST")


@pytest.fixture
def alertmanager(tmp_path: Path, told: Told) -> Iterator[Alertmanager]:
    """It knows of an alert, and tells it."""
    program = judge("alertmanager", "0.34", "nothing shows that Alertmanager tells again what is on its way")
    config = tmp_path / "alertmanager.yaml"
    config.write_text(CONFIG.format(port=told.port))
    (port,) = free_ports(1)
    one = Alertmanager(f"http://127.0.0.1:{port}")
    arguments = {"config.file": config, "storage.path": tmp_path / "data", "web.listen-address": f"127.0.0.1:{port}"}
    running = subprocess.Popen(
        [program, *(f"--{key}={value}" for key, value in arguments.items()), "--cluster.listen-address="],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until(lambda: one.ask("/-/ready"))
        one.ask("/api/v2/alerts", [{"labels": LABELS}], "POST")
        yield one
    finally:
        running.kill()
        running.wait()


def test_what_is_on_its_way_while_a_configuration_is_loaded_is_told_again(
    alertmanager: Alertmanager, told: Told
) -> None:
    assert told.messages.get(timeout=SECONDS) == "firing"
    alertmanager.load()
    assert told.messages.get(timeout=SECONDS) == "firing"


def test_what_has_arrived_before_a_configuration_is_loaded_is_told_once(alertmanager: Alertmanager, told: Told) -> None:
    told.leave.set()
    assert told.messages.get(timeout=SECONDS) == "firing"
    until(lambda: alertmanager.metric("alertmanager_nflog_queries_total") >= 2)  # it is known to have been told
    alertmanager.load()
    asked = alertmanager.metric("alertmanager_nflog_queries_total")
    until(lambda: alertmanager.metric("alertmanager_nflog_queries_total") >= asked + 2)
    assert told.messages.empty()
