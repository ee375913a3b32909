"""`# obsgen: ignore=ID reason`, at the end of a line or on the line above, silences a check for what begins there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..document import Document
from ..problem import Problem, Severity

_COMMENT = re.compile(r"#\s*obsgen:\s*ignore(?:=(?P<id>\S*))?(?P<reason>.*)$")


QUESTIONS: list[tuple[str, Severity, str]] = [
    (
        "ignore/reason",
        "error",
        "A check that was silenced without a reason is off for ever: nobody dares to switch it on again.",
    ),
    ("ignore/unknown", "error", "A comment that names no check silences nothing, and looks as if it did."),
    ("ignore/unused", "warning", "A comment that silences nothing will silence the next mistake on its line."),
]
"""What is asked of the comments themselves; no comment silences these."""


@dataclass(frozen=True, slots=True)
class Ignore:
    """One silencing comment: `lines` are those it speaks of."""

    file: str
    line: int
    column: int
    id: str
    reason: str
    lines: tuple[int, ...]


Found = tuple[Problem, frozenset[int]]
"""A problem, and the lines where it can be silenced: its own, and where the key and the value begin that it lies in."""


def silenced(documents: Sequence[Document], found: Iterable[Found], known: set[str]) -> list[Problem]:
    """The problems less those silenced with a reason, and what is wrong with the silencing comments; sorted."""
    ignores = [ignore for document in documents for ignore in _ignores(document)]
    kept, used = [], set()
    for problem, lines in found:
        by = [i for i in ignores if i.reason and _speaks_of(i, problem, lines)]
        used |= set(by)
        if not by:
            kept.append(problem)
    return sorted({*kept, *_faults(ignores, used, known)})


def _speaks_of(ignore: Ignore, problem: Problem, lines: frozenset[int]) -> bool:
    return ignore.id == problem.rule and ignore.file == problem.file and not lines.isdisjoint(ignore.lines)


def _ignores(document: Document) -> Iterator[Ignore]:
    if "obsgen:" not in document.text:
        return
    lines = document.text.splitlines()
    for number, line in enumerate(lines, 1):
        found = _COMMENT.search(line)
        if found:
            alone = not line[: found.start()].strip()
            about = (number, _next_line(lines, number)) if alone else (number,)
            column = found.start() + 1
            yield Ignore(document.file, number, column, found["id"] or "", found["reason"].strip(), about)


def _next_line(lines: list[str], number: int) -> int:
    """The line below, past further comments."""
    while number < len(lines) and lines[number].lstrip().startswith("#"):
        number += 1
    return number + 1


def _faults(ignores: list[Ignore], used: set[Ignore], known: set[str]) -> Iterator[Problem]:
    for ignore in ignores:
        place = (ignore.file, ignore.line, ignore.column)
        if ignore.id not in known:
            remedy = "write # obsgen: ignore=ID reason"
            fact = f"no check is called {ignore.id!r}" if ignore.id else "this comment names no check"
            yield Problem(*place, fact, remedy, "ignore/unknown")
        elif not ignore.reason:
            remedy = f"write # obsgen: ignore={ignore.id} and why"
            yield Problem(*place, "a check is silenced without a reason", remedy, "ignore/reason")
        elif ignore not in used:
            fact = f"{ignore.id} has nothing to say here"
            yield Problem(*place, fact, "remove the comment", "ignore/unused", "warning")
