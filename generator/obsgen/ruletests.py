"""A rule's examples → promtool tests: it fires, it stays silent, it resolves.

The series come from the examples, never from the expression: series made from the expression would pass for a metric that nobody
exports. Firing is asked of Prometheus' own `ALERTS` series with the labels that route it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from . import promql
from .model import seconds
from .rules import Group, Rule
from .series import joined, samples

_SETTLE = 15  # minutes of nothing, beyond `for`, before an absent metric is asked for


@dataclass(frozen=True, slots=True)
class Case:
    """One promtool test: series with one sample a minute, and what a PromQL expression gives at a minute."""

    name: str
    series: tuple[tuple[str, str], ...]
    minute: int
    expr: str
    value: int


def cases(group: Group) -> tuple[Case, ...]:
    """The tests of a group's alerts that have examples, in the order of the rules."""
    return tuple(case for rule in group.rules if rule.examples for case in _cases(rule))


def rule_files(group: Group, groups: tuple[Group, ...]) -> tuple[str, ...]:
    """The group, and those whose recordings it reads."""
    recorded = {rule.name: other.name for other in groups for rule in other.rules if rule.kind == "record"}
    if not recorded:
        return (f"{group.name}.yaml",)
    read = {name for rule in group.rules for name, _ in _metrics(rule.expr)}
    names = {group.name} | {where for name, where in recorded.items() if name in read}
    return tuple(f"{name}.yaml" for name in sorted(names))


def _metrics(expr: str) -> Iterator[tuple[str, frozenset[str]]]:
    try:
        yield from promql.metrics(promql.parse(expr))
    except promql.QueryError:
        return


def _cases(rule: Rule) -> Iterator[Case]:
    assert rule.examples is not None
    fires, silent = dict(rule.examples.fires), dict(rule.examples.silent)
    severity = rule.labels["severity"]
    wait = math.ceil(seconds(rule.for_) / 60)
    burning = max(map(samples, fires.values()), default=wait + _SETTLE)
    quiet = max(map(samples, silent.values()), default=wait + _SETTLE)
    firing = f'ALERTS{{alertname="{rule.name}", alertstate="firing", severity="{severity}"'
    told = f'count({firing}, service!="", team!="", cluster!="", namespace!=""}}) > bool 0'
    untold = f"count({firing}}}) or vector(0)"
    title = f"{rule.name} ({severity})"
    yield Case(f"{title} fires", tuple(fires.items()), burning - 1, told, 1)
    if silent:
        both = joined(fires, burning, silent)
        yield Case(f"{title} stays silent", tuple(silent.items()), quiet - 1, untold, 0)
        yield Case(f"{title} resolves", both, burning + quiet - 1, untold, 0)
    if nothing := dict(rule.examples.quiet):
        yield Case(
            f"{title} stays silent in quiet", tuple(nothing.items()), max(map(samples, nothing.values())) - 1, untold, 0
        )
