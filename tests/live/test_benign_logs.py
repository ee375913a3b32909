"""What operators and nodes do every day with Loki, the agent and the logs, and nobody must hear of.

Before test_exported by its name, whose failing requests burn an error budget: those alerts fire on for hours.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import pytest

from .kept import Kept
from .stage import Stage
from .test_alerts import edited
from .test_benign import await_beats, await_calm, nobody_was_told
from .test_log_alerts import LOGS, costly, fill, search

BEATS = 10
"""Heartbeats that are awaited afterwards: at 5 seconds each that is longer than any `for` about Loki and the agent in profile live."""


def await_replaced(stage: Stage, app: str, known: set[str]) -> None:
    stage.await_(
        lambda: (pods := stage.pods(app)) and all(pod.ready and pod.uid not in known for pod in pods),
        120,
        f"{app} is not replaced",
    )


@pytest.mark.boots(*LOGS)
def test_restarts_of_loki_and_of_its_agent_page_nobody(stage: Stage, kept: Kept) -> None:
    since = await_calm(stage)
    workloads = {("auralink", "statefulset/loki"): "loki", ("auralink-agents", "daemonset/promtail"): "promtail"}
    for (namespace, workload), app in workloads.items():
        known = {pod.uid for pod in stage.pods(app)}
        stage.plane.kubectl("rollout", "restart", "-n", namespace, workload)
        await_replaced(stage, app, known)
    await_beats(stage, BEATS)
    nobody_was_told(stage, kept, since, *(f"kubectl rollout restart {workload}" for _, workload in workloads))


@contextlib.contextmanager
def restarted_by_its_checksum(stage: Stage, namespace: str, workload: str, app: str) -> Iterator[None]:
    """Its configuration is changed as `kubectl apply` of a new rendering does: the ConfigMap, and the checksum that restarts its Pods."""

    def checksum(value: str) -> None:
        known = {pod.uid for pod in stage.pods(app)}
        body = {"spec": {"template": {"metadata": {"annotations": {"checksum/config": value}}}}}
        stage.plane.kubectl("patch", "-n", namespace, workload, f"--patch={json.dumps(body)}")
        await_replaced(stage, app, known)

    before = stage.pods(app)[0].manifest["metadata"]["annotations"]["checksum/config"]
    with edited(stage, f"{app}-config", f"{app}.yaml", lambda text: f"{text}\n# somebody was here\n", namespace):
        checksum("changed")
        yield
    checksum(before)


@pytest.mark.boots(*LOGS)
def test_changed_configuration_a_burst_rotated_files_and_quiet_services_page_nobody(stage: Stage, kept: Kept) -> None:
    since = await_calm(stage)
    with (
        edited(stage, "loki-rules", "auralink_logs.yaml", lambda text: f"{text}\n# somebody was here\n"),
        restarted_by_its_checksum(stage, "auralink", "statefulset/loki", "loki"),
        restarted_by_its_checksum(stage, "auralink-agents", "daemonset/promtail", "promtail"),
    ):
        writer = stage.pods("dashboard-service")[0]
        for part in range(4):  # rotated within the burst, as a node does whose files are full, or at midnight
            stage.order("dashboard-service", "log", level="INFO", message=f"part {part} " + "x" * 1000, count=1000)
            writer.logs["dashboard-service"].rotate()
        await_beats(stage, BEATS)
    nobody_was_told(
        stage,
        kept,
        since,
        "configuration of Loki and of the agent changed: ConfigMap and checksum, so both restart",
        "rules of Loki's ruler changed, which it reads by itself",
        "4 MB of lines at once, under the limits",
        "log files rotated as a kubelet does at midnight or when they are full",
        "services that log nothing, and a new one without traffic",
    )


@pytest.mark.boots(*LOGS)
def test_searches_that_people_leave_are_told_as_slow_and_not_as_errors_of_loki(stage: Stage, kept: Kept) -> None:
    since = await_calm(stage)
    fill(stage)
    for _ in range(10):
        with contextlib.suppress(OSError):  # TimeoutError: its asker has left
            search(stage, costly(), seconds=0.3)
    await_beats(stage, BEATS)
    words = "10 slow searches that people leave before they end: nothing but LogSearchSlow"
    nobody_was_told(stage, kept, since, words, but="LogSearchSlow")
