"""What is printed: tables for people, one JSON object a line for programs. stdout is the product, stderr is talk."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import click

# C0, DEL and C1 of a letter's text would move the cursor, or more; half a surrogate pair can't be written at all
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def shown(value: object) -> str:
    """A value on one line of a terminal, whoever wrote it."""
    text = value if isinstance(value, str) else "" if value is None else str(value)
    return _UNSAFE.sub(
        lambda found: f"\\x{ord(found[0]):02x}" if ord(found[0]) < 256 else f"\\u{ord(found[0]):04x}", text
    )


def line(document: Mapping[str, Any]) -> None:
    """One JSON object on stdout. ASCII, so that any text of a letter, and any terminal, can be had."""
    click.echo(json.dumps(document, separators=(",", ":")))


def say(text: str) -> None:
    """Talk, on stderr."""
    click.echo(text, err=True)


def table(head: Sequence[str], rows: Iterable[Sequence[object]], numbers: Sequence[str] = ()) -> None:
    """Columns under their names, those in `numbers` to the right, - where there is nothing; no head without a row."""
    texts = [[shown(value) or "-" for value in row] for row in rows]
    if not texts:
        return
    widths = [max(map(len, column)) for column in zip(head, *texts, strict=True)]
    for row in ([*head], *texts):
        cells = (
            text.rjust(width) if name in numbers else text.ljust(width)
            for name, text, width in zip(head, row, widths, strict=True)
        )
        click.echo("  ".join(cells).rstrip())


def fields(pairs: Mapping[str, object]) -> None:
    """Names and values below each other; those without a value are left out."""
    kept = {name: shown(value) for name, value in pairs.items() if value not in (None, "", False)}
    width = max(map(len, kept), default=0) + 2
    for name, value in kept.items():
        click.echo(f"{name + ':':<{width}}{value}")


def since(seconds: float, now: float | None = None) -> str:
    """How long ago a time was, in its two greatest units: 3d4h, 12m5s."""
    left = max(0, int((time.time() if now is None else now) - seconds))
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        number, left = divmod(left, size)
        if number or parts or unit == "s":
            parts.append(f"{number}{unit}")
    return "".join(part for part in parts[:2] if not part.startswith("0")) or "0s"


def letters(number: int) -> str:
    """A number of letters."""
    return f"{number} letter{'s' * (number != 1)}"


class Tally(NamedTuple):
    """How far many letters are: matched, done, and what went well or not."""

    matched: int
    done: int
    ok: int
    failed: Mapping[str, int]

    def __str__(self) -> str:
        bad = "".join(f", {number} {name}" for name, number in sorted(self.failed.items()))
        return f"{self.done} of {self.matched}: {self.ok} ok{bad}"


class Progress:
    """How far it is, on stderr: one line that changes on a terminal, else a line for each tenth."""

    def __init__(self) -> None:
        self.live, self.tenth = sys.stderr.isatty(), 0

    def show(self, tally: Tally) -> None:
        """To be called as often as there is news."""
        if self.live:
            share = tally.done / tally.matched if tally.matched else 1.0
            bar = "#" * round(20 * share)
            click.echo(f"\r\x1b[K[{bar:<20}] {tally}", err=True, nl=False)
        elif tally.matched and tally.done * 10 // tally.matched > self.tenth:
            self.tenth = tally.done * 10 // tally.matched
            say(str(tally))

    def end(self) -> None:
        """Leaves the terminal's line."""
        if self.live:
            click.echo(err=True)
