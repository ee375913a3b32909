"""Bytes as they were captured → lines as the service wrote them: bare, in containerd's and CRI-O's form, in Docker's json-file.

The form is told from each line, so files may be mixed:

    {"timestamp":…}                                                  as the service wrote it
    2025-10-15T23:21:00.000000005Z stdout F {"timestamp":…}          CRI; P in place of F: goes on in the next line of that stream
    {"log":"{\\"timestamp\\":…}\\n","stream":"stdout","time":"…"}    Docker; without the \\n: goes on
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

import msgspec

from .checker import BARE, LONGEST, Captured

Framed = tuple[bytes, int, Captured]
"""The service's line, the number of the captured line that it begins in, and what was around it: what `Checker.check` takes."""

_CRI = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d) (stdout|stderr) ([FP])(?:\Z| )").match
_DOCKER = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII).fullmatch


class _Docker(msgspec.Struct, forbid_unknown_fields=True):
    log: str
    stream: str
    time: str
    attrs: dict[str, str] = {}


_docker = msgspec.json.Decoder(_Docker).decode


def lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Lines of a stream without their newlines, each as soon as it is whole; of one without end only the beginning is kept."""
    rest = b""
    for chunk in chunks:
        if b"\n" not in chunk:
            if len(rest) <= LONGEST:
                rest += chunk
            continue
        *whole, last = chunk.split(b"\n")
        whole[0] = rest + whole[0]
        rest = last
        yield from whole
    if rest:
        yield rest


def unframed(captured: Iterable[bytes]) -> Iterator[Framed]:
    """What the service wrote, without what the container runtime put around it."""
    parts = _Parts()
    for number, line in enumerate(captured, 1):
        if line[:1] == b"{":
            if line.startswith(b'{"log":') and (docker := _of_docker(line)):
                yield from parts.joined(
                    docker.stream, docker.log.encode(), docker.log.endswith("\n"), number, docker.time
                )
            else:
                yield line, number, BARE
        elif line[:1].isdigit() and (cri := _CRI(line)):
            if cri[5] == b"F" and not parts.waiting:
                yield line[cri.end() :], number, Captured(cri.end(), parts.seconds(*_texts(cri)))
            else:
                yield from parts.joined(
                    cri[4].decode(), line[cri.end() :], cri[5] == b"F", number, line[: cri.end(3)].decode()
                )
        else:
            yield line, number, BARE
    yield from parts.left()


def _of_docker(line: bytes) -> _Docker | None:
    try:
        return _docker(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _texts(found: re.Match[bytes]) -> tuple[str, str, str]:
    return found[1].decode(), (found[2] or b"").decode(), found[3].decode()


class _Parts:
    """Lines that the runtime cut, by stream: as many pieces as there are, joined when the last has come."""

    def __init__(self) -> None:
        self.waiting: dict[str, tuple[list[bytes], int, Captured]] = {}
        self._second: tuple[str, str] = ("", "")
        self._base = 0.0

    def joined(self, stream: str, piece: bytes, last: bool, number: int, time: str) -> Iterator[Framed]:
        begun = self.waiting.pop(stream, None)
        pieces, first, captured = begun if begun else ([], number, Captured(None, self._time(time)))
        if sum(map(len, pieces)) <= LONGEST:
            pieces.append(piece)
        if last:
            yield b"".join(pieces).removesuffix(b"\n"), first, captured
        else:
            self.waiting[stream] = pieces, first, captured

    def left(self) -> Iterator[Framed]:
        """What was begun and never ended."""
        for pieces, first, captured in self.waiting.values():
            yield b"".join(pieces), first, captured

    def _time(self, text: str) -> float | None:
        found = _DOCKER(text)
        return self.seconds(found[1], found[2] or "", found[3]) if found else None

    def seconds(self, second: str, fraction: str, zone: str) -> float | None:
        """Seconds since 1970; a second is worked out once."""
        if self._second != (second, zone):
            try:
                self._base = datetime.fromisoformat(second + zone.replace("Z", "+00:00")).timestamp()
            except ValueError:
                return None
            self._second = second, zone
        return self._base + (float(fraction) if fraction else 0.0)


def chunks(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """What a file or a pipe gives, as it comes."""
    while chunk := read(1 << 16):
        yield chunk
