"""What people and rules ask on one machine, asked of its servers: what tests/live/test_queries.py asks of a cluster's."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from ..kept import Kept
from ..life import minute, silence_at
from ..questions import Servers
from ..test_exported import loaded
from ..test_queries import NOTHING, answers, asked, choose, own_range
from .engine import Engine
from .test_machine import order

METRICS = pytest.mark.boots(
    "prometheus", "alertmanager", "dlq-redis", "redis-exporter", "dlq-api", "grafana", "runbooks", profile="compose"
)
LOGS = pytest.mark.boots(
    "loki", "alloy", "prometheus", "alertmanager", "dlq-api", "grafana", "runbooks", profile="compose"
)
"""Of Grafana the files: dashboards and data sources. It is not started."""

FOLDERS = {
    "monitoring": "prometheus",
    "logging": "loki",
    "dashboards": "grafana/dashboards",
    "grafana": "grafana",
    "runbooks": "runbooks",
}
"""Folder of a cluster's tree → where that is in the tree of one machine."""

NOT_HERE = {
    "container_cpu_cfs_throttled_periods_total": "a kubelet exports it, and there is none",
    'ALERTS_FOR_STATE{severity="critical"': "nothing critical fires so soon",
    "loki_compactor_apply_retention": "retention runs every ten minutes, and first after as many",
}
"""What a question or a selector says → why nothing is found on one machine, besides NOTHING."""


@pytest.fixture(scope="module")
def tree(trees: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The machine's tree, its folders where a cluster's are."""
    folder = tmp_path_factory.mktemp("as-of-a-cluster")
    for name, place in FOLDERS.items():
        (folder / name).symlink_to(trees / "compose" / place)
    return folder


@pytest.fixture
def asks(machine: Engine) -> Servers:
    """The machine's servers, at the ports that it publishes."""
    found = {"prometheus": "http://localhost:9090/api/v1"}
    if "loki" in machine.containers:
        found["loki"] = "http://localhost:3100/loki/api/v1"
    return Servers(found)


def all_answered(machine: Engine, asks: Servers, tree: Path, *, logs: bool) -> int:
    """How many questions of the tree were asked; all are answered, and those that must have found something. Then the dashboards', with
    each choice in them, and for their own ranges.
    """
    happens = functools.partial(minute, functools.partial(order, machine))
    number = answers(asks, list(asked(tree, logs=logs)), happens, machine.await_, {**NOTHING, **NOT_HERE})
    of = "loki" if logs else "prometheus"
    assert choose(asks, tree, of) > 100
    own_range(asks, tree, of)
    return number


@METRICS
def test_every_question_about_metrics_finds_what_happened_on_one_machine(
    machine: Engine, asks: Servers, tree: Path, kept: Kept
) -> None:
    silence_at("localhost")
    order(machine, "ai-core-service", "give_up", queue="agents:create", count=150)  # so that an alert is found, too
    number = all_answered(machine, asks, tree, logs=False)
    how = "dashboards, rules and runbooks of the Compose tree, asked of Prometheus"
    kept.number("questions about metrics of one machine, answered", number, "", how)


@LOGS
def test_every_question_about_logs_finds_what_happened_on_one_machine(
    machine: Engine, asks: Servers, tree: Path, kept: Kept
) -> None:
    machine.get(3100, "/flush")  # chunks are written, as they are after half an hour without lines
    number = all_answered(machine, asks, tree, logs=True)
    how = "dashboards, rules and runbooks of the Compose tree, asked of Loki and Prometheus"
    kept.number("questions about logs of one machine, answered", number, "", how)


@pytest.mark.boots("prometheus", profile="compose")
def test_the_prometheus_of_one_machine_evaluates_every_rule(machine: Engine, asks: Servers, tree: Path) -> None:
    place = SimpleNamespace(tree=tree, await_=machine.await_)
    loaded(place, "Prometheus", "monitoring/rules", lambda: asks.get("prometheus", "/rules"))


@pytest.mark.boots("loki", "alloy", profile="compose")
def test_the_loki_of_one_machine_evaluates_every_rule(machine: Engine, tree: Path) -> None:
    place = SimpleNamespace(tree=tree, await_=machine.await_)
    loaded(place, "Loki", "logging/rules", lambda: json.loads(machine.get(3100, "/prometheus/api/v1/rules"))["data"])
