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

_CRI = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d) (stdout|stderr) ([FP])(?:\Z| )").match
_TIME = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)").fullmatch
_WHOLE = b"Z stdout F "  # after nanoseconds, as containerd writes them: bytes 29 to 40 of nearly every line


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
    """What the service wrote, without what the container runtime put around it; the time of capture to the second."""
    parts = _Parts()
    for number, line in enumerate(captured, 1):
        if line[:1] == b"{":
            docker = _of_docker(line) if line[:7] == b'{"log":' else None
            if docker is None:
                yield line, number, BARE
            else:
                at = _TIME(docker.time.encode())
                seconds = parts.seconds(at[1], at[2]) if at else None
                yield from parts.joined(
                    docker.stream, docker.log.encode(), docker.log.endswith("\n"), number, Captured(None, seconds)
                )
        elif line[29:40] == _WHOLE and line[:20] == parts.second and not parts.waiting:
            yield line[40:], number, parts.within
        elif line[:1].isdigit() and (cri := _CRI(line)):
            seconds, end, whole = parts.seconds(cri[1], cri[2]), cri.end(), cri[4] == b"F"
            if whole and not parts.waiting:
                yield line[end:], number, Captured(end, seconds)
            else:
                yield from parts.joined(cri[3].decode(), line[end:], whole, number, Captured(None, seconds))
        else:
            yield line, number, BARE
    yield from parts.left()


def _of_docker(line: bytes) -> _Docker | None:
    try:
        return _docker(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


class _Parts:
    """Lines that the runtime cut, by stream: as many pieces as there are, joined when the last has come."""

    def __init__(self) -> None:
        self.waiting: dict[str, tuple[list[bytes], int, Captured]] = {}
        self.second, self.within = b"", BARE  # of the last line's second, for the lines of the same one

    def joined(self, stream: str, piece: bytes, last: bool, number: int, captured: Captured) -> Iterator[Framed]:
        pieces, first, captured = self.waiting.pop(stream, ([], number, captured))
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

    def seconds(self, second: bytes, zone: bytes) -> float | None:
        """Seconds since 1970."""
        try:
            text = (second + zone.replace(b"Z", b"+00:00")).decode()
            found = datetime.fromisoformat(text).timestamp()
        except ValueError:
            return None
        if zone == b"Z":
            self.second, self.within = second + b".", Captured(len(second) + len(".000000000") + len(_WHOLE), found)
        return found


def chunks(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """What a file or a pipe gives, as it comes."""
    while chunk := read(1 << 16):
        yield chunk
