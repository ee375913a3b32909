"""What operators do every day, and nobody must hear of."""

from __future__ import annotations

import time

import pytest

from .sinks import Told
from .stage import Stage

ALERTING = ("alertmanager", "prometheus", "dlq-redis", "redis-exporter", "dlq-api")


def told(stage: Stage, since: float) -> list[tuple[str, str]]:
    """What people were told since, the ends of earlier alerts left out."""

    def words(one: Told) -> tuple[str, str]:
        return one.channel, one.text[:200]

    return [
        words(one) for one in stage.sinks.told if one.at >= since and one.channel != "watchdog" and not one.resolves
    ]


@pytest.mark.boots(*ALERTING)
@pytest.mark.parametrize("app", ALERTING)
def test_a_restarted_server_pages_nobody(stage: Stage, app: str) -> None:
    stage.await_ready(app)
    began = time.monotonic()
    for pod in stage.pods(app):
        stage.replace(pod)
    beats = sum(one.channel == "watchdog" for one in stage.sinks.told)
    # two heartbeats are longer than every `for` of this profile, and show that alerts do arrive meanwhile
    stage.sinks.await_(
        lambda: sum(one.channel == "watchdog" for one in stage.sinks.told) >= beats + 2, 150, "no heartbeat"
    )
    assert told(stage, began) == []
