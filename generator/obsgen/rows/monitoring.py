"""What scrapes, evaluates rules and tells people."""

from __future__ import annotations

from collections.abc import Mapping

from .. import routing, ruletests, scrape, secrets
from ..agent import DISCOVERY
from ..rules import alerts
from .row import Row, Value, View, by_name, configmaps, image, image_of, named, taken_rules


def _rule_maps(view: View) -> list[tuple[str, dict[str, str]]]:
    return configmaps("alert-rules", by_name(view.files))


def _inhibition(view: View) -> tuple[list[tuple[str, list[str]]], list[str]]:
    return routing.inhibited_by(view.d, (alert for _, alert in alerts(view.d, view.plan.packs)))


# Each group as a file of its own, those that are taken over, and its tests: what promtool reads, and what other files carry.
RULES: tuple[Row, ...] = (
    Row(
        "monitoring/rules/*.yaml",
        "rules/group.yaml.j2",
        {**named("header"), "group": lambda v: v.item},
        each=lambda p: [(group.name, group) for group in p.groups_of("prometheus")],
    ),
    taken_rules("monitoring/rules/*.yaml", "prometheus"),
    Row(
        "monitoring/rules/*_test.yaml",
        "rules/test.yaml.j2",
        {
            **named("header"),
            "cases": lambda v: ruletests.cases(v.item),
            "rule_files": lambda v: ruletests.rule_files(v.item, v.plan.groups_of("prometheus")),
        },
        each=lambda p: [(g.name, g) for g in p.groups_of("prometheus") if any(rule.examples for rule in g.rules)],
    ),
)

# What `alertmanager/config.yaml.j2` sees, whatever carries the configuration; `templates` is where its templates are mounted.
ALERTMANAGER: Mapping[str, Value] = {
    **named("header", "cluster"),
    "alertmanager": lambda v: v.d.alertmanager,
    "heartbeat": lambda v: routing.heartbeat(v.d),
    "inhibition": _inhibition,
    "receivers": lambda v: secrets.located(v.d, routing.receivers(v.d)),
    "routes": lambda v: routing.routes(v.d),
}

# What `prometheus/config.yaml.j2` sees, but for `rule_paths`.
PROMETHEUS: Mapping[str, Value] = {
    **named("header", "namespace", "cluster"),
    "alertmanager": lambda v: v.d.alertmanager,
    "discovery": lambda v: DISCOVERY[v.d.output],
    "prometheus": lambda v: v.d.prometheus,
    "targets": lambda v: scrape.targets(v.d),
}

ROWS: tuple[Row, ...] = (
    Row(
        "monitoring/prometheus.yaml",
        "kubernetes/prometheus.yaml.j2",
        {
            **PROMETHEUS,
            "agent_namespace": lambda v: scrape.agent_namespace(v.d),
            "external_url": lambda v: v.d.urls.prometheus,
            "image": image_of("prometheus"),
            "rule_paths": lambda v: ["/etc/prometheus/rules/*.yaml"],
            "rule_maps": lambda v: [name for name, texts in _rule_maps(v) if texts],
        },
        when=lambda p: p.declaration.prometheus.deploy,
        wraps=("monitoring/rules/*.yaml",),
        manifest=True,
    ),
    *RULES,
    Row(
        "monitoring/alert-rules.yaml",
        "kubernetes/configmaps.yaml.j2",
        {**named("header", "namespace"), "app": lambda v: "prometheus", "maps": _rule_maps},
        when=lambda p: p.has_rules("prometheus"),
        wraps=("monitoring/rules/*.yaml",),
        manifest=True,
    ),
    Row(
        "monitoring/alertmanager.yaml",
        "kubernetes/alertmanager.yaml.j2",
        {
            **named("namespace"),
            **ALERTMANAGER,
            "external_url": lambda v: v.d.urls.alertmanager,
            "image": image_of("alertmanager"),
            "replicas": lambda v: range(v.d.alertmanager.replicas),
            "reloader_image": lambda v: image("prometheus-config-reloader"),
            "secret_files": lambda v: secrets.files(v.d, routing.receivers(v.d)),
            "templates": lambda v: "/etc/alertmanager/templates/*.tmpl",
        },
        manifest=True,
    ),
)
