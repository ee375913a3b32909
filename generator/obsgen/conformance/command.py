"""`obsgen logs check`: one source, one standard, one result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..problem import Problem, ProblemsError
from .checker import Checker
from .frames import Framed
from .report import Result
from .rules import Allowance
from .standard import Standard
from .stream import conclude, judge, of_command, of_file


def check(
    standard: Standard,
    files: Sequence[str],
    *,
    command: str | None,
    stderr: bool,
    loki: str | None,
    query: str | None,
    sample: int,
    since: float,
    until: float,
    seed: int,
    service: str | None,
    maxima: dict[str, Allowance],
    show: int,
) -> Result:
    """Reads the files, or what the command prints, or a sample of Loki's lines, and says what the lines do against the standard.

    `since` is seconds before `until`, which is seconds since 1970. Raises ProblemsError where the source can't be read.
    """
    if sum(map(bool, (files, command, loki))) != 1:
        fact = (
            "no log lines are named" if not (files or command or loki) else "log lines come from one source at a time"
        )
        remedy = "name files, - for stdin, --run CMD, or --loki URL"
        raise ProblemsError([Problem("obsgen logs check", 0, 0, fact, remedy, "usage/logs")], could_not_run=True)
    checker = Checker(standard, service=service, shown=show)
    if loki:
        from .loki import Asked, Sample

        asked = Asked(loki, _query(query, service), sample, round((until - since) * 1e9), round(until * 1e9), seed)
        drawn = Sample(asked, checker)
        judge(checker, drawn.lines())
        return conclude(checker, maxima, covered=drawn.covered, left_out=drawn.left_out())
    judge(checker, of_command(checker, command, stderr=stderr) if command else _of_files(checker, files))
    return conclude(checker, maxima)


def _query(query: str | None, service: str | None) -> str:
    if query:
        return query
    if service:
        return f'{{app="{service}"}}'
    fact, remedy = "nothing says which lines of Loki's", "add --query '{app=\"checkout\"}', or --service NAME"
    raise ProblemsError([Problem("obsgen logs check", 0, 0, fact, remedy, "usage/logs")], could_not_run=True)


def _of_files(checker: Checker, files: Sequence[str]) -> Iterator[Framed]:
    for name in files:
        yield from of_file(checker, name)
