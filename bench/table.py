"""Numbers → Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple


class Number(NamedTuple):
    """One row at one size: CPU seconds, bytes read or written, peak RSS in MB; None where it has none of its own."""

    seconds: float
    bytes: int | None = None
    rss: float | None = None


Numbers = Mapping[str, Mapping[int, Number]]
"""Row → services → number."""


class Aim(NamedTuple):
    """What was wanted and what was measured; smaller is better."""

    text: str
    measured: float
    limit: float
    unit: str = ""


def growth(row: Mapping[int, Number]) -> float:
    """Exponent between the two largest sizes: 1 is linear, 2 is square."""
    small, large = sorted(row)[-2:]
    return math.log(row[large].seconds / row[small].seconds) / math.log(large / small)


def sizes(numbers: Numbers, heading: str) -> str:
    """One line per row: seconds at each size; MB/s, growth and memory at the largest."""
    every = sorted(next(iter(numbers.values())))
    head = [heading, *(f"{size:,}" for size in every), "MB", "MB/s", "growth", "peak RSS"]
    return table(head, (_line(name, row) for name, row in numbers.items()))


def _line(name: str, row: Mapping[int, Number]) -> list[str]:
    last = row[max(row)]
    size = [f"{last.bytes / 1e6:.1f}", f"{last.bytes / 1e6 / last.seconds:.1f}"] if last.bytes else ["", ""]
    memory = f"{last.rss:.0f} MB" if last.rss else ""
    return [name, *(f"{row[services].seconds:.3f}" for services in sorted(row)), *size, f"{growth(row):.2f}", memory]


def aims(rows: Iterable[Aim]) -> str:
    """One line per aim."""
    head = ["aim", "limit", "measured", ""]
    return table(head, ([a.text, _with(a.limit, a.unit), _with(a.measured, a.unit), _verdict(a)] for a in rows))


def _verdict(aim: Aim) -> str:
    return "met" if aim.measured <= aim.limit else "**missed**"


def _with(number: float, unit: str) -> str:
    return f"{number:.3g}{unit}"


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Markdown: the first column is text, the others are numbers."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *lines)) + "\n"
