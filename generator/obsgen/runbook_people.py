"""Whom the pages name: who is told of what, by type and name of the channel and never a secret."""

from __future__ import annotations

from dataclasses import dataclass

from . import routing
from .model import Alert, Channel, Declaration
from .rules import owners

SHOWN = 20  # names of one list; a fleet may have thousands of services


@dataclass(frozen=True, slots=True)
class Place:
    """A channel as a page may name it: its type, its public name or address if it has one, whose it is."""

    type: str
    address: str | None
    whose: str


@dataclass(frozen=True, slots=True)
class Duty:
    """A severity on the on-call page."""

    name: str
    priority: str
    wait: str
    repeat: str
    told: tuple[tuple[str, tuple[Place, ...]], ...]


def duties(declaration: Declaration) -> tuple[Duty, ...]:
    """Each severity with the teams it tells apart, the default team first."""
    known = places(declaration)
    return tuple(
        Duty(
            route.severity,
            declaration.severities[route.severity].priority,
            route.wait,
            route.repeat,
            tuple(
                (team, known[receiver]) for team, receiver in ((declaration.default_team, route.receiver), *route.teams)
            ),
        )
        for route in routing.routes(declaration)
    )


def strays(declaration: Declaration) -> tuple[tuple[Place, ...], tuple[Place, ...]]:
    """Who sees an alert without a declared severity, and who hears the heartbeat."""
    known = places(declaration)
    return known["unrouted"], known.get("watchdog", ())


def answer(declaration: Declaration) -> str | None:
    """How soon somebody has to answer an alert of the gravest severity, where that is promised."""
    promised = declaration.objectives.get("alert_response")
    return str(promised.max) if promised and promised.max is not None else None


def places(declaration: Declaration) -> dict[str, tuple[Place, ...]]:
    """Receiver → where it tells."""
    teams = [declaration.default_team, *declaration.teams]
    return {
        receiver.name: tuple(_place(declaration, channel, teams) for channel in receiver.channels)
        for receiver in routing.receivers(declaration)
    }


# Keys of a channel that name a place and are no secret; a new type of channel that has none of them is named by its type.
_PUBLIC = ("channel", "to", "address")


def _place(declaration: Declaration, channel: Channel, teams: list[str]) -> Place:
    address = next((channel[key] for key in _PUBLIC if isinstance(channel.get(key), str)), None)
    whose = (
        f"{role} of {team}"
        for team in teams
        for role, bound in declaration.teams[team].channels.items()
        if bound == channel
    )
    return Place(channel["type"], address, next(whose, "dead man's switch"))


def teams(declaration: Declaration, alert: Alert) -> dict[str, tuple[str, ...]]:
    """Teams that an alert can be for, with the values of the owner label that mean them; the default team answers for all others."""
    if alert.service:
        return {declaration.services[alert.service].team: ()}
    if not alert.team_of:
        return {alert.team or declaration.default_team: ()}
    found: dict[str, tuple[str, ...]] = {declaration.default_team: ()}
    for value, (_, team) in sorted(owners(declaration, alert.team_of).items()):
        found[team] = (*found.get(team, ()), value)
    return {team: few(values) for team, values in found.items()}


def few(values: tuple[str, ...]) -> tuple[str, ...]:
    return values if len(values) <= SHOWN else (*values[:SHOWN], f"and {len(values) - SHOWN} more")
