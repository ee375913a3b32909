"""What the templates of dashboards may see of a plan."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from . import agent, dashboards, requests, runbooks, scrape
from .model import Declaration, Field, seconds, size
from .plan import Plan
from .rules import alerts


@dataclass(frozen=True, slots=True)
class LogField:
    """A field of the log standard as a query reaches it.

    `stage` brings it out of the line (`|= "took" | json took="context.took"`: only lines that name it are parsed); "" where it stands
    beside the line, as label or metadata.
    """

    name: str
    stage: str
    unit: str | None


def log_field(name: str, field: Field) -> LogField:
    """How queries reach a field."""
    steps = field.path or (name,)
    path = "".join(map(_step, steps)).lstrip(".")
    stage = f"|= {json.dumps(steps[-1])} | json {name}={json.dumps(path)}"
    return LogField(name, stage if field.store == "line" else "", field.unit)


def _step(key: str) -> str:
    return f".{key}" if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key) else f"[{json.dumps(key)}]"


def log_fields(declaration: Declaration) -> dict[str, LogField | None]:
    """What panels about logs look for, None where no such field is declared: a duration, the kind of an error, a dead letter, …"""
    fields = declaration.logging.fields
    timed = [name for name, field in fields.items() if field.type == "number" and field.unit in ("ms", "s")]
    roles = {
        "user_id": ["user_id"],
        "trace_id": ["trace_id"],
        "state": ["state"],
        "duration": timed,
        "kind": ["error_type", "error_code"],
        "letter": ["dlq_message_id"],
    }
    named = {role: next((name for name in names if name in fields), None) for role, names in roles.items()}
    return {role: log_field(name, fields[name]) if name else None for role, name in named.items()}


def error_levels(declaration: Declaration) -> str:
    """Declared levels that mean an error, as a regular expression; "" where the levels have none."""
    grave = ("ERROR", "CRITICAL", "FATAL", "PANIC")
    return "|".join(level for level in declaration.logging.levels if level.upper() in grave)


def promised(declaration: Declaration, objective: str, bound: str = "max") -> float | None:
    """A number of an objective, in seconds, bytes or as it is; None where it isn't declared."""
    value = getattr(declaration.objectives.get(objective), bound, None)
    if not isinstance(value, str):
        return value
    return size(value) if value.endswith("B") else seconds(value)


def promises(declaration: Declaration) -> dict[str, str]:
    """Objective → its numbers in words."""
    return {name: runbooks.promise(objective) for name, objective in declaration.objectives.items()}


def guards(plan: Plan) -> dict[str, list[str]]:
    """Objective → the alerts that watch it."""
    found: dict[str, set[str]] = {name: set() for name in plan.declaration.objectives}
    for key, alert in alerts(plan.declaration, plan.packs):
        if alert.objective in found:
            found[alert.objective].add(alert.name or key)
    return {name: sorted(names) for name, names in found.items()}


def alerts_window(declaration: Declaration) -> str:
    """The time over which alerts are counted."""
    objective = declaration.objectives.get("alerts")
    return (objective.window if objective else None) or "1d"


def bytes_per_day(declaration: Declaration) -> float | None:
    """What a service may log in a day."""
    most, volume = promised(declaration, "log_volume"), declaration.objectives.get("log_volume")
    return most * 86_400 / seconds(volume.window or "1d") if most is not None and volume else None


Value = Callable[[Plan], Any]

COMMON: Mapping[str, Value] = {
    "name": lambda p: p.declaration.name,
    "runbooks": lambda p: (p.declaration.urls.runbooks or "").rstrip("/"),
    "services": lambda p: sorted(p.declaration.services),
    "severities": lambda p: list(p.declaration.severities),
    "uids": lambda p: {name: dashboards.uid(p.declaration, name) for name in dashboards.rendered(p.declaration)},
    "where": lambda p: f'cluster="{p.declaration.cluster}", namespace="{p.declaration.namespace}"',
}
"""What every dashboard's template sees; `where` are the matchers of our own streams and alerts."""


def records(plan: Plan) -> frozenset[str]:
    """Names of the recorded series: a panel reads them only where their pack is switched on."""
    return frozenset(name for pack in plan.packs.values() for name in pack.records)


def requested(plan: Plan) -> dict[str, Any]:
    """What services say of their own requests: `totals`, `errors` and `latencies`, by the names of their metrics."""
    d = plan.declaration
    return {"totals": requests.totals(d), "errors": requests.errors(d), "latencies": requests.latencies(d)}


def shipped_by(plan: Plan) -> str:
    """The log agent."""
    return plan.declaration.logging.agent.type


def scraped(plan: Plan) -> list[str]:
    """Services that export metrics."""
    return sorted(name for name, service in plan.declaration.services.items() if service.metrics)


def seen(plan: Plan, app: str) -> bool:
    """Can Prometheus have series of a server of this name? Not of one that is not ours, where Prometheus is; another one may."""
    d = plan.declaration
    return not d.prometheus.deploy or any(target.app == app for target in scrape.targets(d))


def levels(plan: Plan) -> list[str]:
    """Every value of the label `level`."""
    return [*plan.declaration.logging.levels, agent.UNKNOWN]


_COLORS = {
    **dict.fromkeys(("FATAL", "CRITICAL", "PANIC"), "dark-red"),
    **dict.fromkeys(("WARN", "WARNING"), "yellow"),
    "ERROR": "red",
    "INFO": "green",
    "DEBUG": "blue",
    "TRACE": "purple",
    agent.UNKNOWN: "text",
}


def level_colors(plan: Plan) -> list[tuple[str, str]]:
    """The colour of each level whose word is a usual one; Grafana chooses the others."""
    return [(level, _COLORS[level.upper()]) for level in levels(plan) if level.upper() in _COLORS]
