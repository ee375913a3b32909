"""Every output file, described once: its path, its template, and what the template may see."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import Any, NamedTuple

from . import agent, contract, deadletters, routing, ruletests, runbooks, scrape, secrets, upstream
from .model import Declaration, seconds
from .packs import Expanded
from .rules import Group, alerts


@dataclass(frozen=True)
class Plan:
    """A declaration with its packs and rule groups worked out; `profile` and `sources` go into headers."""

    declaration: Declaration
    profile: str
    sources: tuple[str, ...]
    packs: Mapping[str, Expanded]
    groups: tuple[Group, ...]

    def groups_of(self, engine: str) -> tuple[Group, ...]:
        """The groups of one engine, by name."""
        return tuple(group for group in self.groups if group.engine == engine)


@dataclass(frozen=True)
class View:
    """What a row's context is worked out from: the plan, the item of an `each` row, the texts that a row wraps."""

    plan: Plan
    item: Any = None
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def d(self) -> Declaration:
        """The declaration."""
        return self.plan.declaration


Value = Callable[[View], Any]


class Row(NamedTuple):
    """One line of the table.

    `each` makes one file per item, its name put for `*` in the path. `wraps` are patterns of other rows' paths, rendered before and given
    to the context as `files`. `manifest` says that `kubectl apply -k` takes it.
    """

    path: str
    template: str
    context: Mapping[str, Value]
    when: Callable[[Plan], bool] = lambda plan: True
    each: Callable[[Plan], Iterable[tuple[str, Any]]] | None = None
    wraps: tuple[str, ...] = ()
    manifest: bool = False


def _header(view: View) -> str:
    return f"Rendered from {' and '.join(view.plan.sources)}: obsgen render --profile {view.plan.profile}. Change those, not this."


def _image(server: str) -> Value:
    return lambda view: image(server, getattr(view.d.versions, server))


def image(server: str, target: str | None = None) -> str:
    """The container image of a server at a declared MAJOR.MINOR, or at the newest known one."""
    version = upstream.version(server, target or upstream.versions(server)[-1])
    assert version is not None, f"the check version/unknown lets no {server} {target} through"
    return version.image


def _named(*names: str) -> dict[str, Value]:
    return {name: COMMON[name] for name in names}


COMMON: dict[str, Value] = {
    "header": _header,
    "namespace": lambda v: v.d.namespace,
    "cluster": lambda v: v.d.cluster,
    "loki": lambda v: v.d.loki,
    "alertmanager_urls": lambda v: alertmanager_urls(v.d),
}


def alertmanager_urls(declaration: Declaration) -> list[str]:
    """Every replica by its own name: a load-balanced address would tell only one of a cluster, and late."""
    alertmanager = declaration.alertmanager
    if not alertmanager.deploy:
        return [alertmanager.url] if alertmanager.url else []
    host = f"alertmanager-headless.{declaration.namespace}.svc.cluster.local:9093"
    return [f"http://alertmanager-{replica}.{host}" for replica in range(alertmanager.replicas)]


def loki_url(declaration: Declaration) -> str:
    """Where agents push and people query."""
    loki = declaration.loki
    return (
        (loki.url or "").rstrip("/")
        if not loki.deploy
        else f"http://loki.{declaration.namespace}.svc.cluster.local:3100"
    )


_CONFIGMAP_LIMIT = 256 * 1024  # bytes; client-side apply stops at 262,144


def configmaps(name: str, files: Mapping[str, str]) -> list[tuple[str, dict[str, str]]]:
    """Texts in as few ConfigMaps as stay under 256 KiB: NAME alone, or NAME-1, NAME-2, …"""
    parts: list[dict[str, str]] = [{}]
    used = 0
    for key, text in files.items():
        length = len(text.encode()) + text.count("\n") * 4  # each line is indented by four
        if parts[-1] and used + length > _CONFIGMAP_LIMIT:
            parts.append({})
            used = 0
        parts[-1][key] = text
        used += length
    if len(parts) == 1:
        return [(name, parts[0])]
    return [(f"{name}-{number}", part) for number, part in enumerate(parts, 1)]


def _rule_maps(view: View) -> list[tuple[str, dict[str, str]]]:
    return configmaps("alert-rules", {path.rpartition("/")[2]: text for path, text in view.files.items()})


def _inhibition(view: View) -> tuple[list[tuple[str, list[str]]], list[str]]:
    return routing.inhibited_by(view.d, (alert for _, alert in alerts(view.d, view.plan.packs)))


# What the programs of `dlq.image` are told: where Redis is, and who they are there.
_DEAD_LETTERS: dict[str, Value] = {
    "address": lambda v: deadletters.address(v.d),
    "cluster_mode": lambda v: deadletters.of(v.d).redis.cluster,
    "image": lambda v: deadletters.of(v.d).image,
    "password": lambda v: deadletters.password(v.d),
}


def _agent_row(server: str) -> Row:
    """Both agents see the same: what one stores of a line, the other does."""
    return Row(
        f"logging/{server}.yaml",
        f"kubernetes/{server}.yaml.j2",
        {
            **_named("header", "namespace", "cluster"),
            "agent_namespace": lambda v: scrape.agent_namespace(v.d),
            "expressions": lambda v: dict(agent.expressions(v.d)),
            "image": _image(server),
            "labels": lambda v: _as_named(agent.stored(v.d, "label")),
            "level_template": lambda v: agent.level_template(v.d.logging.levels),
            "metadata": lambda v: _as_named([*agent.stored(v.d, "metadata"), *agent.TARGET_METADATA]),
            "loki_url": lambda v: loki_url(v.d),
        },
        when=lambda p: p.declaration.logging.agent.type == server,
        manifest=True,
    )


def _as_named(names: Iterable[str]) -> dict[str, str]:
    """What an agent's stage takes: each name to the field that it comes from, of which an empty one is the field of that name."""
    return dict.fromkeys(names, "")


ROWS: tuple[Row, ...] = (
    Row(
        "logging/loki.yaml",
        "kubernetes/loki.yaml.j2",
        {
            **_named("header", "namespace", "loki", "alertmanager_urls"),
            "grafana_url": lambda v: v.d.urls.grafana,
            "image": _image("loki"),
            "has_rules": lambda v: bool(v.plan.groups_of("loki")),
            "query_hours": lambda v: int(seconds(v.d.loki.retention.default) // 3600) + 1,
            "s3_env": lambda v: secrets.environment(v.d, v.d.loki.object_store),
        },
        when=lambda p: p.declaration.loki.deploy,
        manifest=True,
    ),
    Row(
        "logging/rules/*.yaml",
        "rules/group.yaml.j2",
        {**_named("header"), "group": lambda v: v.item},
        each=lambda p: [(group.name, group) for group in p.groups_of("loki")],
    ),
    Row(
        "logging/loki-rules.yaml",
        "kubernetes/configmaps.yaml.j2",
        {
            **_named("header", "namespace"),
            "app": lambda v: "loki",
            "maps": lambda v: configmaps(
                "loki-rules", {path.rpartition("/")[2]: text for path, text in v.files.items()}
            ),
        },
        when=lambda p: bool(p.groups_of("loki")),
        wraps=("logging/rules/*.yaml",),
        manifest=True,
    ),
    _agent_row("promtail"),
    _agent_row("alloy"),
    Row(
        "monitoring/prometheus.yaml",
        "kubernetes/prometheus.yaml.j2",
        {
            **_named("header", "namespace", "cluster"),
            "agent_namespace": lambda v: scrape.agent_namespace(v.d),
            "external_url": lambda v: v.d.urls.prometheus,
            "alertmanager": lambda v: v.d.alertmanager,
            "image": _image("prometheus"),
            "prometheus": lambda v: v.d.prometheus,
            "rule_maps": lambda v: [name for name, texts in _rule_maps(v) if texts],
            "targets": lambda v: scrape.targets(v.d),
        },
        when=lambda p: p.declaration.prometheus.deploy,
        wraps=("monitoring/rules/*.yaml",),
        manifest=True,
    ),
    Row(
        "monitoring/rules/*.yaml",
        "rules/group.yaml.j2",
        {**_named("header"), "group": lambda v: v.item},
        each=lambda p: [(group.name, group) for group in p.groups_of("prometheus")],
    ),
    Row(
        "monitoring/rules/*_test.yaml",
        "rules/test.yaml.j2",
        {
            **_named("header"),
            "cases": lambda v: ruletests.cases(v.item),
            "rule_files": lambda v: ruletests.rule_files(v.item, v.plan.groups_of("prometheus")),
        },
        each=lambda p: [(g.name, g) for g in p.groups_of("prometheus") if any(rule.examples for rule in g.rules)],
    ),
    Row(
        "monitoring/alert-rules.yaml",
        "kubernetes/configmaps.yaml.j2",
        {**_named("header", "namespace"), "app": lambda v: "prometheus", "maps": _rule_maps},
        when=lambda p: bool(p.groups_of("prometheus")),
        wraps=("monitoring/rules/*.yaml",),
        manifest=True,
    ),
    Row(
        "monitoring/alertmanager.yaml",
        "kubernetes/alertmanager.yaml.j2",
        {
            **_named("header", "namespace", "cluster"),
            "alertmanager": lambda v: v.d.alertmanager,
            "external_url": lambda v: v.d.urls.alertmanager,
            "image": _image("alertmanager"),
            "inhibition": _inhibition,
            "receivers": lambda v: routing.receivers(v.d),
            "replicas": lambda v: range(v.d.alertmanager.replicas),
            "reloader_image": lambda v: image("prometheus-config-reloader"),
            "routes": lambda v: routing.routes(v.d),
            "secret_files": lambda v: secrets.files(v.d, routing.receivers(v.d)),
        },
        manifest=True,
    ),
    Row(
        "dlq/redis.yaml",
        "kubernetes/dlq-redis.yaml.j2",
        {
            **_named("header", "namespace"),
            "commands": lambda v: deadletters.commands(),
            "image": _image("redis"),
            "passwords": lambda v: deadletters.passwords(v.d),
            "queues": lambda v: sorted(deadletters.of(v.d).queues),
            "storage": lambda v: deadletters.of(v.d).redis.storage,
        },
        when=lambda p: p.declaration.dlq is not None and p.declaration.dlq.redis.deploy,
        manifest=True,
    ),
    Row(
        "dlq/exporter.yaml",
        "kubernetes/dlq-exporter.yaml.j2",
        {
            **_named("header", "namespace"),
            "address": lambda v: deadletters.address(v.d),
            "cluster_mode": lambda v: deadletters.of(v.d).redis.cluster,
            "image": _image("redis_exporter"),
            "keys": lambda v: ",".join(deadletters.measured_keys(v.d)),
            "password": lambda v: deadletters.exporter_password(v.d),
        },
        when=lambda p: p.declaration.dlq is not None,
        manifest=True,
    ),
    Row(
        "dlq/api.yaml",
        "kubernetes/dlq-api.yaml.j2",
        {
            **_named("header", "namespace"),
            **_DEAD_LETTERS,
            "contract": lambda v: v.files["contract/contract.json"],
            "own_prometheus": lambda v: v.d.prometheus.deploy,
        },
        when=lambda p: p.declaration.dlq is not None,
        wraps=("contract/contract.json",),
        manifest=True,
    ),
    Row(
        "dlq/cleanup.yaml",
        "kubernetes/dlq-cleanup.yaml.j2",
        {**_named("header", "namespace"), **_DEAD_LETTERS},
        when=lambda p: p.declaration.dlq is not None,
        manifest=True,
    ),
    Row("contract/contract.json", "contract/contract.json.j2", {"contract": lambda v: contract.contract(v.d)}),
    Row(
        "contract/log-entry.schema.json",
        "contract/contract.json.j2",
        {"contract": lambda v: contract.log_entry_schema(v.d)},
    ),
    Row(
        "contract/contract.yaml",
        "kubernetes/configmaps.yaml.j2",
        {
            **_named("header", "namespace"),
            "app": lambda v: "obsgen",
            "maps": lambda v: configmaps(
                "obsgen-contract", {p.rpartition("/")[2]: text for p, text in v.files.items()}
            ),
        },
        wraps=("contract/*.json",),
        manifest=True,
    ),
    Row(
        "runbooks/*.md",
        "runbooks/alert.md.j2",
        {**_named("header"), "page": lambda v: v.item},
        each=lambda p: [(page.name, page) for page in runbooks.pages(p)],
    ),
    Row(
        "runbooks/README.md",
        "runbooks/README.md.j2",
        {
            **_named("header", "cluster", "namespace"),
            "answer": lambda v: runbooks.answer(v.d),
            "duties": lambda v: runbooks.duties(v.d),
            "name": lambda v: v.d.name,
            "queues": lambda v: sorted(v.d.dlq.queues.items()) if v.d.dlq else [],
            "rows": lambda v: runbooks.index(v.plan),
            "silence": lambda v: runbooks.silence(v.d, "ALERT"),
            "severities": lambda v: runbooks.by_severity(v.plan),
            "strays": lambda v: runbooks.strays(v.d),
            "unguarded": lambda v: runbooks.unguarded(v.plan),
            "unscraped": lambda v: [name for name, service in v.d.services.items() if not service.metrics],
        },
    ),
    Row(
        "SECRETS.md",
        "SECRETS.md.j2",
        {**_named("header", "namespace"), "needed": lambda v: secrets.needed(v.d, routing.receivers(v.d))},
    ),
)

_INDEXES: tuple[Row, ...] = (
    Row("kustomization.yaml", "kubernetes/kustomization.yaml.j2", {**_named("header"), "resources": lambda v: v.item}),
    Row("FILES", "FILES.j2", {**_named("header"), "paths": lambda v: v.item}),
)


@dataclass(frozen=True)
class Artifact:
    """One file to be: where, from which template, seeing what; `wraps` are the paths whose texts it carries."""

    path: str
    row: Row
    view: View
    wraps: tuple[str, ...] = ()

    def context(self, files: Mapping[str, str]) -> dict[str, Any]:
        """What the template sees; `files` are the texts rendered so far."""
        wrapped = {path: files[path] for path in self.wraps}
        view = View(self.view.plan, self.view.item, wrapped)
        return {name: value(view) for name, value in self.row.context.items()}


def artifacts(plan: Plan) -> list[Artifact]:
    """Every file of a plan, those that are wrapped before those that wrap them, the index of all files last."""
    plain = [
        Artifact(path, row, View(plan, item)) for row in ROWS if row.when(plan) for path, item in _paths(row, plan)
    ]
    paths = [artifact.path for artifact in plain]
    inner = [artifact for artifact in plain if not artifact.row.wraps]
    outer = [
        Artifact(artifact.path, artifact.row, artifact.view, _wrapped(artifact.row, paths))
        for artifact in plain
        if artifact.row.wraps
    ]
    manifests = sorted(artifact.path for artifact in plain if artifact.row.manifest)
    kustomization, index = _INDEXES
    everything = sorted([*paths, kustomization.path, index.path])
    return [
        *inner,
        *outer,
        Artifact(kustomization.path, kustomization, View(plan, manifests)),
        Artifact(index.path, index, View(plan, everything)),
    ]


def _paths(row: Row, plan: Plan) -> Iterator[tuple[str, Any]]:
    if row.each is None:
        yield row.path, None
    else:
        for name, item in row.each(plan):
            yield row.path.replace("*", name), item


def _wrapped(row: Row, paths: Iterable[str]) -> tuple[str, ...]:
    found = {path for path in paths for pattern in row.wraps if fnmatch(path, pattern)}
    return tuple(sorted(path for path in found if not path.endswith("_test.yaml")))
