"""Letters that are let go, on disk before Redis forgets them."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable
from pathlib import Path

from .letter import Letter


def append(path: Path, letters: Iterable[Letter]) -> None:
    """One JSON line each: queue, id, age in microseconds and the body, byte for byte as base64. Raises OSError."""
    with path.open("ab") as file:
        for one in letters:
            body = base64.b64encode(one.body).decode()
            file.write(json.dumps({"queue": one.queue, "id": one.id, "age": one.age, "body": body}).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
