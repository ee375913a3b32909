"""Waits for what tells nobody when it happens: a file, a port, another program's API. Everything else is awaited as an event."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(true: Callable[[], object], seconds: float, state: Callable[[], str]) -> None:
    """Until it is true, asked ten times a second. Raises AssertionError with the state of what is waited for."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, state()
        time.sleep(0.1)
