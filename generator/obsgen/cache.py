"""Where what is slow to make and always comes out the same may be kept: compiled templates, the tables of a grammar."""

from __future__ import annotations

import os
from pathlib import Path


def folder() -> Path | None:
    """`${XDG_CACHE_HOME:-~/.cache}/obsgen/compiled`, the user's alone; None where it can't be written. Safe to delete."""
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        found = (Path(base) if base else Path.home() / ".cache") / "obsgen" / "compiled"
        found.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # no home, or not ours to write
        return None
    return found if os.access(found, os.W_OK) else None
