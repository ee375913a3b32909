"""Names that must exist: a name that leads nowhere is a page that nobody gets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..document import Path, did_you_mean
from ..road import Declared
from ..rules import alerts
from .finding import Finding


def _unknown(path: Path, what: str, name: str, known: Iterable[str], key: bool = False) -> Finding:
    names = sorted(known)
    guess = did_you_mean(name, names)
    remedy = f"did you mean {guess!r}?" if guess else f"there are: {', '.join(names) or 'none'}"
    return Finding(path, f"there is no {what} {name!r}", remedy, key)


def unknown_severity(declared: Declared) -> Iterator[Finding]:
    """An alert of an undeclared severity is routed to `unrouted` and wakes nobody."""
    d = declared.plan.declaration
    for name, alert in d.alerts.items():
        if alert.severity and alert.severity not in d.severities:
            yield _unknown(("alerts", name, "severity"), "severity", alert.severity, d.severities)
        for level in alert.levels:
            if level not in d.severities:
                yield _unknown(("alerts", name, "levels", level), "severity", level, d.severities, key=True)
    for pack, expanded in declared.plan.packs.items():
        for name, alert in expanded.alerts.items():
            for level in [*alert.levels, *([alert.severity] if alert.severity else [])]:
                if level not in d.severities and level != "none":
                    yield _unknown(("packs", pack, "alerts", name), f"severity (alert {name})", level, d.severities)


def unknown_role(declared: Declared) -> Iterator[Finding]:
    """A role that no team binds reaches nobody."""
    d = declared.plan.declaration
    bound = {role for team in d.teams.values() for role in team.channels}
    for severity, level in d.severities.items():
        for place, role in enumerate(level.notify):
            if role not in bound:
                yield _unknown(("severities", severity, "notify", place), "channel for the role", role, bound)
    for place, role in enumerate(d.routing.unrouted):
        if role not in bound:
            yield _unknown(("routing", "unrouted", place), "channel for the role", role, bound)


def unknown_team(declared: Declared) -> Iterator[Finding]:
    """An alert of a team that doesn't exist falls to the default team, who can't help."""
    d = declared.plan.declaration
    for name, service in d.services.items():
        if service.team not in d.teams:
            yield _unknown(("services", name, "team"), "team", service.team, d.teams)
    for name, alert in d.alerts.items():
        if alert.team and alert.team not in d.teams:
            yield _unknown(("alerts", name, "team"), "team", alert.team, d.teams)


def unknown_service(declared: Declared) -> Iterator[Finding]:
    """A queue or an alert of a service that doesn't exist has no owner."""
    d = declared.plan.declaration
    for name, alert in d.alerts.items():
        if alert.service and alert.service not in d.services:
            yield _unknown(("alerts", name, "service"), "service", alert.service, d.services)
    for name, queue in (d.dlq.queues if d.dlq else {}).items():
        if queue.owner not in d.services:
            yield _unknown(("dlq", "queues", name, "owner"), "service", queue.owner, d.services)


def unknown_secret(declared: Declared) -> Iterator[Finding]:
    """A reference to an undeclared secret would become a file that never exists."""
    d = declared.plan.declaration
    for path, name in secret_references(declared.layers.data):
        if name not in d.secrets:
            yield _unknown((*path, "secret"), "secret", name, d.secrets)


def unused_secret(declared: Declared) -> Iterator[Finding]:
    """A secret that nothing refers to is a leftover, or a reference that was forgotten."""
    used = {name for _, name in secret_references(declared.layers.data)}
    for name in declared.plan.declaration.secrets:
        if name not in used:
            yield Finding(("secrets", name), f"nothing uses the secret {name!r}", "refer to it, or remove it", key=True)


def secret_references(data: object, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every `{secret: NAME}` of the data, outside the table of secrets itself."""
    if isinstance(data, dict):
        if set(data) == {"secret"}:
            yield path, data["secret"]
            return
        for key, value in data.items():
            if path or key not in ("secrets", "alerts"):
                yield from secret_references(value, (*path, key))


def team_of(declared: Declared) -> Iterator[Finding]:
    """`team_of` names a label whose values have owners; any other label gives every alert to the default team."""
    from ..rules import owners

    d = declared.plan.declaration
    for name, alert in d.alerts.items():
        if alert.team_of and alert.team_of not in ("app", "service", "queue"):
            fact = f"values of the label {alert.team_of!r} have no owner"
            yield Finding(("alerts", name, "team_of"), fact, "use app, service or queue")
        elif alert.team_of == "queue" and not owners(d, "queue"):
            fact = "no queue is declared, so the label 'queue' has no owner"
            yield Finding(("alerts", name, "team_of"), fact, "declare dlq.queues, or name a team")


def default_team(declared: Declared) -> Iterator[Finding]:
    """Exactly one team answers where nobody else does."""
    teams = declared.plan.declaration.teams
    named = [name for name, team in teams.items() if team.default]
    if not named:
        yield Finding(("teams",), "no team is the default team", "write default: true in one of them", key=True)
    for name in named[1:]:
        fact = f"{name!r} is a second default team, after {named[0]!r}"
        yield Finding(("teams", name, "default"), fact, "keep one")


def duplicate_alert(declared: Declared) -> Iterator[Finding]:
    """Two rules of one name and equal labels are one alert to Alertmanager: the second hides the first."""
    seen: dict[tuple[str, str, str], str] = {}
    own = declared.plan.declaration.alerts
    for key, alert in alerts(declared.plan.declaration, declared.plan.packs):
        whose = alert.service or alert.team or alert.team_of or ""
        for severity in alert.levels or [alert.severity or ""]:
            identity = (alert.name or key, severity, whose)
            first = seen.setdefault(identity, key)
            if first != key and key in own:
                fact = f"the alert {identity[0]!r} of severity {severity!r} is the same alert as {first!r}"
                yield Finding(("alerts", key), fact, "give it another name or severity", key=True)
