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


def parts_of(stage: Stage, part: str) -> list[Pod]:
    """The ready Pods of one part."""
    return [
        pod
        for pod in stage.pods("loki")
        if pod.ready and pod.manifest["metadata"]["labels"]["app.kubernetes.io/component"] == part
    ]


def whole(stage: Stage, writer: loki.Writer) -> None:
    """Every line that was acknowledged so far is found once, through each query-frontend."""
    for pod in parts_of(stage, "query-frontend"):
        loki.await_whole(stage, pod, writer)


@pytest.mark.boots("loki", profile="ha-parts")
def test_the_parts_of_loki_take_lines_and_find_them(stage: Stage, kept: Kept) -> None:
    made = parts(stage)
    with loki.Writer(lambda: parts_of(stage, "distributor")) as writer:
        writer.more(100, 60)
        whole(stage, writer)
        for pod in made["ingester"]:
            loki.ask(pod, "/flush", method="POST")
        stage.await_(lambda: s3.chunks(stage.node.home), 60, "no chunk comes into the bucket")
        whole(stage, writer)
        with contextlib.ExitStack() as stack:
            for part in ("compactor", "ingester", "query-scheduler"):
                stack.enter_context(stage.killed(made[part][0]))
            writer.more(100, 60)
            whole(stage, writer)
        parts(stage)
        writer.more(100, 60)
        whole(stage, writer)
    how = (
        f"{sum(PARTS.values())} processes over S3; compactor, one ingester and one scheduler killed (SIGKILL) and back"
    )
    kept.number("lines acknowledged by the parts of Loki, each found once", len(writer.acknowledged), "lines", how)


@pytest.mark.boots("loki", "alertmanager", profile="ha-parts")
def test_a_log_alert_goes_through_ruler_and_query_frontend(stage: Stage, kept: Kept) -> None:
    parts(stage)
    began = time.monotonic()
    line = json.dumps({"message": "circuit breaker", "context": {"state": "open"}})
    loki.push(parts_of(stage, "distributor")[0], loki.stamped(line), level="WARN")

    def told() -> dict[str, float]:
        about = stage.sinks.about("CircuitBreakerOpened", began)
        return {one.channel: one.at - began for one in about if not one.resolves}

    stage.sinks.await_(lambda: told().keys() == {"mail", "slack"}, 180, "nobody is told")
    fault = "a line of an open circuit breaker; ruler and query-frontend apart"
    kept.alert("CircuitBreakerOpened", "warning", fault, told(), {})
