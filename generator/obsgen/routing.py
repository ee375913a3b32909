"""Severities, teams and channels → the receivers and routes of Alertmanager."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from . import logql, promql
from .model import Alert, Channel, Declaration, Team, seconds
from .query import QueryError


@dataclass(frozen=True, slots=True)
class Receiver:
    """Everyone who is told at once: one receiver holds all channels, so no route needs `continue`."""

    name: str
    channels: tuple[Channel, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """A severity's receiver, with the teams that are told elsewhere: (team, receiver)."""

    severity: str
    receiver: str
    wait: str
    repeat: str
    teams: tuple[tuple[str, str], ...]


def channels(declaration: Declaration, roles: Iterable[str], team: str) -> tuple[Channel, ...]:
    """Where `team` takes the roles, each once; a role it doesn't bind falls back to the default team's channel."""
    own, fallback = declaration.teams[team].channels, declaration.teams[declaration.default_team].channels
    found: list[Channel] = []
    for role in roles:
        channel = own.get(role) or fallback.get(role)
        if channel is not None and channel not in found:
            found.append(channel)
    return tuple(found)


def routes(declaration: Declaration) -> tuple[Route, ...]:
    """One route per severity, in the order declared."""
    return tuple(
        Route(
            severity=name,
            receiver=name,
            wait=level.wait,
            repeat=level.repeat,
            teams=tuple((team, f"{name}-{team}") for team, _ in _apart(declaration, level.notify)),
        )
        for name, level in declaration.severities.items()
    )


def receivers(declaration: Declaration) -> tuple[Receiver, ...]:
    """SEVERITY for the default team, SEVERITY-TEAM where a team binds a role of it, `unrouted`, and `watchdog` if declared."""
    found: list[Receiver] = []
    for name, level in declaration.severities.items():
        found.append(Receiver(name, channels(declaration, level.notify, declaration.default_team)))
        for team, _ in _apart(declaration, level.notify):
            found.append(Receiver(f"{name}-{team}", channels(declaration, level.notify, team)))
    found.append(Receiver("unrouted", channels(declaration, declaration.routing.unrouted, declaration.default_team)))
    if declaration.routing.watchdog:
        # the end of a heartbeat is no beat
        found.append(Receiver("watchdog", ({**declaration.routing.watchdog, "send_resolved": False},)))
    return tuple(found)


def heartbeat(declaration: Declaration) -> tuple[str, str]:
    """The watchdog's `group_interval` and `repeat_interval`: one beat at each look at the group.

    The second is shorter by a sixth: where they are equal, Alertmanager 0.33 skips every second beat.
    """
    interval = declaration.routing.heartbeat
    repeat = int(seconds(interval) * 1000 * 5 / 6)
    return interval, f"{repeat // 1000}s" if repeat % 1000 == 0 else f"{repeat}ms"


def _apart(declaration: Declaration, roles: tuple[str, ...]) -> Iterator[tuple[str, Team]]:
    for name, team in declaration.teams.items():
        if not team.default and any(role in team.channels for role in roles):
            yield name, team


def inhibited_by(declaration: Declaration, alerts: Iterable[Alert]) -> tuple[list[tuple[str, list[str]]], list[str]]:
    """Which severities a graver one silences, and the labels that must be equal for it.

    Only the same alert of the same thing is silenced: `equal` holds alertname, which every alert carries (two alerts that both lack a
    label count as equal in Alertmanager), and every label that a result of an alert with several levels can carry.
    """
    severities = list(declaration.severities)
    graver = [(name, severities[place + 1 :]) for place, name in enumerate(severities[:-1])]
    carried = {label for alert in alerts if len(alert.levels) > 1 for label in _carried(alert)}
    return graver, ["alertname", "cluster", "namespace", "service", "team", *sorted(carried)]


def _carried(alert: Alert) -> Iterable[str]:
    try:
        labels = logql.parse(alert.logql).labels if alert.logql else promql.survivors(promql.parse(alert.query or ""))
    except QueryError:  # reported by the checks query/promql and query/logql
        return ()
    return labels.known - {"cluster", "namespace", "service", "team"}
