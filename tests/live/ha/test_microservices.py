"""Loki's parts, each a Pod of its own: sixteen processes that take a line and find it."""

from __future__ import annotations

import contextlib
import json
import time

import pytest

from ..kept import Kept
from ..pod import Pod
from ..stage import Stage
from . import loki, s3

PARTS = {
    "distributor": 2,
    "ingester": 3,
    "querier": 2,
    "query-frontend": 2,
    "query-scheduler": 2,
    "index-gateway": 2,
    "compactor": 1,
    "ruler": 2,
}


def parts(stage: Stage) -> dict[str, list[Pod]]:
    """The Pods of each part, once all are ready."""

    def by_part() -> dict[str, list[Pod]] | None:
        found: dict[str, list[Pod]] = {}
        for pod in stage.pods("loki"):
            found.setdefault(pod.manifest["metadata"]["labels"]["app.kubernetes.io/component"], []).append(pod)
        good = all(pod.ready for pods in found.values() for pod in pods)
        return found if good and {name: len(pods) for name, pods in found.items()} == PARTS else None

    found = stage.await_(by_part, 240, "not every part of Loki is ready")
    assert isinstance(found, dict)
    return found


def found(stage: Stage, writer: loki.Writer, query: str, since: float) -> None:
    """Every line that was acknowledged so far, once, through each query-frontend that runs."""
    for pod in parts_of(stage, "query-frontend"):
        loki.await_whole(stage, pod, writer, query, since)


def parts_of(stage: Stage, part: str) -> list[Pod]:
    """The ready Pods of one part."""
    return [
        pod
        for pod in stage.pods("loki")
        if pod.ready and pod.manifest["metadata"]["labels"]["app.kubernetes.io/component"] == part
    ]


@pytest.mark.boots("loki", profile="ha-parts")
def test_the_parts_of_loki_take_lines_and_find_them(stage: Stage, kept: Kept) -> None:
    made, since, query = parts(stage), time.time() - 1, '{app="dashboard-service"} |= "line"'
    labels = {"app": "dashboard-service", "level": "INFO", "namespace": "auralink"}
    with loki.Writer(lambda: parts_of(stage, "distributor"), labels) as writer:
        writer.more(100, 60)
        found(stage, writer, query, since)
        for pod in made["ingester"]:
            loki.ask(pod, "/flush", method="POST")
        stage.await_(lambda: s3.chunks(stage.node.home), 60, "no chunk comes into the bucket")
        found(stage, writer, query, since)
        lost = [made[part][0] for part in ("compactor", "ingester", "query-scheduler")]
        with contextlib.ExitStack() as stack:
            for pod in lost:
                stack.enter_context(stage.killed(pod))
            writer.more(100, 60)
            found(stage, writer, query, since)
        parts(stage)
        writer.more(100, 60)
        found(stage, writer, query, since)
    how = (
        f"{sum(PARTS.values())} processes over S3; compactor, one ingester and one scheduler killed (SIGKILL) and back"
    )
    kept.number("lines acknowledged by microservices, each found once", len(writer.acknowledged), "lines", how)


@pytest.mark.boots("loki", "alertmanager", profile="ha-parts")
def test_a_log_alert_goes_through_ruler_and_query_frontend(stage: Stage, kept: Kept) -> None:
    parts(stage)
    began = time.monotonic()
    line = json.dumps({"message": "circuit breaker", "context": {"state": "open"}})
    labels = {"app": "dashboard-service", "level": "WARN", "namespace": "auralink"}
    loki.push(parts_of(stage, "distributor")[0], labels, [(time.time_ns(), line)])

    def told() -> list[str]:
        return sorted(one.channel for one in stage.sinks.about("CircuitBreakerOpened", began) if not one.resolves)

    stage.sinks.await_(lambda: told() == ["mail", "slack"], 180, "nobody is told")
    kept.alert(
        "CircuitBreakerOpened", "a line of an open circuit breaker, by the ruler of microservices",
        {one.channel: one.at - began for one in stage.sinks.about("CircuitBreakerOpened", began)}, {},
    )  # fmt: skip
