"""What stores logs, and what ships them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .. import addresses, agent, loki_targets, scrape, secrets, upstream
from ..model import seconds
from .row import Row, Value, View, by_name, configmaps, image_of, named, taken_rules

# What `loki/config.yaml.j2` sees, whatever carries the configuration.
LOKI: Mapping[str, Value] = {
    **named("header", "namespace"),
    "alertmanager_urls": lambda v: addresses.alertmanagers(v.d),
    "clustered": lambda v: v.d.loki.mode != "single-binary",
    "copies": lambda v: loki_targets.copies(v.d.loki),
    "grafana_url": lambda v: v.d.urls.grafana,
    "loki": lambda v: v.d.loki,
    "peers": lambda v: addresses.loki_peers(v.d),
    "query_hours": lambda v: int(seconds(v.d.loki.retention.longest) // 3600) + 1,
    "replay_memory": lambda v: loki_targets.in_memory(v.d.loki),
    "shared_markers": lambda v: (
        v.d.loki.object_store is not None and upstream.knows("loki", v.d.versions.loki, _MARKERS)
    ),
    "split": lambda v: v.d.loki.mode == "microservices",
}

# What either agent's configuration sees: what one stores of a line, the other does.
AGENT: Mapping[str, Value] = {
    **named("header", "namespace", "cluster"),
    "discovery": lambda v: agent.DISCOVERY[v.d.output],
    "expressions": lambda v: dict(agent.expressions(v.d)),
    "labels": lambda v: _asnamed(agent.stored(v.d, "label")),
    "level_template": lambda v: agent.level_template(v.d.logging.levels),
    "loki_url": lambda v: addresses.loki_push(v.d),
    "metadata": lambda v: _asnamed([*agent.stored(v.d, "metadata"), *agent.TARGET_METADATA]),
}


def _agent_row(server: str) -> Row:
    return Row(
        f"logging/{server}.yaml",
        f"kubernetes/{server}.yaml.j2",
        {
            **AGENT,
            "agent_namespace": lambda v: scrape.agent_namespace(v.d),
            "image": image_of(server),
        },
        when=lambda p: p.declaration.logging.agent.type == server,
        manifest=True,
    )


def _asnamed(names: Iterable[str]) -> dict[str, str]:
    """What an agent's stage takes: each name to the field that it comes from, of which an empty one is the field of that name."""
    return dict.fromkeys(names, "")


def _rule_maps(view: View) -> list[tuple[str, dict[str, str]]]:
    return configmaps("loki-rules", by_name(view.files))


_MARKERS = "compactor.deletion_marker_object_store_prefix"

ROWS: tuple[Row, ...] = (
    Row(
        "logging/loki.yaml",
        "kubernetes/loki.yaml.j2",
        {
            **LOKI,
            "image": image_of("loki"),
            "rule_maps": lambda v: [name for name, texts in _rule_maps(v) if texts],
            "s3_env": lambda v: secrets.environment(v.d, v.d.loki.object_store),
            "workloads": lambda v: loki_targets.workloads(v.d.loki),
        },
        when=lambda p: p.declaration.loki.deploy,
        wraps=("logging/rules/*.yaml",),
        manifest=True,
    ),
    Row(
        "logging/rules/*.yaml",
        "rules/group.yaml.j2",
        {**named("header"), "group": lambda v: v.item},
        each=lambda p: [(group.name, group) for group in p.groups_of("loki")],
    ),
    taken_rules("logging/rules/*.yaml", "loki"),
    Row(
        "logging/loki-rules.yaml",
        "kubernetes/configmaps.yaml.j2",
        {
            **named("header", "namespace"),
            "app": lambda v: "loki",
            "maps": _rule_maps,
        },
        when=lambda p: p.has_rules("loki"),
        wraps=("logging/rules/*.yaml",),
        manifest=True,
    ),
    _agent_row("promtail"),
    _agent_row("alloy"),
)
