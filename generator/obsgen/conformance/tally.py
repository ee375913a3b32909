"""Findings of one stream, counted: by rule, and by what they say, of which the first few are kept with their places."""

from __future__ import annotations

from typing import NamedTuple

from ..problem import Problem
from .rules import BY_ID, RULES, Allowance
from .words import share


class Finding(NamedTuple):
    """What one line does against one rule, and `at` which byte of it, from 0, or at which key."""

    rule: str
    fact: str
    remedy: str
    at: int | str = 0


class Place(NamedTuple):
    """Where a line stands: the source as it was named, and the number of the line in it, from 1."""

    source: str
    line: int


class Example(NamedTuple):
    """The first line that a fact was found in; `column` counts bytes of the captured line from 1."""

    finding: Finding
    place: Place
    column: int
    excerpt: str


class Row(NamedTuple):
    """One rule's part of the summary. `found` is how many lines; of `logs/volume` it is bytes a day."""

    rule: str
    found: float
    share: float | None
    allowed: Allowance
    first: str
    broken: bool


class Tally:
    """Counts of one stream. `shown` is how many different facts of a rule are kept; the rest is only counted."""

    def __init__(self, shown: int = 3) -> None:
        self.shown = shown
        self.lines = self.bytes = self.conforming = 0
        self.counts: dict[str, float] = {}
        self._facts: dict[str, dict[str, tuple[Example, list[int]]]] = {}

    def known(self, rule: str, fact: str) -> bool:
        """Counts a finding; False where its fact is new and is to be kept by `keep`."""
        self.counts[rule] = self.counts.get(rule, 0) + 1
        facts = self._facts.get(rule)
        if facts is None:
            facts = self._facts[rule] = {}
        told = facts.get(fact)
        if told is not None:
            told[1][0] += 1
            return True
        return len(facts) >= self.shown

    def keep(self, example: Example) -> None:
        """Keeps the first line of a fact."""
        self._facts[example.finding.rule][example.finding.fact] = example, [1]

    def rows(self, allowed: dict[str, Allowance]) -> list[Row]:
        """Of each rule that something was found of, in the order of the table."""
        return [self._row(rule.id, allowed.get(rule.id, rule.allowed)) for rule in RULES if self.counts.get(rule.id)]

    def _row(self, rule: str, allowed: Allowance) -> Row:
        count = self.counts[rule]
        first = next(iter(self._facts.get(rule, {}).values()), None)
        share = None if BY_ID[rule].allowed.of == "bytes" else count / max(self.lines, 1)
        broken = not allowed.covers(count, max(self.lines, 1))
        return Row(rule, count, share, allowed, _shown(first[0].place) if first else "", broken)

    def problems(self, allowed: dict[str, Allowance]) -> list[Problem]:
        """The kept facts of every rule of which more was found than is allowed, and how often each was found."""
        broken = [row.rule for row in self.rows(allowed) if row.broken]
        return sorted(self._problem(*one) for rule in broken for one in self._facts[rule].values())

    def _problem(self, example: Example, count: list[int]) -> Problem:
        finding, place = example.finding, example.place
        often = f"; so in {count[0]:,} of {self.lines:,} lines ({share(count[0] / self.lines)})" if count[0] > 1 else ""
        severity = BY_ID[finding.rule].severity
        return Problem(
            place.source,
            place.line,
            example.column,
            finding.fact + often,
            finding.remedy,
            finding.rule,
            severity,
            example.excerpt,
        )


def _shown(place: Place) -> str:
    return f"{place.source}:{place.line}" if place.line else place.source
