"""Alerts that are one to Alertmanager, and tuning that changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from ..document import Path
from ..model import Alert
from ..query import Labels
from ..road import Declared
from .finding import Finding
from .templates import result_labels


def duplicate_alert(declared: Declared) -> Iterator[Finding]:
    """Two rules of one name and equal labels are one alert to Alertmanager: the second hides the first."""
    seen: dict[tuple[str, str, str], tuple[str, Labels | None]] = {}
    for path, key, alert in _all(declared):
        whose = alert.service or alert.team or alert.team_of or ""
        for severity in alert.levels or [alert.severity or ""]:
            identity = (alert.name or key, severity, whose)
            first, labels = seen.setdefault(identity, (key, result_labels(alert)))
            if first != key and _may_be_equal(labels, result_labels(alert)):
                fact = f"{key} and {first} are one alert: {identity[0]} of severity {severity!r}, with the same owner"
                yield Finding(path, fact, "give it another name or severity", key=True)
    for pack, tuning in declared.declaration.packs.items():
        for name in tuning.alerts:
            if name in declared.declaration.alerts:
                fact = f"this tunes nothing: {name} is declared under alerts, and the pack leaves it out"
                yield Finding(("packs", pack, "alerts", name), fact, "change it there", key=True)


def _all(declared: Declared) -> Iterator[tuple[Path, str, Alert]]:
    for name, alert in declared.declaration.alerts.items():
        yield ("alerts", name), name, alert
    for pack, expanded in declared.packs.items():
        for name, alert in expanded.alerts.items():
            yield ("packs", pack, "alerts", name), name, alert


def _may_be_equal(one: Labels | None, other: Labels | None) -> bool:
    """Series with different label names are never the same alert; where the names aren't known they may be."""
    return one is None or other is None or one.open or other.open or one.known == other.known
