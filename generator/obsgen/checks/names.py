"""Names that must exist: a name that leads nowhere is a page that nobody gets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .. import promql
from ..document import Path, did_you_mean
from ..query import QueryError
from ..road import Declared
from .finding import Finding
from .questions import alerts, at, promql_trees


def unknown(path: Path, what: str, name: str, known: Iterable[str], key: bool = False, **where: Any) -> Finding:
    """A name that isn't known, with the one that was probably meant."""
    names = sorted(known)
    guess = did_you_mean(name, names)
    remedy = f"did you mean {guess!r}?" if guess else f"there are: {', '.join(names) or 'none'}"
    return Finding(path, f"there is no {what} {name!r}", remedy, key, **where)


def unknown_severity(declared: Declared) -> Iterator[Finding]:
    """An alert of an undeclared severity is routed to `unrouted` and wakes nobody."""
    d = declared.declaration
    seen = set()
    for path, name, alert in alerts(declared):
        seen.add((path[0], name))
        if alert.severity and alert.severity not in d.severities and not _heartbeat(alert.severity):
            yield unknown((*path, "severity"), "severity", alert.severity, d.severities)
        for level in alert.levels:
            if level not in d.severities:
                yield unknown((*path, "levels", level), "severity", level, d.severities, key=True)
    for pack, expanded in declared.packs.items():
        untouched = {name: alert for name, alert in expanded.alerts.items() if ("packs", name) not in seen}
        needed = {level for alert in untouched.values() for level in (*alert.levels, alert.severity or "none")}
        for level in sorted(needed - set(d.severities)):
            if not _heartbeat(level):
                fact = f"alerts of the pack {pack!r} have the severity {level!r}, which is not declared"
                yield Finding(("packs", pack), fact, "declare it under severities", key=True)


def _heartbeat(severity: str) -> bool:
    """`none` is the severity of Watchdog, which is routed by its name."""
    return severity == "none"


def unknown_role(declared: Declared) -> Iterator[Finding]:
    """A role that no team binds reaches nobody."""
    d = declared.declaration
    bound = {role for team in d.teams.values() for role in team.channels}
    default = {role for team in d.teams.values() if team.default for role in team.channels}
    for severity, level in d.severities.items():
        for place, role in enumerate(level.notify):
            if role not in bound:
                yield unknown(("severities", severity, "notify", place), "channel for the role", role, bound)
    for place, role in enumerate(d.routing.unrouted):
        if role not in default:
            yield unknown(("routing", "unrouted", place), "channel of the default team for the role", role, default)
    for number, test in enumerate(d.tests):
        team = d.teams.get(test.alert.get("team", ""))
        known = default | set(team.channels if team else ())
        owned = {f"{name}/{role}" for name, bound in d.teams.items() for role in bound.channels}
        for place, told in enumerate(test.notifies):
            if told not in known | owned:
                what = "channel" if "/" in told else "channel for the role"
                yield unknown(("tests", number, "notifies", place), what, told, owned if "/" in told else known)


def unknown_team(declared: Declared) -> Iterator[Finding]:
    """An alert of a team that doesn't exist falls to the default team, who can't help."""
    d = declared.declaration
    asked: dict[Path, str | None] = {("services", name, "team"): s.team for name, s in d.services.items()}
    asked |= {(*path, "team"): alert.team for path, _, alert in alerts(declared)}
    asked |= {("tests", place, "alert", "team"): test.alert.get("team") for place, test in enumerate(d.tests)}
    for where, team in asked.items():
        if team and team not in d.teams:
            yield unknown(where, "team", team, d.teams)


def unknown_service(declared: Declared) -> Iterator[Finding]:
    """A queue or an alert of a service that doesn't exist has no owner."""
    d = declared.declaration
    for path, _, alert in alerts(declared):
        if alert.service and alert.service not in d.services:
            yield unknown((*path, "service"), "service", alert.service, d.services)
    for name, queue in (d.dlq.queues if d.dlq else {}).items():
        if queue.owner not in d.services:
            yield unknown(("dlq", "queues", name, "owner"), "service", queue.owner, d.services)


def unknown_objective(declared: Declared) -> Iterator[Finding]:
    """An alert that guards a promise nobody made: reports of the objective leave it out."""
    for path, _, alert in alerts(declared):
        if alert.objective and alert.objective not in declared.declaration.objectives:
            yield unknown((*path, "objective"), "objective", alert.objective, declared.declaration.objectives)


def unknown_queue(declared: Declared) -> Iterator[Finding]:
    """Dead letters are counted for declared queues only: a selector by another one finds nothing, for ever."""
    d = declared.declaration
    queues = set(d.dlq.queues) if d.dlq else set()
    for _, path, text, tree in promql_trees(declared):
        for queue in _queues(tree) - queues:
            yield unknown(path, "queue", queue, queues, span=at(text, queue))
    for path, _, alert in alerts(declared):
        for part, series in (
            (("fires", alert.examples.fires), ("silent", alert.examples.silent)) if alert.examples else ()
        ):
            for selector in series:
                for queue in _queues_of_series(selector) - queues:
                    yield unknown((*path, "examples", part, selector), "queue", queue, queues, key=True)
    for place, test in enumerate(d.tests if d.dlq else ()):
        if "queue" in test.alert and test.alert["queue"] not in queues:
            yield unknown(("tests", place, "alert", "queue"), "queue", test.alert["queue"], queues)


def _queues(tree: promql.Expr) -> set[str]:
    of_dlq = [m for m in promql.matchers(tree) if m.metric.startswith("dlq_") and m.name == "queue"]
    return {matcher.value for matcher in of_dlq if matcher.op == "=" and matcher.value}


def _queues_of_series(selector: str) -> set[str]:
    try:
        return _queues(promql.parse(selector))
    except QueryError:
        return set()


def team_of(declared: Declared) -> Iterator[Finding]:
    """`team_of` names a label whose values have owners; any other label gives every alert to the default team."""
    d = declared.declaration
    for path, _, alert in alerts(declared):
        if alert.team_of and alert.team_of not in ("app", "service", "queue"):
            fact = f"values of the label {alert.team_of!r} have no owner"
            yield Finding((*path, "team_of"), fact, "use app, service or queue")
        elif alert.team_of == "queue" and not (d.dlq and d.dlq.queues):
            fact = "no queue is declared, so the label 'queue' has no owner"
            yield Finding((*path, "team_of"), fact, "declare dlq.queues, or name a team")


def default_team(declared: Declared) -> Iterator[Finding]:
    """Exactly one team answers where nobody else does."""
    teams = declared.declaration.teams
    named = [name for name, team in teams.items() if team.default]
    if not named:
        yield Finding(("teams",), "no team is the default team", "write default: true in one of them", key=True)
    for name in named[1:]:
        fact = f"{name!r} is a second default team, after {named[0]!r}"
        yield Finding(("teams", name, "default"), fact, "keep one")
