"""Each alert that needs no Loki: the fault is made, its people are told, once, and told that it is over."""

from __future__ import annotations

import contextlib
import errno
import functools
import itertools
import json
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from redis.exceptions import RedisError

from auralink_shared.dlq import DeadLetters, Filter, Quarantined
from auralink_shared.dlq.settings import REPLAY_CAP

from .by_hand import edited, reload_alertmanager, reload_prometheus, scale
from .faults import Fault, always, critical, number, provoke, warning
from .kept import Kept
from .stage import Stage
from .test_benign import SEARCH, await_beats


@contextlib.contextmanager
def again_and_again(order: Callable[[], object]) -> Iterator[None]:
    """Every half second, until the end of the `with`."""
    over = threading.Event()

    def repeat() -> None:
        while not over.wait(0.5):
            order()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


# Redis, one after the other: there is but one


def redis_gone(stage: Stage) -> Iterator[None]:
    scale(stage, "statefulset/dlq-redis", 0)
    stage.await_(lambda: stage.gone("dlq-redis"), 30, "Redis does not end")
    stage.order("dashboard-service", "give_up", queue="rooms:create", count=10)
    # no spool there: what it gives up now is lost, and it says so
    with again_and_again(lambda: stage.order("ai-core-service", "give_up", queue="agents:create", count=20)):
        yield
    scale(stage, "statefulset/dlq-redis", 1)
    stage.await_ready("dlq-redis")


def redis_as_a_cache(stage: Stage) -> Iterator[None]:
    def cache(text: str) -> str:
        text = text.replace("appendonly yes", "appendonly no").replace("maxmemory 512mb", "maxmemory 4mb")
        return text.replace("maxmemory-policy noeviction", "maxmemory-policy allkeys-lru") + "maxclients 60\n"

    with edited(stage, "dlq-redis-config", "redis.conf", cache):
        pod = stage.replace(stage.pods("dlq-redis")[0])
        # its counters are seen at 0 first: what a counter is born with is no increase
        stage.await_(lambda: number(stage, "redis_config_maxclients") == 60, 30, "the exporter does not see it")
        client = redis.Redis(host=pod.address, username="dlq", password="redis-password")
        client.ping()  # it has its place before the callers take all others
        callers = [socket.create_connection((pod.address, 6379)) for _ in range(80)]
        for caller in callers:
            caller.close()
        # filled when they are gone: their buffers count as memory, and what is evicted for them leaves it no longer full
        stage.await_(lambda: client.info("clients")["connected_clients"] < 20, 30, "the callers do not go")
        for count in range(800):
            client.set(f"dlq:filler:{count}", b"x" * 10_000)
        yield
    stage.replace(stage.pods("dlq-redis")[0])


def redis_on_a_full_volume(stage: Stage) -> Iterator[None]:
    claim = stage.kubelet.node.home / "claims" / "auralink" / "data-dlq-redis-0"
    owner = claim.stat()
    options = f"size=4m,uid={owner.st_uid},gid={owner.st_gid},mode={owner.st_mode & 0o7777:o}"
    with edited(
        stage, "dlq-redis-config", "redis.conf", lambda text: text.replace("appendfsync always", "appendfsync everysec")
    ):
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(claim)], check=True)
        pod = stage.replace(stage.pods("dlq-redis")[0])
        _fill(claim / "other-data")
        client = redis.Redis(host=pod.address, username="dlq", password="redis-password")
        with contextlib.suppress(RedisError):
            for _ in range(100):
                client.set("dlq:filler", b"x" * 100_000)
        yield
        subprocess.run(["umount", "--lazy", str(claim)], check=True)
    stage.replace(stage.pods("dlq-redis")[0])


def _fill(file: Path) -> None:
    with file.open("wb", buffering=0) as data:
        try:
            while True:
                data.write(b"\0" * 65536)
        except OSError as error:
            assert error.errno == errno.ENOSPC, error


def letters_forgotten(stage: Stage) -> Iterator[None]:
    stage.order("dashboard-service", "give_up", queue="webhooks:deliver", age=7200)
    yield
    for queue in (
        "webhooks:deliver",
        "rooms:create",
        "agents:create",
    ):  # also what the services gave up while Redis was gone
        for _ in _letters(stage).bulk(queue, "remove", Filter(), by="nina", rate=500, allow_all=True):
            pass


def letter_that_always_comes_back(stage: Stage) -> Iterator[None]:
    quarantined = 'max(dlq_replayed_messages_total{queue="agents:create", outcome="quarantined"})'
    stage.await_(lambda: number(stage, quarantined) is not None, 30, "the API does not find Redis again")
    stage.order("ai-core-service", "give_up", queue="agents:create", replays=REPLAY_CAP)
    letter = _letters(stage).list("agents:create").letters[0]
    with pytest.raises(Quarantined):
        _letters(stage).retry("agents:create", letter.id, by="nina")
    yield


def _letters(stage: Stage) -> DeadLetters:
    return DeadLetters(redis.Redis(host=stage.pods("dlq-redis")[0].address, username="dlq", password="redis-password"))


# Services


def bad_release(stage: Stage) -> Iterator[None]:
    failed = 'http_requests_total{app="dashboard-service", code="500"}'
    stage.await_(
        lambda: number(stage, failed) is not None, 60, "Prometheus has not met the service, and would see no increase"
    )
    for code in ("200", "500"):
        stage.order("dashboard-service", "request", code=code, count=2000, seconds=None)
    stage.order("dashboard-service", "request", code="200", count=100, seconds=3)
    yield
    # ends no window, and yet every alert: what failed is less than a thousandth of what has been asked by now
    stage.order("dashboard-service", "request", code="200", count=20_000_000, seconds=None)
    stage.order("dashboard-service", "request", code="200", count=10_000, seconds=0.02)


def not_deployed(stage: Stage) -> Iterator[float]:
    yield stage.began
    stage.plane.kubectl("apply", "--server-side", "-f", str(SEARCH))
    stage.await_ready("search-service")


# The alerting itself


def many(stage: Stage) -> Iterator[None]:
    yield  # what is made beside it is enough


def switch_refuses(stage: Stage) -> Iterator[None]:
    stage.sinks.refused["watchdog"] = itertools.repeat(500)
    yield
    del stage.sinks.refused["watchdog"]


def switch_refuses_some(stage: Stage) -> Iterator[None]:
    # as a wrong request, which Alertmanager doesn't try again
    stage.sinks.refused["watchdog"] = itertools.cycle((400, 200, 200))
    yield
    del stage.sinks.refused["watchdog"]


def alertmanager_configuration(stage: Stage) -> Iterator[None]:
    def misspelled(text: str) -> str:
        return text.replace("receiver: critical", "receiver: critcal")

    with edited(stage, "alertmanager-config", "alertmanager.yaml", misspelled):
        reload_alertmanager(stage)
        yield
    reload_alertmanager(stage)


def failing_rule(stage: Stage) -> Iterator[None]:
    rule = {"record": "by_hand", "expr": "up * on () group_left () up"}  # many to many
    text = json.dumps({"groups": [{"name": "by hand", "rules": [rule]}]})
    with edited(stage, "alert-rules", "by-hand.yaml", lambda _: text):
        reload_prometheus(stage)
        yield
    reload_prometheus(stage)


def prometheus_configuration(stage: Stage) -> Iterator[None]:
    with edited(stage, "prometheus-config", "prometheus.yaml", lambda text: f"{text}\nscrape: []\n"):
        reload_prometheus(stage, works=False)
        yield
    reload_prometheus(stage)


REDIS = (
    Fault(
        "Redis is scaled to 0 while services go on giving messages up",
        redis_gone,
        (
            critical("RedisDown"),
            warning("DLQMetricsMissing"),
            critical("DLQProcessingFailed", team="ai", service="ai-core-service"),
            critical("DLQAddFailing", team="ai", service="ai-core-service"),
            warning("DLQSpooling", service="dashboard-service"),
        ),
    ),
    Fault(
        "Redis gets the configuration of a cache, and more clients than it takes",
        redis_as_a_cache,
        (
            critical("RedisNotAppendOnly"),
            warning("DLQNotDurable"),
            warning("RedisEvictionAllowed"),
            critical("RedisEvicts"),
            critical("RedisMemoryHigh", silences="warning"),
            warning("RedisRejectedConnections"),
        ),
    ),
    Fault(
        "Redis writes its file every second only, and its volume is full",
        redis_on_a_full_volume,
        (critical("RedisAofWriteFailing"), warning("DLQNotDurable")),
    ),
    Fault(
        "an operator retries a letter that has come back five times",
        letter_that_always_comes_back,
        (warning("DLQQuarantined", team="ai", service="ai-core-service"),),
    ),
    Fault(
        "a letter waits for two hours",
        letters_forgotten,
        (warning("DLQMessageTooOld", service="dashboard-service"),),
    ),
)
SERVICE = (
    Fault(
        "half of a service's requests fail, after 3 seconds",
        bad_release,
        (
            critical("ServiceErrorRatioHigh", service="dashboard-service", silences="warning"),
            warning("ServiceLatencyHigh", service="dashboard-service"),
            critical("AvailabilityBurnFast", service="dashboard-service"),
            critical("AvailabilityBurnSteady", service="dashboard-service"),
            warning("AvailabilityBurnSlow", service="dashboard-service"),
        ),
    ),
)
NEW = (
    Fault(
        "a service is declared, and not deployed",
        not_deployed,
        (
            critical("ServiceDown", team="ai", service="search-service"),
            warning("AvailabilityUnknown", team="ai", service="search-service"),
        ),
    ),
)
MANY = (Fault("more than ten alerts begin within half a minute", many, (warning("AlertsTooMany"),)),)
RELOAD = (
    Fault(
        "Alertmanager's configuration names a receiver that isn't there",
        alertmanager_configuration,
        (critical("AlertmanagerConfigReloadFailed"),),
    ),
)
ALERTMANAGER = (
    Fault(
        "the switch outside answers 500",
        switch_refuses,
        (critical("AlertmanagerNotifyFailing"),),
    ),
    Fault(
        "the switch outside refuses one heartbeat in three",
        switch_refuses_some,
        (warning("AlertmanagerNotifyFailing"),),
        told=90,
    ),
)
PROMETHEUS = (
    Fault("a rule that was put in by hand matches many to many", failing_rule, (critical("PrometheusRuleFailing"),)),
    Fault(
        "Prometheus' configuration has a key that it doesn't know",
        prometheus_configuration,
        (critical("PrometheusConfigReloadFailed"),),
    ),
)


def await_started(stage: Stage) -> None:
    """Nothing is wrong any more but what is missing here. On a busy machine a start takes long enough for alerts of its own."""
    stage.await_(lambda: not of_the_start(stage), 120, "the start is not over")
    others = f'ALERTS{{alertstate="firing", alertname!~"{always(stage).pattern}", service!="search-service"}}'
    if number(stage, f"count(last_over_time({others}[10m]))"):
        await_beats(stage, 2)  # what Alertmanager was about to tell has been told


def of_the_start(stage: Stage) -> set[str]:
    """What fires or is about to, to Prometheus and to Alertmanager, and doesn't always; search-service is left to the scenario."""
    prometheus = json.loads(stage.get("prometheus", 9090, "/api/v1/alerts"))["data"]["alerts"]
    alertmanager = json.loads(stage.get("alertmanager", 9093, "/api/v2/alerts"))
    return {
        one["labels"]["alertname"]
        for one in (*prometheus, *alertmanager)
        if one["labels"].get("service") != "search-service" and not always(stage).fullmatch(one["labels"]["alertname"])
    }


@pytest.mark.boots("prometheus", "alertmanager", "dlq-redis", "redis-exporter", "dlq-api")
def test_each_fault_is_told_to_its_people_once_and_so_is_its_end(
    stage: Stage, kept: Kept, exports: Callable[..., set[str]]
) -> None:
    await_started(stage)
    looks = functools.partial(exports, "prometheus", "alertmanager", "redis-exporter", "dlq-api", "ai-core-service")
    provoke(stage, kept, REDIS, SERVICE, NEW, ALERTMANAGER, PROMETHEUS, MANY, looks=looks)
    # by itself: what is on its way when Alertmanager (0.34) loads its configuration is told again
    provoke(stage, kept, RELOAD, looks=looks)
