"""Dead letters in a Redis Cluster of three: a queue and its letters lie on different nodes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from auralink_shared.dlq import DeadLetters, Record

from ..by_hand import api
from ..faults import number
from ..kept import Kept
from ..stage import Stage
from . import redis_cluster

QUEUES = "agents:create", "rooms:create", "webhooks:deliver"
EACH = 40


def letters(stage: Stage) -> DeadLetters:
    """As a service has them, as the user dlq: one node is told, the others are found."""
    node = redis_cluster.nodes(stage)[0]
    url = f"redis://dlq@{node.address}:6379/0"
    return DeadLetters.from_env(
        {"DLQ_REDIS_URL": url, "DLQ_REDIS_PASSWORD": "redis-password", "DLQ_REDIS_CLUSTER": "1"}
    )


def ready(stage: Stage) -> Any:
    """What the admin API says of its Redis. Raises OSError."""
    return json.loads(stage.get("dlq-api", 8080, "/readyz"))


def taken(dead: DeadLetters, queue: str) -> list[int]:
    """What the consumer of a queue takes."""
    found = []
    while message := dead.client.lpop(queue):
        found.append(json.loads(message)["number"])
    return sorted(found)


def waiting(stage: Stage, queue: str) -> float | None:
    """Letters of a queue as Prometheus has them from the exporter, which asks the node that holds them."""
    key = f'redis_key_size{{key="{{dlq:{queue}}}:z"}}'
    return number(stage, key)


@pytest.mark.boots("dlq-api", "redis-exporter", "prometheus", "ha-parts/dlq-redis", profile="ha")
def test_dead_letters_of_a_cluster_are_added_listed_and_retried_by_the_library_and_the_api(
    stage: Stage, kept: Kept
) -> None:
    for app in ("dlq-api", "redis-exporter", "prometheus"):
        stage.await_ready(app)
    dead = letters(stage)
    nodes = {dead.client.get_node_from_key(key).name for queue in QUEUES for key in (queue, f"{{dlq:{queue}}}:z")}
    assert len(nodes) > 1, "one node that has all of it proves nothing"
    for queue in QUEUES:
        for count in range(EACH):
            dead.add(Record(queue, b'{"number": %d}' % count, error="refused", attempts=3))
        assert {one.id for one in dead.list(queue, limit=500).letters} == {
            one["id"] for one in api(stage, "GET", f"?queue={queue}&limit=500")
        }
    stage.await_(
        lambda: all(waiting(stage, queue) == EACH for queue in QUEUES), 30, "Prometheus does not see the letters"
    )
    for queue in QUEUES:
        first, *rest = dead.list(queue, limit=500, order="oldest").letters
        dead.retry(queue, first.id, by="library")
        api(stage, "POST", f"/{rest[0].id}/retry?queue={queue}")
        job = api(
            stage, "POST", "/bulk", {"queue": queue, "action": "retry", "filter": {"error": "refused"}, "rate": 500}
        )
        stage.await_(
            lambda job=job: api(stage, "GET", f"/bulk/{job['id']}")["state"] == "done", 60, "the bulk job does not end"
        )
        assert taken(dead, queue) == list(range(EACH))
        assert dead.stats(queue).depth == 0
        audit = api(stage, "GET", f"/audit?queue={queue}&limit=500")
        by = {one["letter"]: one["by"] for one in audit if one["what"] == "retry" and one["result"] == "ok"}
        assert by[first.id] == "library"
        assert {by[one.id] for one in rest} == {"nina"}
    how = "three queues, a Redis Cluster of three: added by the library, retried by it, by the API and its bulk job, taken"
    kept.number("dead letters through a Redis Cluster, each once", EACH * len(QUEUES), "letters", how)


@pytest.mark.boots("dlq-api", "redis-exporter", "ha-parts/dlq-redis", profile="ha")
def test_letters_outlive_each_node_of_the_cluster(stage: Stage) -> None:
    stage.await_ready("dlq-api")
    dead = letters(stage)
    for queue in QUEUES:
        for count in range(EACH):
            dead.add(Record(queue, b'{"number": %d}' % count, error="refused", attempts=3))
    for node in redis_cluster.nodes(stage):
        stage.replace(node)  # with another address, as Kubernetes gives it
        redis_cluster.await_whole(stage)

    def depths() -> list[int]:
        return [one["depth"] for one in api(stage, "GET", "/queues")]

    stage.await_(lambda: depths() == [EACH] * len(QUEUES), 60, "the API does not find the letters again")
    stage.await_(lambda: ready(stage).get("durable"), 60, "the API does not find the nodes again")
    dead = letters(stage)
    for queue in QUEUES:
        for one in dead.list(queue, limit=500).letters:
            dead.retry(queue, one.id, by="library")
        assert taken(dead, queue) == list(range(EACH))
