"""Who is told: nobody by mistake, and everybody who should be."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from .. import matching, render, routing
from ..artifacts import artifacts
from ..road import Declared
from .finding import Finding


def silent_severity(declared: Declared) -> Iterator[Finding]:
    """A severity without a single channel fires into the void."""
    d = declared.plan.declaration
    for receiver in routing.receivers(d):
        if not receiver.channels:
            if receiver.name == "unrouted":
                yield Finding(("routing", "unrouted"), "an alert that no route takes would reach nobody", "name a role")
            elif receiver.name in d.severities:
                fact = f"the severity {receiver.name!r} reaches nobody"
                yield Finding(("severities", receiver.name), fact, "bind one of its roles to a channel", key=True)


def unused_channel(declared: Declared) -> Iterator[Finding]:
    """A channel that nobody is told through never receives an alert."""
    d = declared.plan.declaration
    asked = {role for level in d.severities.values() for role in level.notify}
    for team, bound in d.teams.items():
        for role in bound.channels:
            if role not in asked | (set(d.routing.unrouted) if bound.default else set()):
                fact = f"nobody is told through {role!r}: no severity asks for it"
                yield Finding(("teams", team, "channels", role), fact, "add it to a severity's notify", key=True)


def watchdog(declared: Declared) -> Iterator[Finding]:
    """A heartbeat that nobody listens to, or a listener that never hears one: a dead pipeline goes unnoticed."""
    d = declared.plan.declaration
    if "watchdog" in d.packs and d.routing.watchdog is None and d.alertmanager.deploy:
        fact = "the pack watchdog sends a heartbeat, and no channel hears it"
        yield Finding(("packs", "watchdog"), fact, "add routing.watchdog", key=True)
    if d.routing.watchdog is not None and "watchdog" not in d.packs and "Watchdog" not in d.alerts:
        fact = "this channel waits for a heartbeat that nothing sends"
        yield Finding(("routing", "watchdog"), fact, "add watchdog: {} to packs", key=True)


def declared_tests(declared: Declared) -> Iterator[Finding]:
    """The declared `tests`, by the rules of the rendered Alertmanager configuration."""
    d = declared.plan.declaration
    config = alertmanager_config(declared)
    if config is None:
        return
    receivers = {receiver.name: receiver for receiver in routing.receivers(d)}
    for place, test in enumerate(d.tests):
        team = test.alert.get("team", d.default_team)
        known = team if team in d.teams else d.default_team
        wanted = set(map(str, map(dict, routing.channels(d, test.notifies, known))))
        reached = matching.receivers(config["route"], test.alert)
        told = {str(dict(channel)) for name in reached for channel in receivers[name].channels}
        if wanted != told:
            fact = f"the alert reaches the receiver {', '.join(reached)}, which is not what notifies says"
            yield Finding(("tests", place, "notifies"), fact, _difference(declared, known, reached))


def _difference(declared: Declared, team: str, reached: list[str]) -> str:
    d = declared.plan.declaration
    by_name = {receiver.name: receiver for receiver in routing.receivers(d)}
    told = [dict(channel) for name in reached for channel in by_name[name].channels]
    roles = sorted(
        role
        for role in {*d.teams[team].channels, *d.teams[d.default_team].channels}
        if any(dict(channel) in told for channel in routing.channels(d, [role], team))
    )
    return f"it is told through: {', '.join(roles) or 'nothing'}"


def alertmanager_config(declared: Declared) -> dict[str, object] | None:
    """The rendered configuration as Alertmanager would read it; None where it isn't rendered."""
    for artifact in artifacts(declared.plan):
        if artifact.path == "monitoring/alertmanager.yaml":
            text = render.text(artifact.row.template, artifact.context({}))
            manifest = next(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
            return dict(yaml.safe_load(manifest["data"]["alertmanager.yaml"]))
    return None
