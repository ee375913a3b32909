"""What services promise of their requests, as budgets of errors and the windows in which using them up is worth a page."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from . import requests
from .model import Declaration, ServiceObjective, seconds

PAIRS = {"fast": ("1h", "5m", "0.02"), "steady": ("6h", "30m", "0.05"), "slow": ("3d", "6h", "0.1")}
"""Long window, short window, and the share of the budget that may be used up within the long one: The Site Reliability Workbook,
chapter 5, table 5-8. The short window ends the alert soon after the errors do."""


def _promised(declaration: Declaration) -> Iterator[tuple[str, ServiceObjective]]:
    """Services with an objective that can be measured: they say which of their requests fail."""
    for name, service in sorted(declaration.services.items()):
        metrics = service.metrics
        if "availability" in service.objectives and metrics and metrics.requests and metrics.requests.errors:
            yield name, service.objectives["availability"]


def _budget(objective: ServiceObjective) -> Decimal:
    """The share that may fail, as it is read: of 0.999 exactly 0.001."""
    return 1 - Decimal(repr(objective.ratio))


def counted(declaration: Declaration) -> list[dict[str, Any]]:
    """The rows of `requests.errors`, of services with an objective only."""
    promised = {name for name, _ in _promised(declaration)}
    rows = [row | {"apps": [app for app in row["apps"] if app in promised]} for row in requests.errors(declaration)]
    return [row for row in rows if row["apps"]]


def budgets(declaration: Declaration) -> list[dict[str, Any]]:
    """Equal promises together: `budget`, as text, `min_events` and the `apps`."""
    found: dict[tuple[str, int], list[str]] = {}
    for name, objective in _promised(declaration):
        found.setdefault((f"{_budget(objective):f}", objective.min_events), []).append(name)
    return [{"budget": budget, "min_events": least, "apps": apps} for (budget, least), apps in sorted(found.items())]


def windows(declaration: Declaration) -> list[dict[str, Any]]:
    """Equal promises over equal windows together: `budget`, as text, `window` and the `apps`."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, objective in _promised(declaration):
        found.setdefault((f"{_budget(objective):f}", objective.window), []).append(name)
    return [{"budget": budget, "window": window, "apps": apps} for (budget, window), apps in sorted(found.items())]


def pairs(declaration: Declaration) -> dict[str, list[dict[str, Any]]]:
    """Pair → the objectives' windows it makes sense for, as `seconds`, and the `apps`.

    Left out where the threshold is a slower use than the budget allows for ever, or a faster one than with every request failing.
    """
    return {pair: _windows(declaration, seconds(long), Decimal(share)) for pair, (long, _, share) in PAIRS.items()}


def typical(declaration: Declaration) -> dict[str, list[dict[str, str]]]:
    """Pair → the first service that it is asked of and that has an example: `total`, `app`, `failed` and `passed`; none or one."""
    found: dict[str, list[dict[str, str]]] = {}
    for pair, windows in pairs(declaration).items():
        asked = {app for row in windows for app in row["apps"]}
        found[pair] = [
            {"total": row["total"], "app": app, **row["example"]}
            for row in counted(declaration)
            for app in row["apps"]
            if row["example"] and app in asked
        ][:1]
    return found


def _windows(declaration: Declaration, long: float, share: Decimal) -> list[dict[str, Any]]:
    found: dict[int, list[str]] = {}
    for name, objective in _promised(declaration):
        burn = share * int(seconds(objective.window)) / int(long)
        if burn >= 1 and burn * _budget(objective) < 1:
            found.setdefault(int(seconds(objective.window)), []).append(name)
    return [{"seconds": window, "apps": apps} for window, apps in sorted(found.items())]
