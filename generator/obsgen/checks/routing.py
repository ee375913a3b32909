"""Who is told: nobody by mistake, and everybody who should be."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any

import yaml

from .. import matching, render, routing
from ..artifacts import artifacts
from ..judging.texts import configs
from ..model import Channel, RouteTest
from ..road import Declared
from .finding import Finding

RESERVED = frozenset({"unrouted", "watchdog"})
"""Receivers that exist beside those of the severities."""


def reserved_severity(declared: Declared) -> Iterator[Finding]:
    """Alertmanager refuses two receivers of one name, and with them the whole configuration."""
    for name in declared.declaration.severities:
        if name in RESERVED:
            fact = f"{name!r} is the name of a receiver of its own"
            yield Finding(("severities", name), fact, "give the severity another name", key=True)


def silent_severity(declared: Declared) -> Iterator[Finding]:
    """A severity without a single channel fires into the void."""
    d = declared.declaration
    for receiver in routing.receivers(d):
        if not receiver.channels:
            if receiver.name == "unrouted":
                yield Finding(("routing", "unrouted"), "an alert that no route takes would reach nobody", "name a role")
            elif receiver.name in d.severities:
                fact = f"the severity {receiver.name!r} reaches nobody"
                yield Finding(("severities", receiver.name), fact, "bind one of its roles to a channel", key=True)


def unused_channel(declared: Declared) -> Iterator[Finding]:
    """A channel that nobody is told through never receives an alert."""
    d = declared.declaration
    asked = {role for level in d.severities.values() for role in level.notify}
    for team, bound in d.teams.items():
        for role in bound.channels:
            if role not in asked | (set(d.routing.unrouted) if bound.default else set()):
                fact = f"nobody is told through {role!r}: no severity asks for it"
                yield Finding(("teams", team, "channels", role), fact, "add it to a severity's notify", key=True)


def watchdog(declared: Declared) -> Iterator[Finding]:
    """A heartbeat that nobody listens to, or a listener that never hears one: a dead pipeline goes unnoticed."""
    d = declared.declaration
    packed = {alert.name or name for expanded in declared.packs.values() for name, alert in expanded.alerts.items()}
    beats = "Watchdog" in packed | {alert.name or name for name, alert in d.alerts.items()}
    if beats and d.routing.watchdog is None and d.alertmanager.deploy:
        path = ("alerts", "Watchdog") if "Watchdog" in d.alerts else ("packs", "watchdog")
        yield Finding(path, "this sends a heartbeat, and no channel hears it", "add routing.watchdog", key=True)
    if d.routing.watchdog is not None and not beats:
        fact = "this channel waits for a heartbeat that nothing sends"
        yield Finding(("routing", "watchdog"), fact, "add watchdog: {} to packs", key=True)


def declared_tests(declared: Declared) -> Iterator[Finding]:
    """An alert that reaches others than its test says wakes the wrong person, or nobody."""
    config = alertmanager_config(declared) if declared.declaration.tests else None
    for place, test in enumerate(declared.declaration.tests if config else ()):
        try:
            reached = matching.receivers((config or {})["route"], test.alert)
        except (ValueError, TypeError, KeyError, AttributeError):
            fact = "the routes that this patch makes can't be followed here, so no test was asked"
            yield Finding(("alertmanager", "raw"), fact, "leave route as it is, or silence this and verify", key=True)
            return
        yield from _compared(declared, place, test, reached)


def _compared(declared: Declared, place: int, test: RouteTest, reached: list[str]) -> Iterator[Finding]:
    d = declared.declaration
    team = test.alert.get("team", d.default_team)
    by_name = {receiver.name: receiver.channels for receiver in routing.receivers(d)}
    wanted = [channel for one in test.notifies for channel in _meant(declared, one, team)]
    told = [channel for name in reached for channel in by_name.get(name, ())]
    unknown = [name for name in reached if name not in by_name]
    if unknown or not _same(wanted, told):
        through = ", ".join([*_roles(declared, team, told), *unknown]) or "nothing"
        fact = f"this alert reaches {', '.join(reached)}, and is told through: {through}"
        yield Finding(("tests", place, "notifies"), fact, "correct the test, or the severity's notify")


def _meant(declared: Declared, told: str, team: str) -> Sequence[Channel]:
    """The channels of `ROLE`, as the alert's team takes it, or of `TEAM/ROLE`."""
    owner, _, role = told.rpartition("/")
    d = declared.declaration
    return [d.teams[owner].channels[role]] if owner else routing.channels(d, [role], team)


def _same(some: Any, others: Any) -> bool:
    return all(one in others for one in some) and all(one in some for one in others)


def _roles(declared: Declared, team: str, told: list[Channel]) -> list[str]:
    """The channels told, each as TEAM/ROLE."""
    d = declared.declaration
    found = (
        f"{owner}/{role}"
        for owner in dict.fromkeys((team, d.default_team))
        for role, channel in d.teams[owner].channels.items()
        if channel in told
    )
    return sorted(found)


@functools.lru_cache(maxsize=1)  # several checks of one declaration ask
def alertmanager_config(declared: Declared) -> dict[str, Any] | None:
    """The rendered configuration as Alertmanager would read it; None where it isn't rendered."""
    for artifact in artifacts(declared.plan):
        if PurePath(artifact.path).name == "alertmanager.yaml":
            text = render.rendered(artifact, {})
            (config,) = configs({artifact.path: text}, "alertmanager.yaml")
            return dict(yaml.load(config.text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    return None


def routes(declared: Declared) -> list[dict[str, Any]]:
    """Every rendered route with what it inherits, and Alertmanager's defaults; none where a patch makes what can't be followed."""
    config = alertmanager_config(declared)
    try:
        return [_DEFAULTS | route for route in matching.tree(config["route"])] if config else []
    except (TypeError, KeyError, AttributeError):
        return []


# config.DefaultRouteOpts, 0.34
_DEFAULTS = {"group_wait": "30s", "group_interval": "5m", "repeat_interval": "4h"}
