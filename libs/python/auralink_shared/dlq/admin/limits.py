"""How much one principal, or one address that doesn't say who it is, may ask."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from .problems import Problem

KEPT = 10_000  # addresses can be invented; a bucket that is full again is forgotten


@dataclass(frozen=True)
class Limits:
    """Of one process: with two replicas it is twice as much. Rates are a second; body in bytes."""

    rate: float = 50.0  # of a principal, and of an address without a token
    burst: int = 100
    failure_rate: float = 10 / 60  # wrong tokens of an address
    failure_burst: int = 10
    body: int = 1024 * 1024  # a letter's 256 KiB, escaped or as base64
    body_seconds: float = 30.0  # to send it


class Buckets:
    """A token bucket for each key."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate, self.burst, self.clock = rate, burst, clock
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, key: str) -> None:
        """One. Raises Problem 429 with Retry-After where nothing is left."""
        now = self.clock()
        left, at = self._left.pop(key, (float(self.burst), now))
        left = min(self.burst, left + (now - at) * self.rate)
        self._left[key] = (max(left - 1, 0) if left >= 1 else left, now)
        if len(self._left) > KEPT:  # the one that was asked for longest ago
            self._left.pop(next(iter(self._left)))
        if left < 1:
            wait = str(max(1, -int(-(1 - left) // self.rate)))
            raise Problem(429, "too-many", f"Too many requests; try again in {wait} s.", headers={"Retry-After": wait})
