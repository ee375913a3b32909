"""Letters that are let go, on disk before Redis forgets them."""

from __future__ import annotations

import base64
import fcntl
import json
import os
from collections.abc import Iterable
from pathlib import Path

from .letter import Letter


def line(one: Letter) -> bytes:
    """A JSON line: queue, id, age in microseconds and the body, byte for byte as base64."""
    body = base64.b64encode(one.body).decode()
    return json.dumps({"queue": one.queue, "id": one.id, "age": one.age, "body": body}).encode() + b"\n"


def append(path: Path, letters: Iterable[Letter]) -> None:
    """One JSON line each: queue, id, age in microseconds and the body, byte for byte as base64. Raises OSError.

    Several may write to one file. A line that a crash has cut off stays alone: what comes next begins a new one.
    """
    with path.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        end = file.seek(0, os.SEEK_END)
        if end and os.pread(file.fileno(), 1, end - 1) != b"\n":
            file.write(b"\n")
        file.writelines(line(one) for one in letters)
        file.flush()
        os.fsync(file.fileno())
    if not end:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the name of a new file is on disk only then
        finally:
            os.close(folder)
