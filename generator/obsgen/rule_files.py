"""Rule files that are taken over unchanged: whose they are, and which alerts are in them."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, NamedTuple

import yaml

from . import logql, promql
from .query import QueryError
from .rules import Engine


class TakenRule(NamedTuple):
    """One rule of such a file; `name` is the alertname or the recorded metric."""

    kind: str
    name: str
    expr: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RuleFile:
    """A file as `rule_files` names it; `fault` says why its rules are nobody's, "" where they are somebody's."""

    name: str
    text: str
    engine: Engine
    rules: tuple[TakenRule, ...]
    fault: str = ""

    @property
    def stem(self) -> str:
        """Its name in the output, without the folder and without `.yaml`."""
        return PurePath(self.name).stem


@functools.lru_cache(maxsize=64)
def read(name: str, text: str) -> RuleFile:
    """A rule file, told to be of Prometheus or of Loki by its expressions."""
    try:
        rules = tuple(_rules(yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))))
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        at = f" (line {where.line + 1})" if where else ""
        return RuleFile(name, text, "prometheus", (), f"no YAML: {getattr(error, 'problem', None) or error}{at}")
    except (_ShapeError, ValueError) as error:  # the second for a date that is none
        return RuleFile(name, text, "prometheus", (), str(error))
    except RecursionError:
        return RuleFile(name, text, "prometheus", (), "nested too deeply")
    return _owned(name, text, rules)


class _ShapeError(Exception):
    """What keeps a document from being a rule file."""


def _rules(content: Any) -> Iterator[TakenRule]:
    groups = content.get("groups") if isinstance(content, dict) else None
    if not isinstance(groups, list):
        raise _ShapeError("no rule file: it has no list 'groups'")
    for group in groups:
        rules = group.get("rules") if isinstance(group, dict) else None
        if not isinstance(rules, list) or not isinstance(group.get("name"), str):
            raise _ShapeError("a group needs a name and a list of rules")
        for rule in rules:
            yield _rule(group["name"], rule)


def _rule(group: str, rule: Any) -> TakenRule:
    kinds = [kind for kind in ("alert", "record") if isinstance(rule, dict) and isinstance(rule.get(kind), str)]
    if len(kinds) != 1 or "expr" not in rule:
        raise _ShapeError(f"a rule of group {group!r} is neither an alert nor a record with an expr")
    texts = [rule.get(key) or {} for key in ("labels", "annotations")]
    if not all(isinstance(one, dict) for one in texts):
        raise _ShapeError(f"{rule[kinds[0]]}: labels and annotations are maps")
    labels, annotations = ({str(name): str(value) for name, value in one.items()} for one in texts)
    return TakenRule(kinds[0], rule[kinds[0]], str(rule["expr"]), labels, annotations)


def _owned(name: str, text: str, rules: tuple[TakenRule, ...]) -> RuleFile:
    """Prometheus' where an expression is PromQL alone, Loki's where one is LogQL alone.

    `count_over_time({app="shop"}[5m])` is both. A selector that names no metric is what LogQL always has and PromQL hardly ever, so a
    file with nothing but such expressions is Loki's; one without any selector (`vector(1)`) Prometheus'.
    """
    readings = [(rule, *_readings(rule.expr)) for rule in rules]
    for rule, prometheus, loki in readings:
        if isinstance(prometheus, QueryError) and isinstance(loki, QueryError):
            faults = f"as PromQL: {prometheus.message}; as LogQL: {loki.message}"
            return RuleFile(name, text, "prometheus", rules, f"{rule.name} is neither PromQL nor LogQL ({faults})")
    metrics = next((rule.name for rule, _, loki in readings if isinstance(loki, QueryError)), None)
    logs = next((rule.name for rule, prometheus, _ in readings if isinstance(prometheus, QueryError)), None)
    if metrics and logs:
        fault = f"rules of two servers: {metrics} asks metrics, and {logs} logs"
        return RuleFile(name, text, "prometheus", rules, fault)
    selects = any(not isinstance(one, QueryError) and promql.metrics(one) for _, one, _ in readings)
    engine: Engine = "loki" if logs or (selects and not metrics) else "prometheus"
    return RuleFile(name, text, engine, rules)


def _readings(expr: str) -> tuple[promql.Expr | QueryError, logql.Query | QueryError]:
    prometheus: promql.Expr | QueryError
    loki: logql.Query | QueryError
    try:
        prometheus = promql.parse(expr)
    except QueryError as error:
        prometheus = error
    try:
        loki = logql.parse(expr)
        if not loki.is_metric:
            loki = QueryError("it gives lines, and a rule needs a number")
    except QueryError as error:
        loki = error
    return prometheus, loki
