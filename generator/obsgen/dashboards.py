"""The dashboards that are rendered: their names and addresses, and which of them an alert belongs to."""

from __future__ import annotations

import re

from . import availability
from .model import Declaration

TITLES = {
    "fleet": "Fleet",
    "service-logs": "Service logs",
    "alerting": "Alerting",
    "dlq": "Dead letters",
    "objectives": "Objectives",
    "log-pipeline": "Log pipeline",
}
"""Dashboard → its title after the declaration's name."""


def rendered(declaration: Declaration) -> list[str]:
    """Names of the dashboards that this declaration gets."""
    left_out = {
        "dlq": declaration.dlq is None,
        "objectives": not declaration.objectives and not availability.counted(declaration),
    }
    return [name for name in TITLES if not left_out.get(name)]


def uid(declaration: Declaration, name: str) -> str:
    """The dashboard's uid, which is also the name of its file and ends its address."""
    return f"{declaration.name}-{name}"


def url(declaration: Declaration, name: str) -> str | None:
    """Where people open it; None where nobody said where Grafana is."""
    grafana = declaration.urls.grafana
    return f"{grafana.rstrip('/')}/d/{uid(declaration, name)}" if grafana else None


def configmap(uid: str) -> str:
    """The ConfigMap that holds a dashboard; Grafana's uids have capitals and `_`, names in Kubernetes don't."""
    return f"dashboard-{re.sub('[^a-z0-9]+', '-', uid.lower()).strip('-')}"


_BOARDS = (
    ("dlq", r"\b(dlq|redis)_|app=\"(redis-exporter|dlq-api)\""),
    ("log-pipeline", r"\b(loki|promtail|loki_\w+)[_:]|\bservice:log_bytes|app=\"(loki|promtail|alloy)\""),
    ("alerting", r"\b(alertmanager|prometheus)_|app=\"(alertmanager|prometheus)\"|^vector\(1\)$|\bALERTS\b"),
    ("objectives", r"\bservice:(requests|request_errors|error_budget)|\balerts:began"),
)


def shows(declaration: Declaration, question: str, engine: str) -> str:
    """The dashboard that shows what an alert asks of `prometheus` or `loki`; the fleet's for what none of the others is about."""
    if engine == "loki":
        return "service-logs"
    found = (name for name, pattern in _BOARDS if re.search(pattern, question))
    return next((name for name in found if name in rendered(declaration)), "fleet")
