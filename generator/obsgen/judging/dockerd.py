"""A listener in the place of Docker's daemon, with containers whose logs it tells: the part of its API that log agents ask (1.45).

What runs is made up; how it is told is Docker's: logs in frames of at most 16 KiB, one of two streams each, every line with its time.
"""

from __future__ import annotations

import contextlib
import json
import re
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any
from urllib.parse import parse_qs, urlparse

_FRAME = 16 * 1024  # dockerd's loggers cut longer lines there
_STREAMS = {"stdout": 1, "stderr": 2}


@dataclass(frozen=True)
class Container:
    """A container that runs, on one network; `lines` are (stream, line) as it wrote them."""

    name: str
    network: str
    lines: Sequence[tuple[str, str]]
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """64 hexadecimal digits, always the same of one name."""
        return self.name.encode().hex().ljust(64, "0")[:64]

    def told(self) -> dict[str, Any]:
        """How `GET /containers/json` tells of it: with two ports, of which each is a target for a discovery."""
        at = {"NetworkID": f"id-of-{self.network}", "IPAddress": "10.0.0.2", "Gateway": "10.0.0.1"}
        ports = [{"PrivatePort": port, "Type": "tcp"} for port in (8080, 9090)]
        return {
            "Id": self.id,
            "Names": [f"/{self.name}"],
            "Image": "made-up",
            "State": "running",
            "Labels": dict(self.labels),
            "Ports": ports,
            "HostConfig": {"NetworkMode": self.network},
            "NetworkSettings": {"Networks": {self.network: at}},
        }

    def frames(self) -> Iterator[bytes]:
        """What `GET /containers/ID/logs` sends: each frame with its stream and length before it, each line with a time of its own."""
        for number, (stream, line) in enumerate(self.lines):
            time = f"2025-10-01T02:03:04.{number + 1:09d}Z "
            rest = f"{line}\n".encode()
            while rest:
                part, rest = time.encode() + rest[:_FRAME], rest[_FRAME:]
                yield struct.pack(">BxxxI", _STREAMS[stream], len(part)) + part


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True

    def __init__(self, path: Path, containers: Sequence[Container]) -> None:
        super().__init__(str(path), _Handler)
        self.containers = containers
        self.over = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        asked = urlparse(self.path)
        path, query = re.sub(r"^/v[\d.]+", "", asked.path), parse_qs(asked.query)
        of = next((one for one in self.server.containers if one.id in path), None)
        if path == "/_ping":
            self._tell(b"OK")
        elif path == "/networks":
            names = {one.network for one in self.server.containers}
            self._json([{"Id": f"id-of-{name}", "Name": name, "Scope": "local"} for name in sorted(names)])
        elif path == "/containers/json":
            networks = json.loads(query.get("filters", ["{}"])[0]).get("network")
            self._json([one.told() for one in self.server.containers if networks is None or one.network in networks])
        elif of and path.endswith("/json"):
            state = {"Running": True, "Status": "running", "FinishedAt": "0001-01-01T00:00:00Z"}
            self._json({"Id": of.id, "Name": f"/{of.name}", "State": state, "Config": {"Tty": False}})
        elif of and path.endswith("/logs"):
            self._follow(of)
        else:
            self.send_error(404)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _follow(self, of: Container) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.docker.multiplexed-stream")
        self.end_headers()
        for frame in of.frames():
            self.wfile.write(frame)
        self.wfile.flush()
        self.server.over.wait()  # it goes on running, and has nothing more to say

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
def listening(socket: Path, containers: Sequence[Container]) -> Iterator[None]:
    """A daemon with these containers on a socket, until the end of the `with`."""
    with _Server(socket, containers) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.over.set()
            server.shutdown()
            thread.join()
