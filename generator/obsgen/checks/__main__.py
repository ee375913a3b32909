"""The index of the pages: `python -m obsgen.checks > docs/checks/README.md`."""

from __future__ import annotations

import inspect

from ..conformance.rules import RULES
from . import CHECKS
from .ignore import QUESTIONS


def index() -> str:
    """Every check with its severity and its question, the first line of its function's docstring; then the rules of log lines."""
    rows = [(row.id, row.severity, (inspect.getdoc(row.ask) or "").partition("\n")[0]) for row in CHECKS] + QUESTIONS
    table = [f"| [{id}]({id}.md) | {severity} | {question} |" for id, severity, question in rows]
    lines = [f"| [{rule.id}]({rule.id}.md) | {rule.severity} | {rule.question} |" for rule in RULES]
    return "\n".join([_HEAD, *sorted(table), _LINES, *lines, ""])


_HEAD = """# Checks

What `obsgen check` asks of a declaration beyond its shape. Each page shows a declaration that trips the check, the message, and
one that does not; the tests run them. Written by `python -m obsgen.checks`.

| check | severity | why you would care |
|---|---|---|"""

_LINES = """
## Of log lines

What `obsgen logs check` asks of the lines that services write. An error is against the contract, a warning is what nobody declared and what
hurts all the same. Each page shows lines that trip the rule, the message, lines that don't, and how to allow some; the tests run them.

| rule | severity | why you would care |
|---|---|---|"""

if __name__ == "__main__":
    print(index(), end="")
