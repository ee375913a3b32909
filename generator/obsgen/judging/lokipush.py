"""A listener in Loki's place, and what agents push to it: streams of entries, with structured metadata (`push.proto`, Loki 3.7)."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import NamedTuple


class Entry(NamedTuple):
    """One line as it was pushed, the labels of its stream, and what is kept beside it."""

    labels: dict[str, str]
    line: str
    metadata: dict[str, str]


class Listener(NamedTuple):
    """Where it listens, and the bodies that came in so far."""

    url: str
    bodies: list[bytes]

    def entries(self) -> list[Entry]:
        """Every entry that was pushed so far, in the order it came."""
        return [entry for body in list(self.bodies) for entry in entries(body)]


@contextlib.contextmanager
def listening() -> Iterator[Listener]:
    """A listener on a free port of loopback that takes every push, until the end of the `with`."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield Listener(f"http://127.0.0.1:{server.server_port}/loki/api/v1/push", bodies)
        finally:
            server.shutdown()
            thread.join()


_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def entries(body: bytes) -> Iterator[Entry]:
    """The entries of one push: PushRequest{1: stream{1: labels, 2: entry{2: line, 3: pair{1: name, 2: value}}}}, in Snappy."""
    for stream in _fields(_unsnappy(body), 1):
        (labels,) = _fields(stream, 1)
        for entry in _fields(stream, 2):
            pairs = [(_text(pair, 1), _text(pair, 2)) for pair in _fields(entry, 3)]
            yield Entry(dict(_LABEL.findall(labels.decode())), _text(entry, 2), dict(pairs))


def _text(message: bytes, number: int) -> str:
    return b"".join(_fields(message, number)).decode()


def _fields(message: bytes, wanted: int) -> Iterator[bytes]:
    """The values of a field of a Protocol Buffers message that has only numbers and fields with a length."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        length, place = _varint(message, place)  # or, of a number, its value
        if key & 7 == 2:
            if key >> 3 == wanted:
                yield message[place : place + length]
            place += length


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place


def _unsnappy(data: bytes) -> bytes:
    """Snappy's block format: literals, and copies of what has been written already."""
    length, place = _varint(data, 0)
    out = bytearray()
    while place < len(data):
        tag, place = data[place], place + 1
        size = (tag >> 2) + 1
        if tag & 3 == 0:
            if size > 60:
                more = size - 60
                size, place = int.from_bytes(data[place : place + more], "little") + 1, place + more
            out += data[place : place + size]
            place += size
            continue
        if tag & 3 == 1:
            size, back, place = (tag >> 2 & 7) + 4, (tag >> 5) << 8 | data[place], place + 1
        else:
            wide = 2 if tag & 3 == 2 else 4
            back, place = int.from_bytes(data[place : place + wide], "little"), place + wide
        for _ in range(size):  # a copy may reach into itself
            out.append(out[-back])
    assert len(out) == length, "the body is whole"
    return bytes(out)
