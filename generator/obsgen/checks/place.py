"""From a place inside a text value to its line and column in the file, and the line with a caret under it."""

from __future__ import annotations

from ..document import Document, Spot
from .finding import Finding


def place(document: Document, spot: Spot, finding: Finding) -> tuple[Spot, str]:
    """Where the finding's token stands in the file, with an excerpt; the value's own place where it can't be found.

    A value on one line and a literal block stand in the file as they are; a folded or escaped one may not.
    """
    value = document.at(finding.path) if document.spot(finding.path) else ""
    lines = document.text.splitlines()
    before = value[: finding.offset].split("\n")
    wanted = value.split("\n")[len(before) - 1]
    first = spot.line - 1
    starts = range(first, min(first + 2 + value.count("\n"), len(lines)))
    for number in starts[len(before) - 1 :]:
        column = lines[number].find(wanted) if wanted else -1
        if column >= 0:
            column += len(before[-1])
            return Spot(spot.file, number + 1, column + 1), _excerpt(lines[number], column, finding.length)
    return spot, _excerpt(lines[first], spot.column - 1, len(value.split("\n")[0]))


def _excerpt(line: str, column: int, length: int) -> str:
    carets = "^" * max(1, min(length, len(line) - column))
    return f"    {line}\n    {' ' * column}{carets}"
