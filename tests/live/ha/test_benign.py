"""One replica of several is restarted: what a drained node does, and nobody must hear of it."""

from __future__ import annotations

import json
import time
from datetime import datetime

import pytest

from ..kept import Kept
from ..stage import Stage
from . import loki
from .test_alertmanagers import beats

ABSENT = ("ServiceDown", "AvailabilityUnknown")
"""Told all the time: the declared services are not in this cluster."""


def active(stage: Stage, since: float) -> set[str]:
    """Alerts that began to be true since (seconds since the epoch), pending ones too. Raises OSError."""
    found = json.loads(stage.get("prometheus", 9090, "/api/v1/alerts"))["data"]["alerts"]
    return {
        one["labels"]["alertname"] for one in found if datetime.fromisoformat(one["activeAt"]).timestamp() >= since
    } - {*ABSENT}


@pytest.mark.boots("alertmanager", "prometheus", "loki", "redis-exporter", "dlq-api", profile="ha")
@pytest.mark.parametrize("app", ["alertmanager", "loki"])
def test_a_restarted_replica_pages_nobody(stage: Stage, kept: Kept, app: str) -> None:
    for one in ("alertmanager", "prometheus", "loki", "redis-exporter", "dlq-api"):
        stage.await_ready(one, 180)
    since, began = time.time(), time.monotonic()
    labels = {"app": "dashboard-service", "level": "INFO", "namespace": "auralink"}
    with loki.Writer(lambda: [pod for pod in stage.pods("loki") if pod.ready], labels) as writer:
        writer.more(20, 30)
        stage.replace(stage.pods(app)[0], 300)
        beats(stage, 2)
        writer.more(20, 30)
    stage.await_(lambda: not active(stage, since), 600, f"alerts since: {active(stage, since)}")
    told = [one for one in stage.sinks.told if one.at >= began and one.channel != "watchdog" and not one.resolves]
    told = [one for one in told if not any(name in one.text for name in ABSENT)]
    assert [(one.channel, one.text[:200]) for one in told] == []
    kept.benign(f"one of three replicas of {app} restarted", 0)
