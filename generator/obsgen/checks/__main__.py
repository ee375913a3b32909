"""The index of the pages: `python -m obsgen.checks > docs/checks/README.md`."""

from __future__ import annotations

import inspect

from . import CHECKS
from .ignore import QUESTIONS


def index() -> str:
    """Every check with its severity and its question, the first line of its function's docstring."""
    rows = [(row.id, row.severity, (inspect.getdoc(row.ask) or "").partition("\n")[0]) for row in CHECKS] + QUESTIONS
    table = [f"| [{id}]({id}.md) | {severity} | {question} |" for id, severity, question in rows]
    return "\n".join([_HEAD, *sorted(table), ""])


_HEAD = """# Checks

What `obsgen check` asks of a declaration beyond its shape. Each page shows a declaration that trips the check, the message, and
one that does not; the tests run them. Written by `python -m obsgen.checks`.

| check | severity | why you would care |
|---|---|---|"""

if __name__ == "__main__":
    print(index(), end="")
