"""What `obsgen logs check` says: problems as everywhere in obsgen, then every rule that something was found of, and what was not asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..problem import Problem
from ..report import FORMATS, as_json, count
from .rules import Allowance
from .tally import Row, Tally
from .words import amount, share


class Result(NamedTuple):
    """One stream, judged. `unasked` says of a rule why nothing can be said."""

    problems: list[Problem]
    rows: list[Row]
    lines: int
    bytes: int
    conforming: int
    unasked: dict[str, str]

    def text(self, form: str) -> str:
        """In one of the forms of `--output`. Json is an object: `lines`, `bytes`, `conforming`, `rules`, `unasked`, `problems`."""
        if form == "text":
            return as_text(self)
        return _json(self) if form == "json" else FORMATS[form](self.problems)

    @property
    def failed(self) -> bool:
        """Whether an error was found, rather than warnings."""
        return any(problem.severity == "error" for problem in self.problems)


def result(tally: Tally, allowed: dict[str, Allowance], unasked: dict[str, str]) -> Result:
    """The result of a stream under the allowances that differ from the rules' own."""
    return Result(
        tally.problems(allowed),
        tally.rows(allowed),
        tally.lines,
        tally.bytes,
        tally.conforming,
        dict(sorted(unasked.items())),
    )


def as_text(found: Result) -> str:
    """Problems, the summary of the lines, a table of the rules, what wasn't asked, and how many problems there are."""
    said = [f"{problem}\n{problem.excerpt}" if problem.excerpt else str(problem) for problem in found.problems]
    rate = f"; {found.conforming:,} conform ({share(found.conforming / found.lines)})" if found.lines else ""
    said.append(f"{found.lines:,} {'line' if found.lines == 1 else 'lines'}, {amount(found.bytes)}{rate}")
    said += _table(found.rows)
    said += [f"not asked: {rule}, {why}" for rule, why in found.unasked.items()]
    if found.problems:
        said.append(count(found.problems))
    return "\n".join(said) + "\n"


def _table(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return []
    cells = [("rule", "found", "share", "allowed", "first"), *map(_cells, rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(5)]
    return [
        f"  {rule:<{widths[0]}}  {found:>{widths[1]}}  {part:>{widths[2]}}  {allowed:>{widths[3]}}  {first}"
        for rule, found, part, allowed, first in cells
    ]


def _cells(row: Row) -> tuple[str, ...]:
    found = f"{row.found:,.0f}" if row.share is not None else amount(row.found)
    return row.rule, found, share(row.share) if row.share is not None else "", str(row.allowed), row.first


def _json(found: Result) -> str:
    whole: dict[str, Any] = {
        "lines": found.lines,
        "bytes": found.bytes,
        "conforming": found.conforming,
        "rules": [
            {
                "rule": row.rule,
                "count": row.found,
                "share": row.share,
                "allowed": str(row.allowed),
                "broken": row.broken,
                "first": row.first,
            }
            for row in found.rows
        ],
        "unasked": found.unasked,
        "problems": json.loads(as_json(found.problems)),
    }
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"
