"""What prometheus-operator takes: rules, monitors and Alertmanager's configuration as its objects; its servers are its own."""

from __future__ import annotations

from collections.abc import Mapping

from .. import scrape
from ..rules import object_name
from .monitoring import ALERTMANAGER, RULES
from .row import Row, View, by_name, named


def _labels(view: View, app: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": app, **(view.d.operator.labels or {})}


def objects(files: Mapping[str, str]) -> list[tuple[str, str]]:
    """Rule files as objects: a name that Kubernetes allows, made of the file's, and no two the same; with the file's text."""
    named: dict[str, str] = {}
    for file, text in by_name(files).items():
        name = object_name(file.rpartition(".")[0])
        others = sum(taken == name or taken.startswith(f"{name}--") for taken in named)
        named[f"{name}--{others + 1}" if others else name] = text
    return list(named.items())


ROWS: tuple[Row, ...] = (
    *RULES,
    Row(
        "monitoring/rules.yaml",
        "operator/rules.yaml.j2",
        {
            **named("header", "namespace"),
            "labels": lambda v: _labels(v, "prometheus"),
            "objects": lambda v: objects(v.files),
        },
        when=lambda p: p.has_rules("prometheus"),
        wraps=("monitoring/rules/*.yaml",),
        manifest=True,
    ),
    Row(
        "monitoring/monitors.yaml",
        "operator/monitors.yaml.j2",
        {
            **named("header", "cluster"),
            "interval": lambda v: v.d.prometheus.scrape_interval,
            "monitors": lambda v: [(target, _labels(v, target.app)) for target in scrape.targets(v.d)],
        },
        manifest=True,
    ),
    Row(
        "monitoring/alertmanager.yaml",
        "operator/alertmanager.yaml.j2",
        {
            **ALERTMANAGER,
            "monitoring_namespace": lambda v: v.d.monitoring_namespace,
            # the operator mounts the other keys of the Secret beside the configuration (0.85)
            "templates": lambda v: "/etc/alertmanager/config/*.tmpl",
        },
        manifest=True,
    ),
)
