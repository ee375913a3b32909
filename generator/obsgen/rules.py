"""Alerts and packs → the rules that Prometheus and Loki's ruler evaluate, in their groups."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from . import dashboards
from .model import Alert, Declaration, Examples, Level
from .packs import Expanded

Engine = Literal["prometheus", "loki"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One alerting or recording rule; `name` is the alertname or the recorded metric."""

    kind: Literal["alert", "record"]
    name: str
    expr: str
    for_: str = "0s"
    keep_firing_for: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    examples: Examples | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Rules evaluated together, in order: recordings first, so that an alert reads what was just recorded."""

    name: str
    engine: Engine
    interval: str
    rules: tuple[Rule, ...]


def object_name(name: str) -> str:
    """A name that Kubernetes allows for the object that carries a rule file of this name."""
    return re.sub("[^a-z0-9]+", "-", name.lower()).strip("-") or "rules"


def groups(declaration: Declaration, packs: Mapping[str, Expanded]) -> tuple[Group, ...]:
    """All rule groups, by engine and name; one that holds both metric and log alerts becomes one group per engine."""
    recorded: dict[str, dict[str, str]] = {}
    asked: dict[tuple[Engine, str], list[tuple[str, Alert]]] = {}
    for pack in packs.values():
        for name, record in pack.records.items():
            recorded.setdefault(record.group, {})[record.query.strip()] = name
            asked.setdefault(("prometheus", record.group), [])
    for key, alert in alerts(declaration, packs):
        asked.setdefault(("loki" if alert.logql else "prometheus", alert.group), []).append((key, alert))
    return tuple(
        _group(declaration, name, engine, recorded.get(name, {}) if engine == "prometheus" else {}, of)
        for (engine, name), of in sorted(asked.items())
    )


def _group(
    declaration: Declaration, name: str, engine: Engine, recorded: dict[str, str], asked: list[tuple[str, Alert]]
) -> Group:
    """The group's recordings, then its alerts; a question that two rules of it ask is recorded, and evaluated once.

    Not in Loki: its recordings live in the Prometheus that they are written to, where its own rules can't read them.
    """
    if engine == "prometheus":
        first = {_question(alert): key for key, alert in reversed(asked)}
        times = Counter(_question(alert) for _, alert in asked for _ in alert.levels)
        shared = [question for question, number in times.items() if number > 1 and question not in recorded]
        recorded = recorded | {question: f"alert:{first[question]}:query" for question in shared}
    records = [Rule("record", record, question) for question, record in recorded.items()]
    rules = [rule for key, alert in asked for rule in _rules(declaration, key, alert, recorded)]
    interval = "1m" if engine == "loki" else declaration.prometheus.evaluation_interval
    return Group(name, engine, interval, (*records, *rules))


def _question(alert: Alert) -> str:
    return (alert.query or alert.expr or alert.logql or "").strip()


def alerts(declaration: Declaration, packs: Mapping[str, Expanded]) -> Iterator[tuple[str, Alert]]:
    """Every alert that will be rendered, with its key: those declared, then those of the packs."""
    yield from declaration.alerts.items()
    for pack in packs.values():
        yield from pack.alerts.items()


def _rules(declaration: Declaration, key: str, alert: Alert, recorded: Mapping[str, str]) -> Iterator[Rule]:
    name = alert.name or key
    question = _question(alert)
    question = recorded.get(question, question) if alert.levels else question
    annotations = {"summary": alert.summary, "description": alert.description.strip()}
    if declaration.urls.runbooks:
        annotations["runbook_url"] = f"{declaration.urls.runbooks.rstrip('/')}/{name}"
    if dashboard := dashboards.url(declaration, shown_on(declaration, alert)):
        annotations["dashboard_url"] = dashboard
    for severity, expr, level in _levels(alert, question):
        yield Rule(
            kind="alert",
            name=name,
            expr=expr,
            for_=level.for_,
            keep_firing_for=level.keep_firing_for,
            labels=labels(declaration, alert, severity),
            annotations=annotations,
            examples=alert.examples,
        )


def shown_on(declaration: Declaration, alert: Alert) -> str:
    """The dashboard that shows what the alert asks."""
    return dashboards.shows(declaration, _question(alert), "loki" if alert.logql else "prometheus")


def _levels(alert: Alert, question: str) -> Iterable[tuple[str, str, Level]]:
    if not alert.levels:
        return [(alert.severity or "", question, Level(for_=alert.for_, keep_firing_for=alert.keep_firing_for))]
    return [(severity, compare(question, level), level) for severity, level in alert.levels.items()]


def compare(question: str, level: Level) -> str:
    """The question with its threshold: `(question) > 10`."""
    operator, threshold = (">", level.above) if level.above is not None else ("<", level.below)
    if question.replace(":", "_").isidentifier():
        return f"{question} {operator} {threshold:.15g}"
    end = "\n" if "\n" in question else ""  # a comment in the last line must not swallow the bracket
    return f"({question}{end}) {operator} {threshold:.15g}"


def labels(declaration: Declaration, alert: Alert, severity: str) -> dict[str, str]:
    """What routes and groups the alert; aggregation drops the series' own `cluster` and `namespace`, so they stand here."""
    return {
        "severity": severity,
        **_owner(declaration, alert),
        "cluster": declaration.cluster,
        "namespace": declaration.namespace,
    }


def _owner(declaration: Declaration, alert: Alert) -> dict[str, str]:
    if alert.service:
        return {"service": alert.service, "team": declaration.services[alert.service].team}
    if alert.team_of:
        return _owner_by_label(declaration, alert.team_of)
    return {"service": declaration.name, "team": alert.team or declaration.default_team}


def owners(declaration: Declaration, label: str) -> dict[str, tuple[str, str]]:
    """Values of a result's label that name an owner, with (service, team): of `queue` its owner, of `app` the service."""
    services = {name: (name, service.team) for name, service in declaration.services.items()}
    if label in ("app", "service"):
        return services
    queues = declaration.dlq.queues if label == "queue" and declaration.dlq else {}
    return {name: services[queue.owner] for name, queue in queues.items()}


def _owner_by_label(declaration: Declaration, label: str) -> dict[str, str]:
    # Prometheus and Loki's ruler expand templates in labels, so one rule tells each team of its own.
    known = owners(declaration, label)
    by_service: dict[str, list[str]] = {}
    by_team: dict[str, list[str]] = {}
    for value, (service, team) in known.items():
        if service != value:
            by_service.setdefault(service, []).append(value)
        if team != declaration.default_team:
            by_team.setdefault(team, []).append(value)
    return {
        "service": _choose(label, by_service, f"{{{{ $labels.{label} }}}}"),
        "team": _choose(label, by_team, declaration.default_team),
    }


def _choose(label: str, values: Mapping[str, list[str]], otherwise: str) -> str:
    if not values:
        return otherwise
    branches = []
    for name, of in sorted(values.items()):
        quoted = " ".join(f'"{value}"' for value in sorted(of))
        branches.append(f"if eq $labels.{label} {quoted} }}}}{name}")
    return "{{ " + "{{ else ".join(branches) + "{{ else }}" + otherwise + "{{ end }}"
