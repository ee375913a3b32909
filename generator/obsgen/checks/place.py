"""From a place inside a text value to its line and column in the file, and the line with a caret under it."""

from __future__ import annotations

import re

from ..document import Document, Path, Spot

_ESCAPE = re.compile(r"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)", re.DOTALL)


def place(document: Document, spot: Spot, path: Path, span: tuple[int, int]) -> tuple[Spot, str]:
    """Where a part of the value at `path` stands in the file, with an excerpt; the value's own place where it can't be found."""
    lines = document.text.splitlines(keepends=True)
    value = document.at(path) if document.spot(path) else ""
    start = sum(map(len, lines[: spot.line - 1])) + spot.column - 1
    at = _source_offset(document.text, start, value, span[0]) if isinstance(value, str) else None
    if at is None:
        return spot, _excerpt(lines[spot.line - 1], spot.column - 1, 1)
    before = document.text[:at]
    line, column = before.count("\n"), len(before) - before.rfind("\n") - 1
    return Spot(spot.file, line + 1, column + 1), _excerpt(lines[line], column, span[1])


def _source_offset(text: str, start: int, value: str, offset: int) -> int | None:
    """Where character `offset` of a scalar's value stands in the text that begins at `start`; None if they don't agree.

    Value and source are walked side by side. Blanks and line ends fold, indent and chomp in many ways, so that any run of
    them in the one may stand for any run in the other.
    """
    at, quote = start, text[start : start + 1]
    if quote in ("|", ">"):
        at = text.find("\n", start) + 1
    elif quote in ("'", '"'):
        at = start + 1
    for place in range(offset):
        if value[place].isspace():
            continue
        at = _next(text, at, quote)
        if value[place] != text[at : at + 1] and text[at : at + 1] != "\\":
            return None
        at += _width(text, at, quote)
    at_end = offset >= len(value) or value[offset].isspace()
    return at if at_end else _next(text, at, quote)


def _next(text: str, at: int, quote: str) -> int:
    """The next character that isn't blank, nor an escaped blank."""
    blank = re.compile(r"(?:\s|\\[ntr\n])*" if quote == '"' else r"\s*")
    found = blank.match(text, at)
    return found.end() if found else at


def _width(text: str, at: int, quote: str) -> int:
    if quote == "'" and text[at : at + 2] == "''":
        return 2
    escape = _ESCAPE.match(text, at) if quote == '"' else None
    return len(escape[0]) if escape else 1


def _excerpt(line: str, column: int, length: int) -> str:
    line = line.rstrip("\r\n")
    carets = "^" * max(1, min(length, len(line) - column))
    return f"    {line}\n    {' ' * column}{carets}"
