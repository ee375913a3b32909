"""The circle of a dead letter, and who is told: real Redis, API, Prometheus and Alertmanager from the rendered files."""

from __future__ import annotations

import json
import time
import urllib.request
from typing import Any

import pytest
import redis

from auralink_shared.dlq import DeadLetters, Record, RetryPolicy, handle

from .conftest import TOKEN
from .stage import Stage


def letters(stage: Stage) -> DeadLetters:
    """As a service has them: over the name of the Service, as the user dlq."""
    return DeadLetters(redis.Redis(host=stage.pods("dlq-redis")[0].address, username="dlq", password="redis-password"))


def api(stage: Stage, method: str, path: str, body: Any = None) -> Any:
    """The admin API, as nina."""
    pod = stage.pods("dlq-api")[0]
    request = urllib.request.Request(
        f"http://{pod.address}:8080/api/v1/admin/dlq{path}", method=method, data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=20) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def channels(stage: Stage, alert: str, since: float, *, resolved: bool = False) -> list[tuple[str, str]]:
    """Who was told of an alert, and where."""
    return sorted((one.channel, one.to) for one in stage.sinks.about(alert, since) if one.resolves == resolved)


PLATFORM = [("mail", "oncall@auralink.example"), ("slack", "#auralink-alerts")]
AI = [("mail", "oncall@auralink.example"), ("slack", "#auralink-ai")]


@pytest.mark.boots("prometheus", "alertmanager")
def test_the_heartbeat_leaves_the_cluster(stage: Stage) -> None:
    stage.sinks.await_(lambda: any(one.channel == "watchdog" for one in stage.sinks.told), 60, "no heartbeat")


@pytest.mark.boots("prometheus", "alertmanager", "dlq-redis", "dlq-api", "redis-exporter")
def test_a_dead_letter_goes_round_and_the_team_of_its_queue_hears_of_it(stage: Stage) -> None:
    began, queue = time.monotonic(), "agents:create"
    dead = letters(stage)

    def fail(payload: bytes) -> None:
        raise TimeoutError("the model does not answer")

    policy = RetryPolicy(max_attempts=2, base=0.001, cap=0.002)
    for number in range(150):
        handle(dead, queue, b'{"agent": %d}' % number, fail, policy=policy)
    stage.sinks.await_(lambda: channels(stage, "DLQDepthHigh", began) == AI, 60, "nobody is told of the depth")
    told = next(one for one in stage.sinks.about("DLQDepthHigh", began) if one.channel == "slack")
    assert "https://runbooks.auralink.example/DLQDepthHigh" in told.text

    stage.replace(stage.pods("dlq-redis")[0])
    assert letters(stage).stats(queue).depth == 150

    stage.await_(lambda: api(stage, "GET", "/queues"), 30, "the API does not find Redis again")
    job = api(stage, "POST", "/bulk", {"queue": queue, "action": "retry", "filter": {"error": "model"}, "rate": 500})
    stage.await_(lambda: api(stage, "GET", f"/bulk/{job['id']}")["state"] == "done", 60, "the bulk job does not end")
    client = letters(stage).client
    handled = set()
    while message := client.lpop(queue):
        handled.add(json.loads(message)["agent"])
    assert handled == set(range(150))
    stage.sinks.await_(
        lambda: channels(stage, "DLQDepthHigh", began, resolved=True) == AI, 90, "nobody is told that it is over"
    )
    assert channels(stage, "DLQDepthHigh", began) == AI
    audit = api(stage, "GET", f"/audit?queue={queue}&limit=500")
    assert {"nina"} == {one["by"] for one in audit if one["what"] == "retry"}


@pytest.mark.boots("prometheus", "alertmanager", "dlq-redis", "dlq-api")
def test_many_dead_letters_a_second_are_told_in_chat_and_mail(stage: Stage) -> None:
    began, queue = time.monotonic(), "rooms:create"
    dead = letters(stage)
    for number in range(3600):
        dead.add(Record(queue, b'{"room": %d}' % number, error="refused", attempts=3))
    stage.sinks.await_(lambda: channels(stage, "DLQHighVolume", began) == PLATFORM, 60, "nobody is told of the volume")


@pytest.mark.boots("prometheus", "alertmanager", "dlq-redis", "redis-exporter")
def test_a_redis_that_is_gone_pages_once_and_is_told_to_be_back(stage: Stage) -> None:
    began = time.monotonic()
    page = [("mail", "oncall@auralink.example"), ("pagerduty", "pagerduty-routing-key"), ("slack", "#auralink-alerts")]
    stage.plane.kubectl("scale", "-n", "auralink", "statefulset/dlq-redis", "--replicas=0")
    stage.sinks.await_(lambda: channels(stage, "RedisDown", began) == page, 60, "nobody is paged")
    stage.plane.kubectl("scale", "-n", "auralink", "statefulset/dlq-redis", "--replicas=1")
    stage.sinks.await_(
        lambda: channels(stage, "RedisDown", began, resolved=True) == page, 90, "nobody is told that it is back"
    )
    assert channels(stage, "RedisDown", began) == page
