"""Series: those that rules, panels and runbooks read are there, and those that are there are the ones that the checks know."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from obsgen import promql
from obsgen.checks.questions import made

from .life import happen, silence
from .questions import Question, Servers, selectors
from .stage import Stage
from .test_queries import LOGS, METRICS, asked, excused, servers

# What they read


def series(stage: Stage, *, logs: bool) -> None:
    """Each selector of each question finds series, or NOTHING excuses it; each label that is grouped by is on one of them."""
    asks, missing = servers(stage), set()

    def absent() -> bool:
        missing.clear()
        happen(stage)
        if logs:
            asks.ask(Question("somebody searches", "loki", '{namespace="auralink"} |= "Room"', 900, 2))
        for one in asked(stage.tree, logs=logs):
            if one.of == "prometheus":
                missing.update(_absent(asks, one))
        return not missing

    try:
        stage.await_(absent, 60, "series that are not there")
    except AssertionError:
        raise AssertionError("\n".join(sorted(missing))) from None


def _absent(asks: Servers, question: Question) -> Iterator[str]:
    labels: set[str] = set()
    for selector in selectors(question.text):
        found = asks.get("prometheus", "/series", start=f"{time.time() - 900}", **{"match[]": selector})
        labels.update(*found)
        if not found and not excused(selector):
            yield f"{question.where}: no series {selector}"
    if not excused(question.text):
        for label in promql.grouping_labels(promql.parse(question.text)) - labels - made(question.text):
            yield f"{question.where}: no series has the label {label}: {question.text}"


@METRICS
def test_every_series_that_is_read_is_there(stage: Stage) -> None:
    silence(stage)
    series(stage, logs=False)


@LOGS
def test_every_series_of_loki_and_its_agent_that_is_read_is_there(logged: Stage) -> None:
    series(logged, logs=True)


# The rules


def loaded(stage: Stage, of: str, folder: str, asks: Callable[[], Any]) -> None:
    """The groups of a folder of rules are those of the server, each rule evaluated without an error."""
    rendered = {}
    for path in (stage.tree / folder).glob("*.yaml"):
        if not path.stem.endswith("_test"):
            for group in yaml.safe_load(path.read_text())["groups"]:
                rendered[group["name"]] = [rule.get("alert") or rule["record"] for rule in group["rules"]]

    def healthy() -> bool:
        groups = asks()["groups"]
        assert {one["name"]: [rule["name"] for rule in one["rules"]] for one in groups} == rendered
        return all(rule["health"] == "ok" for one in groups for rule in one["rules"])

    stage.await_(healthy, 90, f"{of} does not evaluate its rules")


@pytest.mark.boots("prometheus")
def test_prometheus_evaluates_every_rule(stage: Stage) -> None:
    asks = servers(stage)
    loaded(stage, "Prometheus", "monitoring/rules", lambda: asks.get("prometheus", "/rules"))


@pytest.mark.boots("loki", "promtail")
def test_loki_evaluates_every_rule(logged: Stage) -> None:
    loaded(
        logged,
        "Loki",
        "logging/rules",
        lambda: json.loads(logged.get("loki", 3100, "/prometheus/api/v1/rules"))["data"],
    )


# What the servers export


@METRICS
def test_what_the_servers_export_is_what_the_checks_know(stage: Stage, exports: Callable[..., set[str]]) -> None:
    happen(stage)
    apps = {"prometheus", "alertmanager", "redis-exporter", "dlq-api", "ai-core-service"}
    assert exports(*apps) == apps


@LOGS
def test_what_loki_and_its_agent_export_is_what_the_checks_know(
    logged: Stage, exports: Callable[..., set[str]]
) -> None:
    happen(logged)
    assert exports("loki", "promtail") == {"loki", "promtail"}
