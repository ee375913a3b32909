"""The routes and inhibitions as Alertmanager reads them, with what a raw patch makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .. import matching
from ..road import Declared
from .finding import Finding
from .questions import rendered_alerts
from .routing import alertmanager_config, routes

OURS = frozenset({"alertname", "severity", "service", "team", "cluster", "namespace"})
"""Labels that every alert of ours carries (`rules.labels`); of somebody else's rules only the alertname is known."""


def unreachable(declared: Declared) -> Iterator[Finding]:
    """A route behind one that takes all of its alerts, or a receiver without a route, tells nobody."""
    config = alertmanager_config(declared)
    if not config:
        return
    raw = ("alertmanager", "raw")
    try:
        for name, why in matching.unreachable(config["route"]):
            yield Finding(raw, f"no alert comes to {name}: {why}", "correct its place, or its matchers", key=True)
    except (ValueError, TypeError, KeyError, AttributeError):
        return  # what can't be followed, the check route/test says
    used = {route["receiver"] for route in routes(declared)}
    for receiver in config.get("receivers") or ():
        if receiver["name"] not in used:
            fact = f"no route leads to the receiver {receiver['name']}"
            yield Finding(raw, fact, "add a route, or take the receiver out", key=True)


def idle_team(declared: Declared) -> Iterator[Finding]:
    """A team's own channel is told only of alerts of that team: where it owns nothing, the channel is never used."""
    d = declared.declaration
    owners = {service.team for service in d.services.values()}
    owners |= {test.alert["team"] for test in d.tests if "team" in test.alert}
    owners |= {asked.alert.team for asked in rendered_alerts(declared) if asked.alert.team}
    for name, team in d.teams.items():
        if team.channels and not team.default and name not in owners and not d.rule_files:
            fact = f"no alert is one of {name!r}: it owns no service and no alert, so its channels are never used"
            yield Finding(("teams", name), fact, "give it a service, or add a test with its label team", key=True)


def loose_inhibition(declared: Declared) -> Iterator[Finding]:
    """Two alerts that both lack a label count as equal in it: an alert silences others that it has nothing to do with."""
    config = alertmanager_config(declared)
    always = OURS if not declared.declaration.rule_files else frozenset({"alertname"})
    for rule in (config or {}).get("inhibit_rules") or ():
        equal = frozenset(map(str, rule.get("equal") or ()))
        absent = sorted(equal - always)
        if not equal:
            fact = f"any alert of {_those(rule, 'source')} silences all of {_those(rule, 'target')}: equal is empty"
        elif absent and "alertname" not in equal:
            fact = f"alerts without {' and '.join(map(repr, absent))} count as equal in it, so they silence each other"
        else:
            continue
        yield Finding(("alertmanager", "raw"), fact, "add alertname to equal, which every alert has", key=True)


def _those(rule: dict[str, Any], side: str) -> str:
    old = [
        f'{name}="{value}"'
        for key in ("match", "match_re")
        for name, value in (rule.get(f"{side}_{key}") or {}).items()
    ]
    return "{" + ", ".join([*old, *map(str, rule.get(f"{side}_matchers") or ())]) + "}"
