"""What people look at: dashboards, those taken over among them, and the Grafana that shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .. import addresses, availability, dashboards, grafana
from .. import dashboard_context as seen
from ..dashboard_context import promised
from ..plan import Plan
from .row import Row, Value, View, image_of, named


def _board(name: str, **context: Callable[[Plan], Any]) -> Row:
    """A dashboard: its template is `grafana/NAME.json.j2`; `of` is what all of them see."""

    def named_by_uid(plan: Plan) -> Iterator[tuple[str, Any]]:
        if name in dashboards.rendered(plan.declaration):
            yield dashboards.uid(plan.declaration, name), None

    values: dict[str, Value] = {key: _of_plan(value) for key, value in context.items()}
    values["of"] = lambda view: {key: value(view.plan) for key, value in seen.COMMON.items()}
    return Row("dashboards/*.json", f"grafana/{name}.json.j2", values, each=named_by_uid)


def _of_plan(value: Callable[[Plan], Any]) -> Value:
    return lambda view: value(view.plan)


_LIMITS: Mapping[str, Callable[[Plan], Any]] = {
    "alerts_max": lambda p: promised(p.declaration, "alerts"),
    "bytes_per_day": lambda p: seen.bytes_per_day(p.declaration),
    "depth_max": lambda p: promised(p.declaration, "dlq_depth"),
    "lag_max": lambda p: promised(p.declaration, "log_latency"),
    "review_max": lambda p: promised(p.declaration, "dlq_review"),
    "search_max": lambda p: promised(p.declaration, "log_search"),
    "search_ratio": lambda p: promised(p.declaration, "log_search", "ratio"),
}


def _limits(*names: str) -> dict[str, Callable[[Plan], Any]]:
    return {name: _LIMITS[name] for name in names}


BOARDS: tuple[Row, ...] = (
    _board(
        "fleet",
        **_limits("bytes_per_day", "depth_max"),
        error_levels=lambda p: seen.error_levels(p.declaration),
        errors=lambda p: seen.requested(p)["errors"],
        latencies=lambda p: seen.requested(p)["latencies"],
        records=seen.records,
        scraped=seen.scraped,
        totals=lambda p: seen.requested(p)["totals"],
    ),
    _board(
        "service-logs",
        error_levels=lambda p: seen.error_levels(p.declaration),
        fields=lambda p: seen.log_fields(p.declaration),
        level_colors=seen.level_colors,
        levels=seen.levels,
    ),
    _board(
        "alerting",
        **_limits("alerts_max"),
        alertmanager_seen=lambda p: seen.seen(p, "alertmanager"),
        heartbeat=lambda p: "watchdog" in p.packs,
        replicas=lambda p: p.declaration.alertmanager.replicas,
    ),
    _board(
        "dlq",
        **_limits("depth_max", "review_max"),
        letter=lambda p: seen.log_fields(p.declaration).get("letter"),
        queues=lambda p: sorted(p.declaration.dlq.queues) if p.declaration.dlq else [],
    ),
    _board(
        "objectives",
        **_limits("alerts_max", "bytes_per_day", "depth_max", "lag_max", "review_max", "search_ratio"),
        alerts_window=lambda p: seen.alerts_window(p.declaration),
        budgets=lambda p: availability.windows(p.declaration),
        guards=seen.guards,
        loki_seen=lambda p: seen.seen(p, "loki"),
        promises=lambda p: seen.promises(p.declaration),
        records=seen.records,
    ),
    _board(
        "log-pipeline",
        **_limits("lag_max", "search_max"),
        agent=seen.shipped_by,
        docker=lambda p: p.declaration.output == "compose",
        loki_seen=lambda p: seen.seen(p, "loki"),
        rate_limit=lambda p: p.declaration.loki.limits.ingestion_rate_mb * 1024 * 1024,
        records=seen.records,
        streams_limit=lambda p: p.declaration.loki.limits.max_global_streams_per_user,
    ),
)


def _maps(view: View) -> list[tuple[str, str, str]]:
    """(ConfigMap, key, text) of each dashboard."""
    found = ((path.rpartition("/")[2], text) for path, text in view.files.items())
    return [(dashboards.configmap(name.removesuffix(".json")), name, text) for name, text in found]


# What the templates of Grafana's own configuration see, whatever carries them.
CONFIGURATION: Mapping[str, Value] = {
    **named("header"),
    "grafana": lambda v: v.d.grafana,
    "root_url": lambda v: v.d.urls.grafana,
}
DATASOURCES: Mapping[str, Value] = {
    **named("header"),
    "alertmanager_url": lambda v: addresses.alertmanager(v.d),
    "loki_url": lambda v: addresses.loki_query(v.d),
    "prometheus_url": lambda v: addresses.prometheus(v.d),
    "scrape_interval": lambda v: v.d.prometheus.scrape_interval,
    "trace_field": lambda v: grafana.trace_field(v.d),
}
PROVIDERS: Mapping[str, Value] = {
    **named("header"),
    "dashboards_path": lambda v: grafana.DASHBOARDS,
    "folder": lambda v: v.d.name,
    "folder_uid": lambda v: v.d.name,
}

ROWS: tuple[Row, ...] = (
    *BOARDS,
    Row("dashboards/*.json", None, {}, each=lambda p: grafana.taken(p)),
    Row(
        "dashboards/grafana.yaml",
        "kubernetes/grafana.yaml.j2",
        {
            **named("namespace"),
            **CONFIGURATION,
            **DATASOURCES,
            **PROVIDERS,
            "admin_password": lambda v: grafana.admin_password(v.d),
            "deployed": lambda v: v.d.deploys_grafana,
            "image": image_of("grafana"),
            "maps": _maps,
        },
        wraps=("dashboards/*.json",),
        manifest=True,
    ),
)
