"""Real Alertmanagers for the tests, and the receiver that they tell."""

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
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

LABELS = {"alertname": "RedisDown"}


class Alertmanager:
    """One that runs on this machine, its address and its log."""

    def __init__(self, program: Path, config: Path, name: str, web: int, **arguments: str) -> None:
        """`config`: its file, beside which it keeps what is its own, by `name`; `arguments`: more of its command line."""
        self.web, self.log = f"http://127.0.0.1:{web}", config.with_name(f"{name}.log")
        known = {
            "config.file": config, "storage.path": config.with_name(name), "web.listen-address": f"127.0.0.1:{web}",
            "log.level": "debug",
        }  # fmt: skip
        with self.log.open("wb") as log:
            self.running = subprocess.Popen(
                [str(program), *(f"--{key}={value}" for key, value in {**known, **arguments}.items())],
                stdout=log, stderr=log,
            )  # fmt: skip

    def ask(self, path: str, body: object = None, method: str | None = None) -> str:
        """What it answers. Raises OSError."""
        data = json.dumps(body).encode() if body else None
        request = urllib.request.Request(self.web + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return str(answer.read().decode())

    def hear(self, **more: str) -> None:
        """The alert; `endsAt` ends it."""
        self.ask("/api/v2/alerts", [{"labels": LABELS, **more}])

    def metric(self, name: str) -> int:
        """A metric without labels, 0 where there is none. Raises OSError."""
        found = re.search(rf"^{name} (\d+)", self.ask("/metrics"), re.MULTILINE)
        return int(found[1]) if found else 0

    def turns(self) -> int:
        """How often it has asked what was told already, which it does before it tells."""
        return self.metric("alertmanager_nflog_queries_total")

    def stop(self) -> None:
        self.running.kill()
        self.running.wait()


@dataclass
class Told:
    """What a receiver was told, `firing` or `resolved`, in turn, and its port. It answers once there is `leave`."""

    port: int
    messages: list[str] = field(default_factory=list)
    leave: threading.Event = field(default_factory=threading.Event)


@contextlib.contextmanager
def receiving() -> Iterator[Told]:
    """A receiver that listens, and has leave to answer."""

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["status"])
            told.leave.wait()
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        told = Told(server.server_port)
        told.leave.set()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield told
        told.leave.set()
        server.shutdown()


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
