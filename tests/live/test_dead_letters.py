"""The circle of a dead letter, and who is told: real Redis, API, Prometheus and Alertmanager from the rendered files."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import redis

from auralink_shared.dlq import DeadLetters, Record, RetryPolicy, handle

from .by_hand import api
from .faults import Fault, provoke, warning
from .kept import Kept
from .stage import Stage
from .test_benign import await_calm

AGENTS, ROOMS = "agents:create", "rooms:create"
GIVEN_UP, FLOOD = 110, 2000  # over the depth that is told and under the volume; over both


def letters(stage: Stage) -> DeadLetters:
    """As a service has them: as the user dlq."""
    return DeadLetters(redis.Redis(host=stage.pods("dlq-redis")[0].address, username="dlq", password="redis-password"))


def retried(stage: Stage, queue: str) -> set[int]:
    """The numbers in what an operator's bulk retry brought back to the consumer."""
    job = api(stage, "POST", "/bulk", {"queue": queue, "action": "retry", "filter": {"error": "answer"}, "rate": 500})
    stage.await_(lambda: api(stage, "GET", f"/bulk/{job['id']}")["state"] == "done", 60, "the bulk job does not end")
    client, handled = letters(stage).client, set()
    while message := client.lpop(queue):
        handled.add(json.loads(message)["number"])
    return handled


def shown(stage: Stage) -> dict[str, int]:
    """The depth of each queue that isn't empty, as dashboards show it."""
    depth = json.loads(stage.get("prometheus", 9090, "/api/v1/query", query="max by (queue) (dlq_depth_messages) > 0"))
    return {one["metric"]["queue"]: int(one["value"][1]) for one in depth["data"]["result"]}


def circle(stage: Stage) -> Iterator[None]:
    """The consumer fails, the letters pile up; Redis dies in between; an operator retries, and the consumer takes them."""
    dead = letters(stage)

    def fail(payload: bytes) -> None:
        raise TimeoutError("the model does not answer")

    policy = RetryPolicy(max_attempts=2, base=0.001, cap=0.002)
    for number in range(GIVEN_UP):
        handle(dead, AGENTS, b'{"number": %d}' % number, fail, policy=policy)
    for number in range(FLOOD):
        dead.add(Record(ROOMS, b'{"number": %d}' % number, error="the room does not answer", attempts=3))
    yield
    stage.await_(lambda: shown(stage) == {AGENTS: GIVEN_UP, ROOMS: FLOOD}, 30, "Prometheus does not show the depth")

    with stage.killed(stage.pods("dlq-redis")[0]):
        pass
    stage.await_ready("dlq-redis")
    stage.await_(lambda: api(stage, "GET", "/queues"), 30, "the API does not find Redis again")
    assert retried(stage, AGENTS) == set(range(GIVEN_UP))
    assert retried(stage, ROOMS) == set(range(FLOOD))
    for queue in (AGENTS, ROOMS):
        assert letters(stage).stats(queue).depth == 0
    audit = [one for one in api(stage, "GET", f"/audit?queue={AGENTS}&limit=500") if one["what"] == "retry"]
    assert {one["by"] for one in audit} == {"nina"}
    assert len({one["id"] for one in audit}) >= GIVEN_UP


CIRCLE = Fault(
    f"a consumer gives {GIVEN_UP} messages up, another {FLOOD} within seconds",
    circle,
    (
        warning("DLQDepthHigh", team="ai", service="ai-core-service"),
        warning("DLQDepthHigh", service="dashboard-service"),
        warning("DLQHighVolume", service="dashboard-service"),
    ),
)


@pytest.mark.boots("prometheus", "alertmanager", "dlq-redis", "dlq-api")
def test_a_dead_letter_goes_round_and_the_team_of_its_queue_hears_of_it(stage: Stage, kept: Kept) -> None:
    await_calm(stage)
    provoke(stage, kept, [CIRCLE])


@pytest.mark.boots("prometheus", "alertmanager")
def test_the_heartbeat_leaves_the_cluster(stage: Stage, kept: Kept) -> None:
    def beats() -> list[float]:
        return [one.at for one in stage.sinks.told if one.channel == "watchdog"]

    before = len(beats())
    stage.sinks.await_(lambda: len(beats()) >= before + 2, 60, "no heartbeat")
    kept.alert(
        "Watchdog", "none: it always fires, and its silence is the fault", {"watchdog": beats()[-1] - beats()[-2]}, {}
    )
