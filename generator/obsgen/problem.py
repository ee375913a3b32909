"""One finding: a place, a fact, a remedy and the rule that found it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Something the writer should know.

    `line` and `column` count from 1; 0 means that the finding concerns the file as a whole. `excerpt` is the line with a
    caret under the place, where that helps. An "error" makes a verb exit 1, a "warning" only under `--strict`.
    """

    file: str
    line: int
    column: int
    fact: str
    remedy: str
    rule: str
    severity: Severity = "error"
    excerpt: str = field(default="", compare=False)

    def __str__(self) -> str:
        """`file:line:column: fact (remedy) [rule]`, the form that editors and CI converters read."""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        remedy = f" ({self.remedy})" if self.remedy else ""
        level = "warning: " if self.severity == "warning" else ""
        return f"{place}: {level}{self.fact}{remedy} [{self.rule}]"


class ProblemsError(Exception):
    """Raised when the road can't go on; carries every problem found so far, never just the first.

    `could_not_run` tells exit code 2 (no such file, unreadable folder) from exit code 1 (something wrong in the input).
    """

    def __init__(self, problems: list[Problem], *, could_not_run: bool = False) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems
        self.could_not_run = could_not_run


def told(main: Callable[[], None]) -> None:
    """Call what a module does under `python -m`; problems that stop it are printed to stderr, exit 2, and never a traceback."""
    try:
        main()
    except ProblemsError as stopped:
        print(stopped, file=sys.stderr)
        sys.exit(2)
