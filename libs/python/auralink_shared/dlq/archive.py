"""Letters that are let go, on disk before Redis forgets them."""

from __future__ import annotations

import base64
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
    """A line each, on disk when it returns. Raises OSError."""
    with path.open("ab") as file:
        file.writelines(line(one) for one in letters)
        file.flush()
        os.fsync(file.fileno())
