"""What operators do every day, and nobody must hear of; the heartbeat shows that people would have been told."""

from __future__ import annotations

import contextlib
import json
import time

import pytest

from .conftest import SERVICES
from .faults import firing, title
from .kept import Kept
from .stage import Stage
from .test_alerts import SEARCH, edited, reload_alertmanager

BEATS = 4
"""Heartbeats that are awaited afterwards: at 5 seconds each that is longer than every `for` of profile live."""
WORKLOADS = {
    "statefulset/alertmanager": "alertmanager",
    "statefulset/prometheus": "prometheus",
    "statefulset/dlq-redis": "dlq-redis",
    "deployment/redis-exporter": "redis-exporter",
    "deployment/dlq-api": "dlq-api",
    "deployment/dashboard-service": "dashboard-service",
    "deployment/ai-core-service": "ai-core-service",
}


def await_calm(stage: Stage) -> float:
    """When nothing fires any more but what is missing here for good: Loki and its agent, unless OBSGEN_LIVE=all."""

    def calm() -> bool:
        found = firing(stage)
        return "Watchdog" in found and not [
            name for name in found if name != "Watchdog" and not name.startswith(("Loki", "LogAgent"))
        ]

    stage.await_(calm, 120, "something fires on")
    return time.monotonic()


def await_beats(stage: Stage, number: int = BEATS) -> None:
    """So many more heartbeats."""

    def heard() -> int:
        return sum(one.channel == "watchdog" for one in stage.sinks.told)

    before = heard()
    stage.sinks.await_(lambda: heard() >= before + number, 150, "no heartbeat")


def began(stage: Stage, since: float) -> list[tuple[str, str]]:
    """What people were told that it began: channel and first line."""
    return [
        (one.channel, title(one))
        for one in stage.sinks.told
        if one.at >= since and one.channel != "watchdog" and not one.resolves
    ]


@pytest.mark.boots("prometheus", "alertmanager", "dlq-redis", "redis-exporter", "dlq-api")
def test_restarts_of_all_servers_and_services_page_nobody(stage: Stage, kept: Kept) -> None:
    since = await_calm(stage)
    # Alertmanager first: Prometheus tells it of what fires once a minute, and a new Prometheus at once
    for workloads in (["statefulset/alertmanager"], list(WORKLOADS)[1:]):
        known = {pod.uid for workload in workloads for pod in stage.pods(WORKLOADS[workload])}
        stage.plane.kubectl("rollout", "restart", "-n", "auralink", *workloads)
        for workload in workloads:
            app = WORKLOADS[workload]
            stage.await_(
                lambda app=app, known=known: (
                    (pods := stage.pods(app)) and all(pod.ready and pod.uid not in known for pod in pods)
                ),
                120,
                f"{workload} is not replaced",
            )
    await_beats(stage)
    told = began(stage, since)
    for workload in WORKLOADS:
        kept.benign(f"kubectl rollout restart {workload}", len(told))
    assert told == []


@pytest.mark.boots("prometheus", "alertmanager")
def test_a_reload_a_new_service_without_traffic_and_a_quiet_one_page_nobody(stage: Stage, kept: Kept) -> None:
    stage.plane.kubectl("apply", "--server-side", "-f", str(SEARCH), "-f", str(SERVICES))
    stage.await_ready("search-service")
    since = await_calm(stage)
    loaded = _loaded(stage)

    def comment(text: str) -> str:
        return f"{text}\n# somebody was here\n"

    with contextlib.ExitStack() as edits:
        for name, key in (
            ("prometheus-config", "prometheus.yaml"),
            ("alertmanager-config", "alertmanager.yaml"),
            ("alert-rules", "services.yaml"),
        ):
            edits.enter_context(edited(stage, name, key, comment))
        reload_alertmanager(stage)
        stage.await_(lambda: _loaded(stage) > loaded, 60, "Prometheus does not look by itself")  # every 30 seconds
        await_beats(stage)
    reload_alertmanager(stage)
    told = began(stage, since)
    for operation in (
        "Prometheus and its rules loaded anew after a change of their ConfigMaps",
        "Alertmanager loads its configuration anew",
        "a new service that no request has reached yet",
        "a service without a request",
    ):
        kept.benign(operation, len(told))
    assert told == []


def _loaded(stage: Stage) -> float:
    """When Prometheus last loaded its configuration."""
    query = "prometheus_config_last_reload_success_timestamp_seconds"
    found = json.loads(stage.get("prometheus", 9090, "/api/v1/query", query=query))
    return float(found["data"]["result"][0]["value"][1])
