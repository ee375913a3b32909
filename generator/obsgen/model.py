"""The declaration as the rest of the program sees it: typed, frozen, complete.

Defaults stand here and in `schemas/observability.schema.json`; a test keeps the two equal. A released default never changes
inside one apiVersion.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

Channel = Mapping[str, Any]
"""One place where a team is told: `type` and that type's own keys, defaults filled in from the schema branch of the type
and None where there is none.

A plain mapping, so that a new channel type is a schema branch and a receiver template and nothing else.
"""


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A closed map of the grammar."""


class SecretRef(Section, frozen=True, kw_only=True):
    """The logical name of a secret; each output decides how the server reads it."""

    secret: str


class SecretSource(Section, frozen=True, kw_only=True):
    """Where a secret lives in the cluster: a Secret and the key in it."""

    secret: str
    key: str


class Urls(Section, frozen=True, kw_only=True):
    """Addresses people open from a notification."""

    grafana: str | None = None
    prometheus: str | None = None
    alertmanager: str | None = None
    runbooks: str | None = None
    traces: str | None = None


class Versions(Section, frozen=True, kw_only=True):
    """MAJOR.MINOR of each server that will read the output."""

    loki: str = "3.7"
    promtail: str = "3.6"
    alloy: str = "1.19"
    prometheus: str = "3.13"
    alertmanager: str = "0.34"
    grafana: str = "12.4"
    redis: str = "7.0"
    redis_exporter: str = "1.86"
    kubernetes: str = "1.36"


class Raw(Section, frozen=True, kw_only=True):
    """Escape hatch: a JSON merge patch (RFC 7396) on the server's rendered configuration."""

    patch: Mapping[str, Any] = {}
    reason: str | None = None
    until: str | None = None


class Requests(Section, frozen=True, kw_only=True):
    """Names of a service's own request metrics."""

    total: str
    errors: str | None = None
    seconds: str | None = None


class Metrics(Section, frozen=True, kw_only=True):
    """Where a service exposes Prometheus metrics."""

    port: int
    path: str = "/metrics"
    requests: Requests | None = None
    exports: Mapping[str, tuple[str, ...]] = {}


class ServiceObjective(Section, frozen=True, kw_only=True):
    """A promise of one service: the good share of `window`, counted only above `min_events`."""

    ratio: float
    window: str = "30d"
    min_events: int = 0


class Service(Section, frozen=True, kw_only=True):
    """A program that writes logs, and the team that answers for it."""

    team: str
    language: str | None = None
    metrics: Metrics | None = None
    objectives: Mapping[str, ServiceObjective] = {}


class Field(Section, frozen=True, kw_only=True):
    """One key of a log line, and where Loki keeps it."""

    required: bool = False
    store: Literal["label", "metadata", "line"] = "line"
    path: tuple[str, ...] | None = None
    type: Literal["string", "number", "boolean", "object"] = "string"
    unit: str | None = None


class Agent(Section, frozen=True, kw_only=True):
    """What ships the logs."""

    type: Literal["promtail", "alloy"] = "promtail"
    namespace: str | None = None


class Logging(Section, frozen=True, kw_only=True):
    """The log standard: what every line carries and who ships it."""

    levels: tuple[str, ...] = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
    fields: Mapping[str, Field] = {}
    redact: Mapping[str, bool] = {}
    agent: Agent = Agent()


class SchemaPeriod(Section, frozen=True, kw_only=True):
    """One period of Loki's storage history; past ones are never edited."""

    store: Literal["tsdb"] = "tsdb"
    version: Literal["v13"] = "v13"


class ServiceAccount(Section, frozen=True, kw_only=True):
    """Cloud identity of the pod, in place of keys."""

    annotations: Mapping[str, str] = {}


class ObjectStore(Section, frozen=True, kw_only=True):
    """The bucket Loki writes chunks to."""

    type: Literal["s3"]
    bucket: str
    region: str
    endpoint: str | None = None
    insecure: bool = False
    path_style: bool = False
    access_key: SecretRef | None = None
    secret_key: SecretRef | None = None
    service_account: ServiceAccount | None = None
    expires: str | None = None


class StreamRetention(Section, frozen=True, kw_only=True):
    """How long the streams that match are kept, when not as long as the rest."""

    selector: str
    period: str
    priority: int = 1


class Retention(Section, frozen=True, kw_only=True):
    """How long Loki keeps logs."""

    default: str = "30d"
    streams: Mapping[str, StreamRetention] = {}

    @property
    def longest(self) -> str:
        """How long anything is kept at most."""
        return max(self.periods, key=seconds)

    @property
    def periods(self) -> tuple[str, ...]:
        """Every time that something is kept for."""
        return (self.default, *(stream.period for stream in self.streams.values()))


class LokiLimits(Section, frozen=True, kw_only=True):
    """Loki's `limits_config`, under Loki's own names; the MB of the two ingestion limits are 1024² bytes."""

    ingestion_rate_mb: int = 4
    ingestion_burst_size_mb: int = 6
    per_stream_rate_limit: str = "5MB"
    per_stream_rate_limit_burst: str = "20MB"
    max_global_streams_per_user: int = 5000
    max_line_size: str = "256KB"
    max_query_series: int = 500
    max_entries_limit_per_query: int = 5000
    query_timeout: str = "1m"
    reject_old_samples: bool = True
    reject_old_samples_max_age: str = "7d"


class Compactor(Section, frozen=True, kw_only=True):
    """How often Loki compacts, and how long a deleted chunk survives."""

    interval: str = "10m"
    delete_delay: str = "2h"


class LokiResources(Section, frozen=True, kw_only=True):
    """Processor and memory of a container, as Kubernetes writes them."""

    cpu: str | None = None
    memory: str | None = None


class LokiTarget(Section, frozen=True, kw_only=True):
    """How many pods a part of Loki has, and what each of them gets; without, the usual of `loki_targets`."""

    replicas: int | None = None
    requests: LokiResources = LokiResources()
    limits: LokiResources = LokiResources()


class Loki(Section, frozen=True, kw_only=True):
    """The log store."""

    deploy: bool = True
    url: str | None = None
    mode: Literal["single-binary", "monolithic-ha", "microservices"] = "single-binary"
    replicas: int | None = None
    replication_factor: int | None = None
    targets: Mapping[str, LokiTarget] = {}
    schema: Mapping[str, SchemaPeriod] = {}
    storage: str = "10Gi"
    object_store: ObjectStore | None = None
    retention: Retention = Retention()
    compactor: Compactor = Compactor()
    limits: LokiLimits = LokiLimits()
    raw: Raw = Raw()


class Prometheus(Section, frozen=True, kw_only=True):
    """Who scrapes and evaluates the rules."""

    deploy: bool = True
    url: str | None = None
    scrape_interval: str = "30s"
    evaluation_interval: str = "30s"
    retention: str = "35d"
    storage: str = "50Gi"
    raw: Raw = Raw()


class Alertmanager(Section, frozen=True, kw_only=True):
    """Who tells people."""

    deploy: bool = True
    url: str | None = None
    replicas: int = 1
    storage: str = "1Gi"
    raw: Raw = Raw()


class Grafana(Section, frozen=True, kw_only=True):
    """Where people look."""

    deploy: bool = True
    url: str | None = None
    admin_password: SecretRef | None = None
    raw: Raw = Raw()


class Operator(Section, frozen=True, kw_only=True):
    """The prometheus-operator that will read the output: where its servers run, and what they select by."""

    namespace: str | None = None
    labels: Mapping[str, str] | None = None


class Team(Section, frozen=True, kw_only=True):
    """People who are told; a role without a channel falls back to the default team."""

    default: bool = False
    channels: Mapping[str, Channel] = {}


class SeverityLevel(Section, frozen=True, kw_only=True):
    """How urgent, which roles it asks for, and how often it repeats."""

    priority: str
    notify: tuple[str, ...]
    repeat: str = "4h"
    wait: str = "30s"


class Routing(Section, frozen=True, kw_only=True):
    """What the severities don't say: who sees a stray alert, who hears the heartbeat, and how often."""

    unrouted: tuple[str, ...]
    watchdog: Channel | None = None
    heartbeat: str = "1m"


class Level(Section, frozen=True, kw_only=True):
    """When an alert is of one severity; exactly one of `above` and `below`."""

    above: float | None = None
    below: float | None = None
    for_: str = msgspec.field(default="0s", name="for")
    keep_firing_for: str | None = None


class Runbook(Section, frozen=True, kw_only=True):
    """What a person who was woken needs to know."""

    meaning: str | None = None
    impact: str | None = None
    diagnosis: str | None = None
    mitigation: str | None = None


class Examples(Section, frozen=True, kw_only=True):
    """Series in promtool's notation that make the alert fire, and that must not; and the number that the question then gives."""

    fires: Mapping[str, str] = {}
    silent: Mapping[str, str] = {}
    quiet: Mapping[str, str] = {}
    reaches: float | None = None
    rests: float | None = None


class Alert(Section, frozen=True, kw_only=True):
    """A question asked of the metrics or the logs, and who is told of the answer.

    One of `query` with `levels`, `expr` with `severity`, or `logql` with either.
    """

    group: str
    name: str | None = None
    team: str | None = None
    service: str | None = None
    team_of: str | None = None
    query: str | None = None
    expr: str | None = None
    logql: str | None = None
    levels: Mapping[str, Level] = {}
    severity: str | None = None
    for_: str = msgspec.field(default="0s", name="for")
    keep_firing_for: str | None = None
    summary: str
    description: str
    objective: str | None = None
    runbook: Runbook | None = None
    examples: Examples | None = None


class Pack(Section, frozen=True, kw_only=True):
    """A ready set of alerts; each alert is tuned by merging over it, or removed with `null`."""

    alerts: Mapping[str, Mapping[str, Any] | None] = {}


class Dashboards(Section, frozen=True, kw_only=True):
    """Existing dashboard files, shipped beside the rendered ones."""

    files: tuple[str, ...] = ()


class Redis(Section, frozen=True, kw_only=True):
    """The Redis that holds the dead letters."""

    deploy: bool = True
    address: str | None = None
    cluster: bool = False
    storage: str = "5Gi"
    password: SecretRef
    exporter_password: SecretRef | None = None


class Queue(Section, frozen=True, kw_only=True):
    """A queue whose dead letters are kept."""

    owner: str
    max_attempts: int | None = None
    retention: str | None = None


class AdminApi(Section, frozen=True, kw_only=True):
    """The admin API of the dead letters: `tokens` is the secret that says who may use it."""

    tokens: SecretRef | None = None


class DeadLetters(Section, frozen=True, kw_only=True):
    """The dead-letter queue."""

    image: str | None = None
    api: AdminApi = AdminApi()
    redis: Redis
    retention: str = "30d"
    max_attempts: int = 3
    queues: Mapping[str, Queue] = {}


class Objective(Section, frozen=True, kw_only=True):
    """A number the system promises."""

    max: str | int | float | None = None
    min: str | int | float | None = None
    ratio: float | None = None
    per: str | None = None
    window: str | None = None


class RouteTest(Section, frozen=True, kw_only=True):
    """Labels of an alert, and who must be told of it: a role, or TEAM/ROLE for that team's own channel."""

    alert: Mapping[str, str]
    notifies: tuple[str, ...]


class Declaration(Section, frozen=True, kw_only=True):
    """`observability.yaml` with its profile merged over it."""

    api_version: str = msgspec.field(name="apiVersion")
    kind: str
    name: str
    namespace: str
    cluster: str
    output: Literal["kubernetes", "operator", "compose"] = "kubernetes"
    operator: Operator = Operator()
    urls: Urls = Urls()
    include: tuple[str, ...] = ()
    versions: Versions = Versions()
    secrets: Mapping[str, SecretSource] = {}
    services: Mapping[str, Service] = {}
    logging: Logging = Logging()
    loki: Loki = Loki()
    prometheus: Prometheus = Prometheus()
    alertmanager: Alertmanager = Alertmanager()
    grafana: Grafana = Grafana()
    teams: Mapping[str, Team]
    severities: Mapping[str, SeverityLevel]
    routing: Routing
    alerts: Mapping[str, Alert] = {}
    packs: Mapping[str, Pack] = {}
    rule_files: tuple[str, ...] = ()
    dashboards: Dashboards = Dashboards()
    dlq: DeadLetters | None = None
    objectives: Mapping[str, Objective] = {}
    tests: tuple[RouteTest, ...] = ()

    @property
    def default_team(self) -> str:
        """The team that answers where nobody else does; the check `team/default` sees to it that there is exactly one."""
        return next(name for name, team in self.teams.items() if team.default)

    @property
    def deploys_grafana(self) -> bool:
        """Whether a Grafana is rendered: not where the operator's neighbours have one, which takes the dashboards from ConfigMaps."""
        return self.grafana.deploy and self.output != "operator"

    @property
    def monitoring_namespace(self) -> str:
        """Where Prometheus and Alertmanager run: beside the rest, or where the operator keeps them."""
        return (self.operator.namespace if self.output == "operator" else None) or self.namespace


_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}
_SIZES = {
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}


def seconds(duration: str) -> float:
    """Seconds of a Prometheus duration (`30s`, `1h30m`, `7d`); the shape was checked by the schema."""
    return sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)(ms|[smhdwy])", duration))


def size(text: str) -> int:
    """Bytes of a size: `KB MB GB` are powers of 1000, `KiB MiB GiB` powers of 1024."""
    number, unit = re.fullmatch(r"([0-9.]+)([KMGT]i?B|B)", text).groups()  # type: ignore[union-attr]
    return int(float(number) * _SIZES[unit])


def memory(quantity: str) -> int:
    """Bytes of a quantity as Kubernetes writes it: `512Mi` and `2Gi` count in 1024s, `2G` in 1000s."""
    return size(f"{quantity}B")


def declaration(data: Any, schema: Mapping[str, Any]) -> Declaration:
    """The typed declaration of data whose shape is right; channels get the defaults of their type's schema branch.

    Raises msgspec.ValidationError only when schema and model disagree, which a test rules out.
    """
    return msgspec.convert(_with_channel_defaults(data, schema["$defs"]), Declaration)


def _with_channel_defaults(data: dict[str, Any], branches: Mapping[str, Any]) -> dict[str, Any]:
    def filled(channel: dict[str, Any]) -> dict[str, Any]:
        properties = branches[f"channel-{channel['type']}"]["properties"]
        return {key: spec.get("default") for key, spec in properties.items()} | channel

    teams = {
        name: team | {"channels": {role: filled(channel) for role, channel in team.get("channels", {}).items()}}
        for name, team in data["teams"].items()
    }
    routing = data["routing"]
    if "watchdog" in routing:
        routing = routing | {"watchdog": filled(routing["watchdog"])}
    return data | {"teams": teams, "routing": routing}
