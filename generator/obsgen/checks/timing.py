"""Times that don't fit the rhythm of the server that keeps them: it rounds them up, and says nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..document import Path
from ..model import Alert, seconds
from ..road import Declared
from .finding import Finding
from .loglines import RULER_INTERVAL
from .questions import rendered_alerts
from .routing import routes

ALERTMANAGER_KEEPS = "120h"
"""`--data.retention` of the rendered Alertmanager, its default: for so long it knows what it has sent."""

PEER_TIMEOUT = 15
"""`--cluster.peer-timeout`, Alertmanager's default: so many seconds a replica leaves to each of those before it."""


def short_for(declared: Declared) -> Iterator[Finding]:
    """Rules are evaluated once in an interval: a shorter `for` waits for a whole one, and the alert comes later than it says."""
    d = declared.declaration
    for path, name, alert in rendered_alerts(declared):
        interval = RULER_INTERVAL if alert.logql else seconds(d.prometheus.evaluation_interval)
        for where, key, duration in _durations(alert):
            if 0 < seconds(duration) < interval:
                fact = f"{key} {duration} of {name} is less than the {interval:g}s between two evaluations"
                tuned = path[-1] == name
                remedy = f"write {interval:g}s or more"
                remedy += ", or 0s" if key == "for" else ""
                yield Finding((*path, *where, key) if tuned else path, fact, remedy, key=not tuned)


def _durations(alert: Alert) -> Iterator[tuple[Path, str, str]]:
    """Where below the alert a duration stands, its key, and the duration."""
    held: list[tuple[Path, Any]] = [(("levels", severity), level) for severity, level in alert.levels.items()]
    for where, of in held or [((), alert)]:
        yield where, "for", of.for_
        if of.keep_firing_for:
            yield where, "keep_firing_for", of.keep_firing_for


def uneven_repeat(declared: Declared) -> Iterator[Finding]:
    """Alertmanager looks at a group once in `group_interval`: a repeat that isn't longer comes later than it says."""
    told = set()
    for route in routes(declared):
        name, own = route["receiver"], {key: str(route[key]) for key in ("group_interval", "repeat_interval")}
        severity = _severity(declared, name)
        if name == "watchdog" or (severity, *own.values()) in told:  # Watchdog's is under it on purpose
            continue
        told.add((severity, *own.values()))
        fact, remedy = _uneven(**own)
        if fact:
            path: Path = ("severities", severity, "repeat") if severity else ("alertmanager", "raw")
            yield Finding(path, f"{name} {fact}", remedy, key=not severity)


def hasty_group(declared: Declared) -> Iterator[Finding]:
    """The last Alertmanager waits its turn for longer than `group_interval`: an alert that is over is told to have begun again."""
    d = declared.declaration
    turn = PEER_TIMEOUT * (d.alertmanager.replicas - 1) if d.alertmanager.deploy else 0
    told = set()
    for route in routes(declared):
        name, interval = route["receiver"], str(route["group_interval"])
        if name != "watchdog" and seconds(interval) <= turn and interval not in told:  # a heartbeat has no end
            told.add(interval)
            waits = f"the last of {d.alertmanager.replicas} replicas waits {turn}s for its turn"
            fact = f"{name} looks at a group once in {interval}, and {waits}"
            yield Finding(("alertmanager", "raw"), fact, f"write more than {turn}s", key=True)


def _severity(declared: Declared, receiver: str) -> str | None:
    """The severity whose route leads to a receiver: SEVERITY or SEVERITY-TEAM."""
    d = declared.declaration
    of_teams = {f"{severity}-{team}": severity for severity in d.severities for team in d.teams}
    return receiver if receiver in d.severities else of_teams.get(receiver)


def _uneven(group_interval: str, repeat_interval: str) -> tuple[str, str]:
    group, repeat = seconds(group_interval), seconds(repeat_interval)
    if repeat <= group:
        # 0.33 skips every second one when they are equal
        fact = f"repeats every {repeat_interval}, and a group is looked at once in {group_interval}"
        return fact, f"write more than {group_interval}"
    if repeat > seconds(ALERTMANAGER_KEEPS):
        fact = f"repeats every {repeat_interval}, and Alertmanager knows for {ALERTMANAGER_KEEPS} only what it has sent"
        return fact, f"write {ALERTMANAGER_KEEPS} or less"
    return "", ""
