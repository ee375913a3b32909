"""A listener in the place of Docker's daemon, with containers whose logs it tells: the part of its API that log agents ask (1.45).

What runs is made up, or started by somebody else (tests/live/compose); how it is told is Docker's: logs in frames of at most 16 KiB,
one of two streams each, every line with its time.
"""

from __future__ import annotations

import contextlib
import json
import re
import struct
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any, Protocol
from urllib.parse import parse_qs, urlparse

_FRAME = 16 * 1024  # dockerd's loggers cut longer lines there
_STREAMS = {"stdout": 1, "stderr": 2}


class Container(Protocol):
    """A container as Docker knows it; its state is that of `GET /containers/ID/json`."""

    @property
    def name(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def networks(self) -> Sequence[str]: ...
    @property
    def address(self) -> str: ...
    @property
    def labels(self) -> Mapping[str, str]: ...
    @property
    def state(self) -> Mapping[str, Any]: ...
    def written(self, since: float) -> Iterator[tuple[str, str, bytes]]:
        """Its lines from a time on (Unix seconds), as (stream, time, line with its end). May wait for what it is going to write."""


@dataclass(frozen=True)
class MadeUp:
    """A container that runs for ever, and has written (stream, line)."""

    name: str
    networks: Sequence[str]
    lines: Sequence[tuple[str, str]]
    labels: Mapping[str, str] = field(default_factory=dict)
    address: str = "10.0.0.2"

    @property
    def id(self) -> str:
        """64 hexadecimal digits, always the same of one name."""
        return self.name.encode().hex().ljust(64, "0")[:64]

    @property
    def state(self) -> Mapping[str, Any]:
        """It has never stopped."""
        return {"Running": True, "Status": "running", "FinishedAt": "0001-01-01T00:00:00Z"}

    def written(self, since: float) -> Iterator[tuple[str, str, bytes]]:
        """All of it, in October 2025."""
        for number, (stream, line) in enumerate(self.lines):
            yield stream, f"2025-10-01T02:03:04.{number + 1:09d}Z", f"{line}\n".encode()


def told(one: Container) -> dict[str, Any]:
    """How `GET /containers/json` tells of it: with two ports, of which each is a target for a discovery."""
    ports = [{"PrivatePort": port, "Type": "tcp"} for port in (8080, 9090)]
    at = {"IPAddress": one.address, "Gateway": "10.0.0.1"}
    return {
        "Id": one.id,
        "Names": [f"/{one.name}"],
        "Image": "made-up",
        "State": one.state["Status"],
        "Labels": dict(one.labels),
        "Ports": ports,
        "HostConfig": {"NetworkMode": one.networks[0]},
        "NetworkSettings": {"Networks": {name: {"NetworkID": f"id-of-{name}", **at} for name in one.networks}},
    }


def frames(lines: Iterable[tuple[str, str, bytes]]) -> Iterator[bytes]:
    """What `GET /containers/ID/logs` sends: each frame with its stream and length before it, each line with a time of its own."""
    for stream, time, rest in lines:
        while rest:
            part, rest = f"{time} ".encode() + rest[:_FRAME], rest[_FRAME:]
            yield struct.pack(">BxxxI", _STREAMS[stream], len(part)) + part


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128  # an agent asks for all logs at once

    def __init__(self, path: Path, containers: Callable[[], Sequence[Container]]) -> None:
        super().__init__(str(path), _Handler)
        self.containers = containers
        self.over = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        asked = urlparse(self.path)
        path, query = re.sub(r"^/v[\d.]+", "", asked.path), parse_qs(asked.query)
        known = self.server.containers()
        of = next((one for one in known if one.id in path), None)
        if path == "/_ping":
            self._tell(b"OK")
        elif path == "/networks":
            names = {name for one in known for name in one.networks}
            self._json([{"Id": f"id-of-{name}", "Name": name, "Scope": "local"} for name in sorted(names)])
        elif path == "/containers/json":
            wanted = json.loads(query.get("filters", ["{}"])[0]).get("network")
            running = [one for one in known if one.state["Running"] or query.get("all") == ["1"]]
            self._json([told(one) for one in running if wanted is None or {*wanted} & {*one.networks}])
        elif of and path.endswith("/json"):
            self._json({"Id": of.id, "Name": f"/{of.name}", "State": of.state, "Config": {"Tty": False}})
        elif of and path.endswith("/logs"):
            self._follow(of, float(query.get("since", ["0"])[0] or 0))
        else:
            self.send_error(404)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _follow(self, of: Container, since: float) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.docker.multiplexed-stream")
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # who asked may leave
            for frame in frames(of.written(since)):
                self.wfile.write(frame)
        if of.state["Running"]:
            self.server.over.wait()  # it has nothing more to say, and its log stays open

    def _json(self, value: Any) -> None:
        self._tell(json.dumps(value).encode(), "application/json")

    def _tell(self, body: bytes, kind: str = "text/plain") -> None:
        self.send_response(200)
        self.send_header("Api-Version", "1.45")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def address_string(self) -> str:
        return "docker.sock"

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextlib.contextmanager
def listening(socket: Path, containers: Callable[[], Sequence[Container]]) -> Iterator[None]:
    """A daemon on a socket, until the end of the `with`; asked each time, which containers it has."""
    with _Server(socket, containers) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.over.set()
            server.shutdown()
            thread.join()
