"""A file that takes letters while Redis doesn't. What `append` returned from is on disk."""

from __future__ import annotations

import base64
import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Spooled:
    """What an add needs once more: age in milliseconds, body byte for byte."""

    queue: str
    id: str
    body: bytes
    milliseconds: int
    reason: str
    replays: int


class Spool:
    """Lines of JSON in `path`, shared by threads and processes through a lock beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # a file of its own, since replay replaces the spool; a new descriptor for each use, so threads wait as well
        with self.path.with_name(self.path.name + ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def append(self, one: Spooled) -> None:
        """Keeps a letter; raises OSError where the disk refuses, and then it is kept nowhere."""
        fields = {**one.__dict__, "body": base64.b64encode(one.body).decode()}
        with self._locked():
            # the line break stands first too: a line that a crash has cut off must not spoil this one
            self._write(self.path, b"\n" + json.dumps(fields).encode() + b"\n", os.O_APPEND)

    def _write(self, path: Path, data: bytes, how: int) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o600)
        try:
            while data:
                data = data[os.write(descriptor, data) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the name of a new file is on disk only then
        finally:
            os.close(folder)

    def _lines(self) -> list[bytes]:
        try:
            return [line for line in self.path.read_bytes().split(b"\n") if line]
        except FileNotFoundError:
            return []

    def count(self) -> int:
        """Letters that wait, torn lines included."""
        return len(self._lines())

    @property
    def waiting(self) -> bool:
        """Whether there is anything to replay; cheap enough to ask after every add."""
        try:
            return self.path.stat().st_size > 0
        except FileNotFoundError:
            return False

    def replay(self, add: Callable[[Spooled], None]) -> int:
        """Hands each to `add` in order and forgets those that it took; returns how many.

        Stops at the first exception, which is raised after the rest was kept. A line that is no letter (a crash within
        `append`, which then never returned) goes to PATH.bad.
        """
        with self._locked():
            lines, taken = self._lines(), 0
            try:
                while lines:
                    one = _read(lines[0])
                    if one:
                        add(one)
                        taken += 1
                    else:
                        self._write(self.path.with_name(self.path.name + ".bad"), lines[0] + b"\n", os.O_APPEND)
                    lines.pop(0)
            finally:
                rest = self.path.with_name(self.path.name + ".new")
                self._write(rest, b"".join(line + b"\n" for line in lines), os.O_TRUNC)
                rest.replace(self.path)
            return taken


def _read(line: bytes) -> Spooled | None:
    try:
        fields = json.loads(line)
        return Spooled(**{**fields, "body": base64.b64decode(fields["body"], validate=True)})
    except (ValueError, TypeError, KeyError):
        return None
