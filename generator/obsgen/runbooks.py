"""Plan → what the page of each alert says: who is told, what to look at, what to type. Channels by type and name, never a secret."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from shlex import quote as shell
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from . import agent, compose, dashboards, routing, scrape
from .model import Alert, Channel, Declaration, Level, Objective
from .rules import Group, Rule, alerts, labels, owners, shown_on

if TYPE_CHECKING:
    from .plan import Plan

SECTIONS = ("meaning", "impact", "diagnosis", "mitigation")


@dataclass(frozen=True, slots=True)
class Place:
    """A channel as a page may name it: its type, its public name or address if it has one, whose it is."""

    type: str
    address: str | None
    whose: str


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
            tuple(_teams(plan.declaration, alert)),
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
    known = _places(declaration)
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
    known = _places(declaration)
    return known["unrouted"], known.get("watchdog", ())


def alertmanager_url(declaration: Declaration) -> str:
    """Where people and amtool reach Alertmanager: its declared address, else the Service in the cluster."""
    declared = declaration.urls.alertmanager or (
        None if declaration.alertmanager.deploy else declaration.alertmanager.url
    )
    return (declared or f"http://alertmanager.{declaration.namespace}.svc:9093").rstrip("/")


def silence(declaration: Declaration, name: str) -> str:
    """The command that silences an alert for two hours."""
    url = shell(alertmanager_url(declaration))
    return f"amtool silence add alertname={shell(name)} -d 2h -c 'WHY, and who you are' --alertmanager.url={url}"


def beside_the_api(declaration: Declaration) -> str:
    """What to put before a command that runs in the admin API's container, where Redis and its password are known; "" without queues.

    A process that Compose starts in a container has none of the variables that its first process read from files.
    """
    dlq = declaration.dlq
    if not dlq or not dlq.queues:
        return ""
    if declaration.output != "compose":
        return f"kubectl -n {declaration.namespace} exec -i deploy/dlq-api --"
    script = compose.start(compose.variables(declaration)["dlq-api"])
    return f"docker compose exec -T dlq-api /bin/sh -ec {shell(script)} sh"


def answer(declaration: Declaration) -> str | None:
    """How soon somebody has to answer an alert of the gravest severity, where that is promised."""
    promised = declaration.objectives.get("alert_response")
    return str(promised.max) if promised and promised.max is not None else None


def _places(declaration: Declaration) -> dict[str, tuple[Place, ...]]:
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


class _Writer:
    """What all pages of a plan share, worked out once."""

    def __init__(self, plan: Plan) -> None:
        self.d = plan.declaration
        self.records = {rule.name: rule.expr for group in plan.groups for rule in group.rules if rule.kind == "record"}
        self.rules = {_identity(group, rule): rule for group in plan.groups for rule in group.rules}
        self.places = _places(self.d)
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
            commands="\n".join(_commands(self.d.output, apps, namespace, bool(alert.team_of))),
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
            told=tuple(self._told(name, severity, team, values) for team, values in _teams(self.d, alert).items()),
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
        elif 1 < len(apps) <= _SHOWN:
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

_SHOWN = 20  # names of one list; a fleet may have thousands of services


def explore(grafana: str, query: str) -> str:
    """Grafana's Explore on the data source with the uid `loki` (or, where there is none, the default one), last hour."""
    panes = {
        "a": {
            "datasource": "loki",
            "queries": [{"refId": "A", "expr": query, "datasource": {"type": "loki", "uid": "loki"}}],
            "range": {"from": "now-1h", "to": "now"},
        }
    }
    return f"{grafana.rstrip('/')}/explore?schemaVersion=1&panes={quote(json.dumps(panes), safe='')}"


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


def _teams(declaration: Declaration, alert: Alert) -> dict[str, tuple[str, ...]]:
    """Teams that an alert can be for, with the values of the owner label that mean them; the default team answers for all others."""
    if alert.service:
        return {declaration.services[alert.service].team: ()}
    if not alert.team_of:
        return {alert.team or declaration.default_team: ()}
    found: dict[str, tuple[str, ...]] = {declaration.default_team: ()}
    for value, (_, team) in sorted(owners(declaration, alert.team_of).items()):
        found[team] = (*found.get(team, ()), value)
    return {team: _few(values) for team, values in found.items()}


def _few(values: tuple[str, ...]) -> tuple[str, ...]:
    return values if len(values) <= _SHOWN else (*values[:_SHOWN], f"and {len(values) - _SHOWN} more")


# prometheus-operator's pods carry no label `app` (0.85); ours carry both
_NAMED_BY = dict.fromkeys(("alertmanager", "prometheus"), "app.kubernetes.io/name")


def _commands(output: str, apps: tuple[str, ...], namespace: str, found: bool) -> Iterator[str]:
    app = shell(apps[0]) if len(apps) == 1 else '"$APP"' if apps else ""
    if len(apps) > 1:
        which = "the alert's label service says which of" if found else "then each of"
        yield f"APP={shell(apps[0])}  # {which}: {', '.join(_few(apps))}"
    yield from (_of_docker if output == "compose" else _of_kubectl)(app, namespace)


def _of_docker(app: str, namespace: str) -> Iterator[str]:
    # a service may be of another project: what they share is the network
    found = f"docker ps --all --filter network={shell(namespace)}"
    found += f" --filter label=com.docker.compose.service={app}" if app else ""
    yield found
    if app:
        yield f"{found} --quiet | xargs -r -n 1 docker logs --since=1h --tail=200"
    yield "docker events --since=1h --until=0s --filter type=container"


def _of_kubectl(app: str, namespace: str) -> Iterator[str]:
    inside = f"kubectl -n {shell(namespace)}"
    pods = '-l "app=$APP" ' if app == '"$APP"' else f"-l {_NAMED_BY.get(app, 'app')}={app} " if app else ""
    yield f"{inside} get pods {pods}-o wide"
    if pods:
        yield f"{inside} logs {pods}--all-containers --prefix --since=1h --tail=200"
    yield f"{inside} get events --sort-by=.lastTimestamp"
