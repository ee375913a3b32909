"""What operators do every day, and nobody must hear of; the heartbeat shows that people would have been told."""

from __future__ import annotations

import contextlib
import json
import time

import pytest

from .by_hand import edited, reload_alertmanager
from .conftest import SERVICES
from .faults import always, begun, firing, number
from .kept import Kept
from .stage import Stage

SEARCH = SERVICES.with_name("search-service.yaml")
BEATS = 8
"""Heartbeats that are awaited afterwards, one every 5 seconds: 35 seconds at least. In profile live that is the longest `for` of what is
restarted here (AlertmanagerNotifyFailing, 30 seconds), a scrape, an evaluation and the group's wait. Only LokiRetentionNeverRan takes
longer (40 seconds): Loki and its agent are restarted in test_benign_logs, which awaits more.
"""
WORKLOADS = {
    "statefulset/prometheus": "prometheus",
    "statefulset/alertmanager": "alertmanager",
    "statefulset/dlq-redis": "dlq-redis",
    "deployment/redis-exporter": "redis-exporter",
    "deployment/dlq-api": "dlq-api",
    "deployment/dashboard-service": "dashboard-service",
    "deployment/ai-core-service": "ai-core-service",
}


def await_calm(stage: Stage) -> float:
    """When nothing fires any more but what always does, and nothing is about to, which would look as if it came of what is done now."""
    stage.plane.kubectl("apply", "--server-side", "-f", str(SERVICES), "-f", str(SEARCH))
    stage.await_ready("search-service")

    def others() -> set[str]:
        """Pending or firing. Raises OSError."""
        found = json.loads(stage.get("prometheus", 9090, "/api/v1/alerts"))["data"]["alerts"]
        return {name for one in found if not always(stage).fullmatch(name := one["labels"]["alertname"])}

    try:
        stage.await_(lambda: "Watchdog" in firing(stage) and not others(), 120, "something fires on")
    except AssertionError as error:
        raise AssertionError(f"{others()} fire on") from error
    return time.monotonic()


def await_beats(stage: Stage, number: int = BEATS) -> None:
    """So many more heartbeats."""
    stage.sinks.await_beats(number, 150)


def nobody_was_told(stage: Stage, kept: Kept, since: float, *operations: str, but: str = "nothing") -> None:
    """Of what began since (monotonic seconds), `but` the alert that rightly speaks; the operations are kept."""
    told = [line for _, line in begun(stage, since) if f"] {but} " not in line]
    for operation in operations:
        kept.benign(operation, len(told))
    assert told == []


def restart(stage: Stage, *workloads: str) -> None:
    """`kubectl rollout restart`, until all Pods are others, and ready."""
    known = {pod.uid for workload in workloads for pod in stage.pods(WORKLOADS[workload])}
    stage.plane.kubectl("rollout", "restart", "-n", "auralink", *workloads)

    def replaced(app: str) -> bool:
        pods = stage.pods(app)
        return bool(pods) and all(pod.ready and pod.uid not in known for pod in pods)

    for workload in workloads:
        stage.await_(lambda app=WORKLOADS[workload]: replaced(app), 120, f"{workload} is not replaced")


@pytest.mark.boots("prometheus", "alertmanager", "dlq-redis", "redis-exporter", "dlq-api")
def test_reloads_restarts_and_services_without_traffic_page_nobody(stage: Stage, kept: Kept) -> None:
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
        first, *others = WORKLOADS
        restart(stage, *others)
        stage.await_(lambda: _loaded(stage) > loaded, 60, "Prometheus does not look by itself")  # every 30 seconds
        # the last: it tells the new Alertmanager at once what fires, else once a minute
        restart(stage, first)
        await_beats(stage)
    reload_alertmanager(stage)
    nobody_was_told(
        stage,
        kept,
        since,
        "ConfigMaps of Prometheus and its rules change, and it loads them by itself",
        "Alertmanager is asked to load its changed configuration",
        *(f"kubectl rollout restart {workload}" for workload in WORKLOADS),
        "a new service that no request has reached yet",
        "a service without a request",
    )


def _loaded(stage: Stage) -> float:
    """When Prometheus last loaded its configuration."""
    return number(stage, "max(prometheus_config_last_reload_success_timestamp_seconds)") or 0
