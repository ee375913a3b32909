"""Packs: ready alerts as templates of the same grammar that a team writes, filled in from the declaration."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

import msgspec
import yaml

from . import availability, loki_targets, requests
from .model import Alert, Declaration, seconds, size
from .overlay import merge
from .scrape import agent_namespace
from .series import stretched


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A recording rule: an expression that two readers share."""

    group: str
    query: str


class Expanded(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a pack's template says, tuned by the declaration."""

    records: Mapping[str, Record] = {}
    alerts: Mapping[str, Alert] = {}


def _bound(declaration: Declaration, objective: str, bound: str) -> Any:
    return getattr(declaration.objectives.get(objective), bound, None)


def _seconds(declaration: Declaration, objective: str, bound: str) -> float | None:
    value = _bound(declaration, objective, bound)
    return None if value is None else seconds(str(value))


def _log_bytes_per_day(declaration: Declaration) -> float | None:
    volume = declaration.objectives.get("log_volume")
    if volume is None or volume.max is None:
        return None
    return size(str(volume.max)) * 86_400 / seconds(volume.window or "1d")


def _alerts_examples(declaration: Declaration) -> range:
    """One alert more than the objective allows; none where the test would take longer than it is worth."""
    most, window = _bound(declaration, "alerts", "max"), _bound(declaration, "alerts", "window") or "1d"
    return range(int(most) + 1) if most is not None and most <= 50 and seconds(window) <= 86_400 else range(0)


def _retention_hours(declaration: Declaration) -> list[int]:
    return sorted({int(seconds(period) // 3600) for period in declaration.loki.retention.periods})


def _error_levels(declaration: Declaration) -> list[str]:
    """Declared levels that mean an error; none where the level is no label, for then it takes a parser to count them."""
    level = declaration.logging.fields.get("level")
    grave = ("ERROR", "CRITICAL", "FATAL", "PANIC")
    return (
        [name for name in declaration.logging.levels if name.upper() in grave]
        if level and level.store == "label"
        else []
    )


def loki_rules(declaration: Declaration) -> int:
    """How many rules Loki's ruler must evaluate for the declared alerts: one for each level of each that is asked of the logs."""
    return sum(len(alert.levels) or 1 for alert in declaration.alerts.values() if alert.logql)


def _loki_rules_of(packs: Mapping[str, Any], declared: Container[str]) -> int:
    """The same for the alerts of packs, tuned and not yet typed."""
    alerts = [alert for pack in packs.values() for alert in _undeclared(pack.get("alerts") or {}, declared).values()]
    return sum(len(alert.get("levels") or ()) or 1 for alert in alerts if alert.get("logql"))


CONTEXT: Mapping[str, Mapping[str, Callable[[Declaration], Any]]] = {
    "watchdog": {},
    "alertmanager": {
        "deployed": lambda d: d.alertmanager.deploy,
        "namespace": lambda d: d.monitoring_namespace,
        "pods": lambda d: [f"alertmanager-{number}" for number in range(d.alertmanager.replicas)],
        "replicas": lambda d: d.alertmanager.replicas,
    },
    "dlq": {
        "depth_max": lambda d: _bound(d, "dlq_depth", "max"),
        "queues": lambda d: sorted(d.dlq.queues) if d.dlq else [],
        "review_seconds": lambda d: _seconds(d, "dlq_review", "max"),
    },
    "log-pipeline": {
        "agent": lambda d: d.logging.agent.type,
        "agent_namespace": agent_namespace,
        "bytes_per_day": _log_bytes_per_day,
        "docker": lambda d: d.output == "compose",
        "hosts": lambda d: loki_targets.hosts(d.loki),
        "lag_seconds": lambda d: _seconds(d, "log_latency", "max"),
        "loki_rules": loki_rules,
        "loki_scraped": lambda d: d.loki.deploy or not d.prometheus.deploy,
        "members": lambda d: sum(part.replicas for part in loki_targets.workloads(d.loki) if part.member),
        "namespace": lambda d: d.namespace,
        "parts": lambda d: loki_targets.workloads(d.loki) if d.loki.deploy else [],
        "pods": lambda d: sum(one.replicas for one in loki_targets.workloads(d.loki)),
        "retention_hours": _retention_hours,
        "search_ratio": lambda d: _bound(d, "log_search", "ratio"),
        "search_seconds": lambda d: _seconds(d, "log_search", "max"),
        "streams_limit": lambda d: d.loki.limits.max_global_streams_per_user,
    },
    "objectives": {
        "alerts_examples": _alerts_examples,
        "alerts_max": lambda d: _bound(d, "alerts", "max"),
        "alerts_window": lambda d: _bound(d, "alerts", "window") or "1d",
        "budgets": availability.budgets,
        "counted": availability.counted,
        "cluster": lambda d: d.cluster,
        "interval": lambda d: f"{seconds(d.prometheus.evaluation_interval):g}",
        "namespace": lambda d: d.namespace,
        "pairs": availability.pairs,
        "typical": availability.typical,
    },
    "redis": {"declared": lambda d: d.dlq is not None, "namespace": lambda d: d.namespace},
    "services": {
        "error_levels": _error_levels,
        "errors": requests.errors,
        "latencies": requests.latencies,
        "namespace": lambda d: d.namespace,
        "scraped": lambda d: sorted(name for name, service in d.services.items() if service.metrics),
        "services": lambda d: sorted(d.services),
    },
}
"""Pack → what its template `packs/NAME.yaml.j2` may see. `None` where the objective is not declared: then no alert guards it."""


def shipped(
    declaration: Declaration,
    template: Callable[[str, Mapping[str, Any]], str],
    layers: Sequence[Mapping[str, Any]],
    taken_loki_rules: int = 0,
) -> dict[str, Any]:
    """What each declared pack's template says of this declaration; `template` renders a pack from its name and context.

    The pack that misses rules of Loki comes last, because it counts those that the other packs are left with once tuned, and those of
    files that are taken over.
    """
    said: dict[str, Any] = {}
    for name in sorted(CONTEXT.keys() & declaration.packs, key=lambda name: "loki_rules" in CONTEXT[name]):
        context = {key: value(declaration) for key, value in CONTEXT[name].items()}
        if "loki_rules" in context:
            context["loki_rules"] += taken_loki_rules + _loki_rules_of(tuned(said, layers), declaration.alerts)
        said[name] = yaml.load(template(name, context), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return {name: said[name] for name in declaration.packs if name in said}


def tuned(packs: Mapping[str, Any], layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The packs with what each layer says of them merged over, the declaration first.

    Layer by layer, because a profile's `null` removes the shipped alert and not only the declaration's tuning of it.
    """
    for layer in layers:
        said = {name: pack for name, pack in (layer.get("packs") or {}).items() if pack}
        packs = {name: _lengthened(pack, merge(pack, _measured(said.get(name, {})))) for name, pack in packs.items()}
    return dict(packs)


def _measured(tuning: Mapping[str, Any]) -> dict[str, Any]:
    """Tuning that takes back what the shipped examples say they reach, where it brings another question or other series."""
    alerts = {}
    for name, alert in (tuning.get("alerts") or {}).items():
        brings = (alert or {}).get("examples") or {}
        numbers = (("reaches", "fires"), ("rests", "silent")) if alert else ()
        stale = {number: None for number, of in numbers if of in brings or "query" in alert}
        alerts[name] = {**alert, "examples": {**stale, **brings}} if stale else alert
    return {**tuning, "alerts": alerts} if alerts else dict(tuning)


def _lengthened(shipped: Mapping[str, Any], tuned: Mapping[str, Any]) -> dict[str, Any]:
    """A pack whose examples last as much longer as its alerts were told to wait: `for` is only the time, and what they show the same."""
    alerts = {}
    for name, alert in (tuned.get("alerts") or {}).items():
        before = (shipped.get("alerts") or {}).get(name) or {}
        same = (alert.get("examples") or {}) == (before.get("examples") or {})
        more = math.ceil((_longest_for(alert) - _longest_for(before)) / 60)
        if before and same and alert.get("examples") and more > 0:
            fires = {series: stretched(values, more) for series, values in alert["examples"]["fires"].items()}
            alert = {**alert, "examples": {**alert["examples"], "fires": fires}}
        alerts[name] = alert
    return {**tuned, "alerts": alerts} if alerts else dict(tuned)


def _longest_for(alert: Mapping[str, Any]) -> float:
    levels = (alert.get("levels") or {}).values()
    return max(seconds(str((level or {}).get("for", "0s"))) for level in (alert, *levels))


def expand(packs: Mapping[str, Any], declared: Container[str]) -> dict[str, Expanded]:
    """The packs, typed; an alert that the declaration defines itself is left out."""
    return {
        name: msgspec.convert({**pack, "alerts": _undeclared(pack.get("alerts") or {}, declared)}, Expanded)
        for name, pack in packs.items()
    }


def _undeclared(alerts: Mapping[str, Any], declared: Container[str]) -> dict[str, Any]:
    return {name: alert for name, alert in alerts.items() if name not in declared}
