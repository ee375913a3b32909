"""The rules of log lines, one row each: what breaks one, how grave that is, and how many lines may."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from ..problem import Severity
from .words import amount

PREFIX = "logs/"


class Allowance(NamedTuple):
    """How much is allowed: a number of lines, a share of them (`of` "share", 0.05), or bytes a day (`of` "bytes")."""

    number: float = 0
    of: Literal["lines", "share", "bytes"] = "lines"

    def __str__(self) -> str:
        """As `--max` takes it."""
        if self.of == "share":
            return f"{self.number * 100:g}%"
        return f"{self.number:,.0f}" if self.of == "lines" else amount(self.number)

    def covers(self, count: float, lines: int) -> bool:
        """Whether so much, in so many lines, is still allowed."""
        return count <= (self.number * lines if self.of == "share" else self.number)


class Rule(NamedTuple):
    """One row: `id` is also the page `docs/checks/ID.md`.

    An error is against the contract, a warning is what nobody declared and what hurts all the same.
    """

    id: str
    severity: Severity
    question: str
    allowed: Allowance = Allowance()


RULES: tuple[Rule, ...] = (
    Rule("logs/empty", "error", "A check of no lines finds nothing wrong, whatever the service writes."),
    Rule("logs/run", "error", "A command that failed may have said little, and its lines prove little."),
    Rule("logs/json", "error", "A line that is no JSON has no level, no service and no trace: alerts and panels don't see it."),
    Rule("logs/object", "error", "Two objects on a line are two writers in one pipe; Loki's parsers drop both."),
    Rule("logs/duplicate-key", "error", "Of a key that stands twice each reader takes another value."),
    Rule("logs/size", "error", "Container runtimes split long lines, and a reader of Docker's files never joins them again."),
    Rule("logs/required", "error", "Queries filter by the required fields, and a line without one is never found."),
    Rule("logs/type", "error", "Panels count and compare declared fields; text where a number is declared is an error of the query."),
    Rule("logs/timestamp", "error", "Lines are sorted by their timestamps as text, across services: with another form the order is gone."),
    Rule("logs/skew", "warning", "A timestamp in local time or from a wrong clock puts the line beside what it has nothing to do with."),
    Rule("logs/level", "error", "The agent makes UNKNOWN of a level that isn't declared: no alert and no retention goes by it."),
    Rule("logs/service", "error", "A line under another service's name is found under that one, or nowhere."),
    Rule("logs/trace", "error", "A trace id of another form never meets that of the other services."),
    Rule("logs/no-trace", "warning", "Nobody can follow a request through lines without a trace.", Allowance(0.05, "share")),
    Rule("logs/error-fields", "warning", "An ERROR that doesn't say which can't be counted by its kind, nor looked into."),
    Rule("logs/redact", "error", "What stands under a key of `redact` is a secret in every copy of the logs."),
    Rule("logs/secret", "error", "A credential in a text is one too, and is found by nobody who looks at keys."),
    Rule("logs/type-drift", "warning", "A field that is a number here and text there breaks every query that compares it."),
    Rule("logs/volume", "warning", "What a service writes in a day is paid for, stored and searched by all.", Allowance(0, "bytes")),
)  # fmt: skip
BY_ID = {rule.id: rule for rule in RULES}

_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*(%|B|KB|MB|GB|TB)?")
_BYTES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def allowance(words: str) -> tuple[str, Allowance]:
    """Of `RULE=N`, `RULE=N%` or `volume=1GB` the rule's id, with or without `logs/`, and what it allows. ValueError says what is wrong."""
    name, _, text = words.partition("=")
    id = name if name.startswith(PREFIX) else PREFIX + name
    if id not in BY_ID:
        raise ValueError(f"there is no rule {name!r}: {', '.join(rule.removeprefix(PREFIX) for rule in BY_ID)}")
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no number of lines, no share as in 5%, and no size as in 1GB")
    number, unit = float(found[1]), found[2]
    in_bytes = BY_ID[id].allowed.of == "bytes"
    if in_bytes != (unit in _BYTES):
        raise ValueError(
            f"{name} takes {'bytes a day, as in 1GB' if in_bytes else 'lines: a number, or a share as in 5%'}"
        )
    if unit is None:
        return id, Allowance(number)
    return id, Allowance(number / 100, "share") if unit == "%" else Allowance(number * _BYTES[unit], "bytes")
