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

APPS = "alertmanager", "prometheus", "loki", "promtail", "redis-exporter", "dlq-api"
SERVICES = "dashboard-service", "ai-core-service"


def active(stage: Stage, since: float) -> set[str]:
    """Alerts that began to be true since (seconds since the epoch), pending ones too. Raises OSError."""
    found = json.loads(stage.get("prometheus", 9090, "/api/v1/alerts"))["data"]["alerts"]
    return {one["labels"]["alertname"] for one in found if datetime.fromisoformat(one["activeAt"]).timestamp() >= since}


@pytest.mark.boots(*APPS, profile="ha")
@pytest.mark.parametrize("app", ["alertmanager", "loki"])
def test_a_restarted_replica_pages_nobody(stage: Stage, kept: Kept, app: str) -> None:
    for one in (*APPS, *SERVICES):
        stage.await_ready(one, 180)
    since, began = time.time(), time.monotonic()
    with loki.Writer(lambda: [pod for pod in stage.pods("loki") if pod.ready]) as writer:
        writer.more(20, 30)
        stage.replace(stage.pods(app)[0], 300)
        beats(stage, 2)
        writer.more(20, 30)
    stage.await_(lambda: not active(stage, since), 600, f"alerts since: {active(stage, since)}")
    told = [one for one in stage.sinks.told if one.at >= began and one.channel != "watchdog" and not one.resolves]
    assert [(one.channel, one.text[:200]) for one in told] == []
    kept.benign(f"one of three replicas of {app} restarted", 0)
