"""Plan → what the page of each alert says: who is told, what to look at, what to type. Channels by type and name, never a secret."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from . import agent, dashboards, routing, scrape
from .model import Alert, Level, Objective
from .rules import Group, Rule, alerts, labels, owners, shown_on
from .runbook_commands import commands, explore, silence
from .runbook_people import SHOWN, Place, answer, places, teams

if TYPE_CHECKING:
    from .plan import Plan

SECTIONS = ("meaning", "impact", "diagnosis", "mitigation")


@dataclass(frozen=True, slots=True)
class Told:
    """Whom a level tells for one team, and who is next when nobody answers.

    `values` are those of the owner label that mean this team; `beyond` names the next severity or team, "" where none is declared.
    """

    team: str
    values: tuple[str, ...]
    receiver: str
    places: tuple[Place, ...]
    beyond: str
    next: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One level of an alert: the rule exactly as rendered, and what comes of it."""

    severity: str
    priority: str | None
    repeat: str | None
    limit: str | None
    expr: str
    for_: str
    keep_firing_for: str | None
    answer: str | None
    told: tuple[Told, ...]
    silences: tuple[str, ...]
    silenced_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Book:
    """One alert. `sections` are (name, text); text None is a section that nobody has written. `logs`: "" where Loki has none of them."""

    key: str
    title: str
    group: str
    engine: str
    summary: str
    description: str
    owner_label: str | None
    service: str | None
    objective: tuple[str, str] | None
    sections: tuple[tuple[str, str | None], ...]
    records: tuple[tuple[str, str], ...]
    steps: tuple[Step, ...]
    links: tuple[tuple[str, str], ...]
    commands: str
    logs: str


@dataclass(frozen=True, slots=True)
class Page:
    """Everything of one alertname: alerts of several teams may share it. `equal` are the labels within which a graver level silences."""

    name: str
    books: tuple[Book, ...]
    equal: tuple[str, ...]
    silence: str
    silence_url: str | None
    heartbeat: bool
    patched: bool


def pages(plan: Plan) -> tuple[Page, ...]:
    """One page for each alertname that is rendered, sorted by name."""
    asked: dict[str, list[tuple[str, Alert]]] = {}
    for key, alert in alerts(plan.declaration, plan.packs):
        asked.setdefault(alert.name or key, []).append((key, alert))
    writer = _Writer(plan)
    return tuple(writer.page(name, of) for name, of in sorted(asked.items()))


def promise(objective: Objective) -> str:
    """An objective's numbers in words: `at most 2s, for 90 % of them`."""
    said = [f"at most {objective.max}" if objective.max is not None else ""]
    said.append(f"at least {objective.min}" if objective.min is not None else "")
    if objective.ratio is not None:
        share = f"{objective.ratio * 100:g} %"
        said.append(f"for {share} of them" if any(said) else f"at most {share}")
    said.append(f"per {objective.per}" if objective.per else "")
    said.append(f"within {objective.window}" if objective.window else "")
    return ", ".join(filter(None, said))


def unguarded(plan: Plan) -> tuple[tuple[str, str], ...]:
    """Objectives that no alert names, with their numbers: promised, and nobody is told when they are missed."""
    guarded = {alert.objective for _, alert in alerts(plan.declaration, plan.packs)}
    objectives = plan.declaration.objectives
    return tuple((name, promise(objectives[name])) for name in sorted(set(objectives) - guarded))


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the index: an alert in one of its groups."""

    group: str
    name: str
    severities: tuple[str, ...]
    teams: tuple[str, ...]
    summary: str


def index(plan: Plan) -> tuple[Entry, ...]:
    """The alerts by group and name."""
    found = [
        Entry(
            alert.group,
            alert.name or key,
            tuple(severity for severity, _ in _levels(alert)),
            tuple(teams(plan.declaration, alert)),
            alert.summary,
        )
        for key, alert in alerts(plan.declaration, plan.packs)
    ]
    return tuple(sorted(found, key=lambda entry: (entry.group, entry.name)))


def by_severity(plan: Plan) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Names of the alerts of each severity, the gravest first, those of no declared severity last."""
    found: dict[str, set[str]] = {severity: set() for severity in plan.declaration.severities}
    for entry in index(plan):
        for severity in entry.severities:
            found.setdefault(severity, set()).add(entry.name)
    return tuple((severity, tuple(sorted(names))) for severity, names in found.items() if names)


class _Writer:
    """What all pages of a plan share, worked out once."""

    def __init__(self, plan: Plan) -> None:
        self.d = plan.declaration
        self.records = {rule.name: rule.expr for group in plan.groups for rule in group.rules if rule.kind == "record"}
        self.rules = {_identity(group, rule): rule for group in plan.groups for rule in group.rules}
        self.places = places(self.d)
        self.routes = {route.severity: route for route in routing.routes(self.d)}
        graver, equal = routing.inhibited_by(self.d, (alert for _, alert in alerts(self.d, plan.packs)))
        self.silences, self.equal = dict(graver), tuple(equal)

    @cached_property
    def targets(self) -> dict[str, str]:
        """App → its namespace."""
        return {target.app: target.namespace for target in scrape.targets(self.d)}

    def page(self, name: str, asked: list[tuple[str, Alert]]) -> Page:
        severities = {severity for _, alert in asked for severity in alert.levels or (alert.severity or "",)}
        url = self.d.urls.alertmanager
        where = quote(f'{{alertname="{name}"}}', safe="")
        return Page(
            name,
            tuple(self._book(name, key, alert, severities, len(asked) > 1) for key, alert in asked),
            self.equal,
            silence(self.d, name),
            f"{url.rstrip('/')}/#/silences/new?filter={where}" if url else None,
            name == "Watchdog" and "watchdog" in self.places,
            bool(self.d.alertmanager.raw.patch),
        )

    def _book(self, name: str, key: str, alert: Alert, severities: set[str], shared: bool) -> Book:
        engine = "loki" if alert.logql else "prometheus"
        question = (alert.query or alert.expr or alert.logql or "").strip()
        steps = tuple(
            self._step(name, alert, engine, severity, level, severities) for severity, level in _levels(alert)
        )
        texts = [question, *(step.expr for step in steps)]
        apps, namespace = self._apps(alert, question)
        logs = self._logs(apps, namespace) if namespace == self.d.namespace else ""  # elsewhere the agent reads nothing
        said = alert.runbook
        objective = self.d.objectives.get(alert.objective or "")
        return Book(
            key=key,
            title=f"{name} ({key})" if shared else name,
            group=alert.group,
            engine=engine,
            summary=alert.summary,
            description=alert.description.strip(),
            owner_label=alert.team_of,
            service=alert.service,
            objective=(alert.objective or "", promise(objective)) if objective else None,
            sections=tuple((part, (getattr(said, part, None) or "").strip() or None) for part in SECTIONS),
            records=tuple(self._records(texts)),
            steps=steps,
            links=tuple(self._links(name, alert, question, engine, logs)),
            commands="\n".join(commands(self.d.output, apps, namespace, bool(alert.team_of))),
            logs=logs,
        )

    def _step(self, name: str, alert: Alert, engine: str, severity: str, level: Level, severities: set[str]) -> Step:
        carried = labels(self.d, alert, severity)
        rule = self.rules[engine, alert.group, name, severity, carried["service"], carried["team"]]
        declared = self.d.severities.get(severity)
        return Step(
            severity=severity,
            priority=declared.priority if declared else None,
            repeat=declared.repeat if declared else None,
            limit=_limit(level),
            expr=rule.expr,
            for_=rule.for_,
            keep_firing_for=rule.keep_firing_for,
            answer=answer(self.d) if severity == next(iter(self.d.severities)) else None,
            told=tuple(self._told(name, severity, team, values) for team, values in teams(self.d, alert).items()),
            silences=tuple(other for other in self.silences.get(severity, ()) if other in severities),
            silenced_by=tuple(o for o, under in self.silences.items() if severity in under and o in severities),
        )

    def _told(self, name: str, severity: str, team: str, values: tuple[str, ...]) -> Told:
        receiver = self._receiver(name, severity, team)
        graver = list(self.d.severities)
        beyond, following = "", ""
        if receiver not in ("watchdog", "unrouted"):
            place = graver.index(severity)
            if place:
                beyond, following = f"severity {graver[place - 1]}", self._receiver(name, graver[place - 1], team)
            elif team != self.d.default_team:
                beyond = f"team {self.d.default_team}"
                following = self._receiver(name, severity, self.d.default_team)
        return Told(team, values, receiver, self.places[receiver], beyond, self.places.get(following, ()))

    def _receiver(self, name: str, severity: str, team: str) -> str:
        """As the routes of `alertmanager/config.yaml.j2` go: the heartbeat first, then the severity, then the team."""
        if name == "Watchdog" and "watchdog" in self.places:
            return "watchdog"
        route = self.routes.get(severity)
        return "unrouted" if route is None else dict(route.teams).get(team, route.receiver)

    def _apps(self, alert: Alert, question: str) -> tuple[tuple[str, ...], str]:
        """Whose pods to look at, and where they run; nobody's where the alert doesn't say."""
        if alert.service:
            return (alert.service,), self.d.namespace
        if question == "vector(1)":  # a heartbeat: whoever makes it and whoever passes it on
            return tuple(app for app in ("alertmanager", "prometheus") if app in self.targets), self.d.namespace
        if alert.team_of:
            return tuple(sorted({service for service, _ in owners(self.d, alert.team_of).values()})), self.d.namespace
        named = re.findall(r'\bapp="([A-Za-z0-9_.-]+)"', question)
        app = next((one for one in (*named, *self._exporters(question)) if one in self.targets), None)
        if app == "redis-exporter" and self.d.dlq and self.d.dlq.redis.deploy:
            return ("dlq-redis", app), self.targets[app]  # it only says how Redis is
        return ((app,), self.targets[app]) if app else ((), self.d.namespace)

    def _exporters(self, question: str) -> Iterator[str]:
        for first, second in re.findall(r"\b([a-z]+)[_:]([a-z]+)[_:]\w", question):
            yield _EXPORTERS.get(f"{first}_{second}", _EXPORTERS.get(first, ""))

    def _records(self, texts: list[str]) -> Iterator[tuple[str, str]]:
        """Recordings that the texts read, each once: the name alone says little to somebody who was just woken."""
        read = [name for text in texts for name in re.findall(r"[A-Za-z_]\w*:[\w:]+", text) if name in self.records]
        yield from ((name, self.records[name]) for name in dict.fromkeys(read))

    def _logs(self, apps: tuple[str, ...], namespace: str) -> str:
        """LogQL for the grave lines of the apps; of our own servers for all, because they don't write the log standard."""
        conditions = [f"namespace={json.dumps(namespace)}"]
        if len(apps) == 1:
            conditions.append(f"app={json.dumps(apps[0])}")
        elif 1 < len(apps) <= SHOWN:
            conditions.append(f"app=~{json.dumps('|'.join(apps))}")
        grave = [level for level in self.d.logging.levels if level in ("ERROR", "FATAL", "CRITICAL")]
        if grave and "level" in agent.stored(self.d, "label") and set(apps) <= set(self.d.services):
            conditions.append(f"level=~{json.dumps('|'.join(grave))}")
        return "{" + ", ".join(conditions) + "}"

    def _links(self, name: str, alert: Alert, question: str, engine: str, logs: str) -> Iterator[tuple[str, str]]:
        urls = self.d.urls
        if urls.prometheus and engine == "prometheus":
            yield (
                "the value in Prometheus",
                f"{urls.prometheus.rstrip('/')}/graph?g0.expr={quote(question, safe='')}&g0.tab=0",
            )
        if urls.grafana:
            if engine == "loki":
                yield "the value in Grafana", explore(urls.grafana, question)
            if logs:
                yield "the logs in Grafana", explore(urls.grafana, logs)
            board = shown_on(self.d, alert)
            yield f"the dashboard {dashboards.TITLES[board]}", dashboards.url(self.d, board) or ""
        if urls.alertmanager:
            where = quote(f'{{alertname="{name}"}}', safe="")
            yield "the alert in Alertmanager", f"{urls.alertmanager.rstrip('/')}/#/alerts?filter={where}"


_EXPORTERS = {
    **{server: server for server in ("loki", "promtail", "alloy", "alertmanager", "prometheus")},
    **dict.fromkeys(("loki_source", "loki_write", "loki_process"), "alloy"),
    "redis": "redis-exporter",
    "dlq": "dlq-api",
}
"""First words of a metric's name → the app that exports it."""


def _identity(group: Group, rule: Rule) -> tuple[str, str, str, str, str, str]:
    carried: Mapping[str, Any] = {"severity": "", "service": "", "team": "", **rule.labels}
    return group.engine, group.name, rule.name, carried["severity"], carried["service"], carried["team"]


def _levels(alert: Alert) -> list[tuple[str, Level]]:
    if alert.levels:
        return list(alert.levels.items())
    return [(alert.severity or "", Level(for_=alert.for_, keep_firing_for=alert.keep_firing_for))]


def _limit(level: Level) -> str | None:
    if level.above is not None:
        return f"above {level.above:.15g}"
    return None if level.below is None else f"below {level.below:.15g}"
