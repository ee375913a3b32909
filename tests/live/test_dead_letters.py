"""The circle of a dead letter, and who is told: real Redis, API, Prometheus and Alertmanager from the rendered files."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from auralink_shared.dlq import DeadLetters, Died, Record, RetryPolicy, handle
from auralink_shared.dlq.record import rfc3339

from .by_hand import api
from .faults import Fault, provoke, warning
from .kept import Kept
from .stage import Stage
from .test_benign import await_calm

AGENTS, ROOMS = "agents:create", "rooms:create"
GIVEN_UP, FLOOD = 110, 2000  # over the depth that is told and under the volume; over both
POLICY = RetryPolicy(max_attempts=3)


def letters(stage: Stage) -> DeadLetters:
    """As a service has them: as the user dlq."""
    return DeadLetters(redis.Redis(host=stage.pods("dlq-redis")[0].address, username="dlq", password="redis-password"))


def given_up(dead: DeadLetters) -> set[str]:
    """The letters of messages at which a consumer has failed as often, and would have waited as long, as its policy says.

    The waits are noted and not waited: together they are over a minute.
    """
    attempts, waits = Counter[bytes](), list[float]()

    def fail(payload: bytes) -> None:
        attempts[payload] += 1
        raise TimeoutError("the model does not answer")

    messages = [b'{"number": %d}' % number for number in range(GIVEN_UP)]
    died = [handle(dead, AGENTS, message, fail, policy=POLICY, sleep=waits.append) for message in messages]
    assert attempts == dict.fromkeys(messages, POLICY.max_attempts)
    for attempt in range(1, POLICY.max_attempts):
        backoff = waits[attempt - 1 :: POLICY.max_attempts - 1]
        longest = POLICY.delay(attempt, max)
        assert len(backoff) == GIVEN_UP and longest / 2 < max(backoff) <= longest  # of 110 one is in the upper half
    return {one.id for one in died if one}


def retried(stage: Stage, queue: str) -> list[int]:
    """An operator retries in bulk, and the consumer can do it now: the numbers in the messages that came back to it."""
    job = api(stage, "POST", "/bulk", {"queue": queue, "action": "retry", "filter": {"error": "answer"}, "rate": 500})
    stage.await_(lambda: api(stage, "GET", f"/bulk/{job['id']}")["state"] == "done", 60, "the bulk job does not end")
    dead, handled = letters(stage), list[int]()

    def work(payload: bytes) -> None:
        handled.append(json.loads(payload)["number"])

    while message := dead.client.lpop(queue):
        assert not isinstance(handle(dead, queue, message, work, policy=POLICY), Died)
    return handled


def audited(stage: Stage, queue: str, since: str) -> list[dict[str, Any]]:
    """All that the API's audit says was done to letters of a queue since then."""
    found, page, before = list[dict[str, Any]](), 1000, ""
    while True:
        entries = api(stage, "GET", f"/audit?queue={queue}&limit={page}{before}")
        found += [one for one in entries if one["at"] >= since and "letter" in one]
        if len(entries) < page or entries[-1]["at"] < since:
            return found
        before = f"&before={entries[-1]['id']}"


def shown(stage: Stage) -> dict[str, int]:
    """The depth of each queue that isn't empty, as dashboards show it."""
    depth = json.loads(stage.get("prometheus", 9090, "/api/v1/query", query="max by (queue) (dlq_depth_messages) > 0"))
    return {one["metric"]["queue"]: int(one["value"][1]) for one in depth["data"]["result"]}


def circle(stage: Stage) -> Iterator[None]:
    """The consumer fails, the letters pile up; Redis dies in between; an operator retries, and the consumer can do them."""
    dead, since = letters(stage), rfc3339(time.time())
    ids = {
        AGENTS: given_up(dead),
        ROOMS: {
            dead.add(Record(ROOMS, b'{"number": %d}' % number, error="the room does not answer", attempts=3))
            for number in range(FLOOD)
        },
    }
    yield
    stage.await_(lambda: shown(stage) == {AGENTS: GIVEN_UP, ROOMS: FLOOD}, 30, "Prometheus does not show the depth")
    listed = api(stage, "GET", f"?queue={AGENTS}&limit=500")
    assert {one["id"]: one["attempts"] for one in listed} == dict.fromkeys(ids[AGENTS], POLICY.max_attempts)

    with stage.killed(stage.pods("dlq-redis")[0]):
        pass
    stage.await_ready("dlq-redis")
    stage.await_(lambda: api(stage, "GET", "/queues"), 30, "the API does not find Redis again")
    assert sorted(retried(stage, AGENTS)) == list(range(GIVEN_UP))
    assert sorted(retried(stage, ROOMS)) == list(range(FLOOD))
    for queue, those in ids.items():
        assert letters(stage).stats(queue).depth == 0
        done = Counter((one["letter"], one["what"], one["by"], one["result"]) for one in audited(stage, queue, since))
        assert done == Counter((id, "retry", "nina", "ok") for id in those)


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
    how = f"given up after {POLICY.max_attempts} attempts, Redis killed, retried through the API, done by the consumer, each in the audit"
    kept.number("dead letters lost or doubled on their way round", 0, f"of {GIVEN_UP + FLOOD}", how)


@pytest.mark.boots("prometheus", "alertmanager")
def test_the_heartbeat_leaves_the_cluster(stage: Stage, kept: Kept) -> None:
    stage.sinks.await_beats(2, 60)
    *_, sooner, later = stage.sinks.beats
    words = "none: it always fires, and its silence is the fault"
    kept.alert("Watchdog", "none", words, {"watchdog": later - sooner}, {})
