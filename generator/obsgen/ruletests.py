"""A rule's examples → promtool tests: it fires, it stays silent, it resolves.

The series come from the examples, never from the expression: series made from the expression would pass for a metric that nobody
exports. Firing is asked of Prometheus' own `ALERTS` series with the labels that route it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from . import promql
from .model import seconds
from .rules import Group, Rule

_SAMPLES = re.compile(r"x(\d+)$")
_HISTOGRAM = re.compile(r"\{\{.*?\}\}")  # one sample, with spaces inside
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


def samples(values: str) -> int:
    """How many samples promtool makes of a values text: `0+60x10` 11, `_x5` 5, `1` 1."""
    total = 0
    for token in _HISTOGRAM.sub("0", values).split():
        repeat = _SAMPLES.search(token)
        times = int(repeat[1]) if repeat else 0
        total += times if token.startswith("_") and repeat else times + 1
    return total


def joined(first: Mapping[str, str], length: int, then: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The first series followed by the second ones; a series that only one of them has is absent in the other's time."""
    found = []
    for series in dict.fromkeys([*first, *then]):
        before = first.get(series, "")
        gap = length - samples(before)
        pad = f"_x{gap}" if gap else ""
        found.append((series, " ".join(filter(None, [before, pad, then.get(series, "")]))))
    return tuple(found)
