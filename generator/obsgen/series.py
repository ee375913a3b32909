"""promtool's notation of a series' values: how many they are, longer, and one after the other."""

from __future__ import annotations

import re
from collections.abc import Mapping

_SAMPLES = re.compile(r"x(\d+)$")
_HISTOGRAM = re.compile(r"\{\{.*?\}\}")  # one sample, with spaces inside


def samples(values: str) -> int:
    """How many samples promtool makes of a values text: `0+60x10` 11, `_x5` 5, `1` 1."""
    total = 0
    for token in _HISTOGRAM.sub("0", values).split():
        repeat = _SAMPLES.search(token)
        times = int(repeat[1]) if repeat else 0
        total += times if token.startswith("_") and repeat else times + 1
    return total


def stretched(values: str, minutes: int) -> str:
    """The same values going on for so many minutes more, as the last of them goes on."""
    last = values.split()[-1]
    repeat = _SAMPLES.search(last)
    if repeat:
        return values[: len(values) - len(repeat[0])] + f"x{int(repeat[1]) + minutes}"
    return f"{values}x{minutes}" if last not in ("stale", "_") else f"{values} _x{minutes}"


def joined(first: Mapping[str, str], length: int, then: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The first series followed by the second ones; a series that only one of them has is absent in the other's time."""
    found = []
    for series in dict.fromkeys([*first, *then]):
        before = first.get(series, "")
        gap = length - samples(before)
        pad = f"_x{gap}" if gap else ""
        found.append((series, " ".join(filter(None, [before, pad, then.get(series, "")]))))
    return tuple(found)
