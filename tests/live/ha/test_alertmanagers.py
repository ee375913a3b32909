"""Three Alertmanagers that are one: each channel is told once, whoever of them is lost meanwhile."""

from __future__ import annotations

import itertools
import json
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ..kept import Kept
from ..pod import Pod
from ..stage import Stage
from . import redis_cluster

ALERT = "RedisNotAppendOnly"
PAGE = ["mail", "pagerduty", "slack"]
LOADED = "alertmanager_config_hash"
RELOADED = "reloader_last_reload_successful"
"""Of the sidecar, at port 8080: until then it tries to tell of the configuration that it found at its start, and sees no other."""
HEARD = "alertmanager_nflog_gossip_messages_propagated_total"
"""Notifications of which a replica heard from another."""
ASKED = "alertmanager_nflog_queries_total"
"""How often a replica, in its turn, asked what has been told: once for each channel."""
GROUPS = "alertmanager_dispatcher_aggregation_groups"
"""What a replica still looks at."""
APPS = "alertmanager", "prometheus", "redis-exporter"


def ask(pod: Pod, path: str) -> list[dict]:
    """What an Alertmanager answers. Raises OSError."""
    with urllib.request.urlopen(f"http://{pod.address}:9093/api/v2{path}", timeout=10) as answer:
        return json.loads(answer.read())


def metric(pod: Pod, name: str, port: int = 9093) -> float:
    """A metric without labels. Raises OSError."""
    with urllib.request.urlopen(f"http://{pod.address}:{port}/metrics", timeout=10) as answer:
        (line,) = [one for one in answer.read().decode().splitlines() if one.startswith(f"{name} ")]
    return float(line.split()[1])


def three(stage: Stage) -> list[Pod]:
    """All ready and members of one cluster, by name: in this order they take their turns (`cluster.Peer.Position`, 0.34)."""

    def joined() -> list[Pod]:
        pods = sorted(stage.pods("alertmanager"), key=lambda one: one.name)
        good = len(pods) == 3 and all(pod.ready for pod in pods)
        return pods if good and all(len(ask(pod, "/status")["cluster"]["peers"]) == 3 for pod in pods) else []

    return list(stage.await_(joined, 120, "the three Alertmanagers are not one"))


def at_rest(stage: Stage) -> list[Pod]:
    """The three, when they look at nothing but the heartbeat, and a Prometheus that knows of no alert that has ended.

    It sends an ended alert once a minute for a quarter of an hour more (rules/alerting.go, 3.13). Each time a replica makes a group of it,
    looks, and waits up to 30 s for its turn (dispatch.go, 0.34): of an alert that has come back meanwhile it tells the end (docs/scale.md).
    """
    stage.replace(stage.pods("prometheus")[0])
    pods = three(stage)
    stage.await_(lambda: all(metric(pod, GROUPS) == 1 for pod in pods), 180, "a replica looks at an alert")
    return pods


def told(stage: Stage, since: float, *, over: bool = False) -> list[str]:
    """The channels that were told of the alert, or of its end, each as often as it was."""
    return sorted(one.channel for one in stage.sinks.about(ALERT, since) if one.resolves == over)


def course(stage: Stage, since: float) -> str:
    """All that people were told of the alert, and when it was true: what a failure shows."""
    said = [
        (round(one.at - since, 1), one.channel, "over" if one.resolves else "begins")
        for one in stage.sinks.about(ALERT, since)
    ]
    now, past = time.time(), time.monotonic() - since
    answer = stage.get(
        "prometheus", 9090, "/api/v1/query", query=f'{{__name__=~"ALERTS|up", alertname=~"{ALERT}|"}}[{int(past) + 1}s]'
    )
    found = [
        (one["metric"]["__name__"], one["metric"].get("alertstate", one["metric"].get("pod")),
         [(round(float(at) - now + past, 1), value) for at, value in one["values"]])
        for one in json.loads(answer)["data"]["result"]
        if one["metric"]["__name__"] == "ALERTS" or one["metric"].get("job") == "redis-exporter"
    ]  # fmt: skip
    return "\n".join(map(str, [*said, *found]))


def paged(stage: Stage, since: float, seconds: float, what: str) -> None:
    """Until each channel has been told of the alert, and none twice."""
    try:
        stage.sinks.await_(lambda: len(told(stage, since)) >= len(PAGE), seconds, what)
        assert told(stage, since) == PAGE
    except AssertionError as error:
        raise AssertionError(f"{what}:\n{course(stage, since)}") from error


def seconds(stage: Stage, since: float, *, over: bool = False) -> dict[str, float]:
    """From then to each channel."""
    return {one.channel: one.at - since for one in stage.sinks.about(ALERT, since) if one.resolves == over}


def turn(stage: Stage, pod: Pod) -> None:
    """Until a replica has had its turn at the alert. The heartbeat, once in a minute, asks for one channel only."""
    before = metric(pod, ASKED)
    stage.await_(lambda: metric(pod, ASKED) >= before + len(PAGE), 120, f"{pod.name} has no turn")


def beats(stage: Stage, count: int) -> None:
    """Until so many heartbeats more have left: a minute each."""
    stage.sinks.await_beats(count, 100 * count)


def write_to(stage: Stage, kept: str) -> float:
    """Redis' append-only file on (`yes`) or off (`no`), on every node; when."""
    for pod in redis_cluster.nodes(stage):
        redis_cluster.ask(pod, "config", "set", "appendonly", kept)
    return time.monotonic()


@contextmanager
def fault(stage: Stage) -> Iterator[float]:
    """A critical alert, for as long as the `with`; from when on."""
    began = write_to(stage, "no")
    try:
        yield began
    finally:
        write_to(stage, "yes")


def end_is_told(stage: Stage, pods: list[Pod], began: float) -> float:
    """Each channel is told of the end, and has been told but once of both; when it was over."""
    ended = time.monotonic()
    stage.sinks.await_(lambda: set(told(stage, began, over=True)) == set(PAGE), 120, "nobody is told of the end")
    # who looks at nothing but the heartbeat any more has had its last turn
    stage.await_(lambda: all(metric(pod, GROUPS) == 1 for pod in pods), 180, "a replica goes on with the alert")
    assert told(stage, began) == PAGE, course(stage, began)
    assert told(stage, began, over=True) == PAGE, course(stage, began)
    return ended


def known(stage: Stage, pods: list[Pod]) -> None:
    """Until each of these Alertmanagers has the alert."""
    stage.await_(
        lambda: all(any(one["labels"]["alertname"] == ALERT for one in ask(pod, "/alerts")) for pod in pods),
        60,
        "an Alertmanager has not heard of the alert",
    )


@pytest.mark.boots(*APPS, "ha-parts/dlq-redis", profile="ha")
def test_three_alertmanagers_tell_each_channel_once(stage: Stage, kept: Kept) -> None:
    pods = at_rest(stage)
    with fault(stage) as began:
        known(stage, pods)
        paged(stage, began, 90, "nobody is paged")
        turn(stage, pods[-1])
    ended = end_is_told(stage, pods, began)
    kept.alert(
        ALERT, "critical", "append-only file switched off on the nodes of the Redis Cluster; three Alertmanagers",
        seconds(stage, began), seconds(stage, ended, over=True),
    )  # fmt: skip


@pytest.mark.boots(*APPS, "ha-parts/dlq-redis", profile="ha")
def test_an_alertmanager_that_is_killed_before_its_turn_is_stood_in_for_once(stage: Stage, kept: Kept) -> None:
    pods = at_rest(stage)
    with fault(stage) as began:
        known(stage, pods)
        assert told(stage, began) == []  # the group waits
        with stage.killed(pods[0]):
            paged(stage, began, 120, "nobody stands in")
            turn(stage, pods[-1])
        three(stage)
        turn(
            stage, pods[-1]
        )  # tests/test_alertmanager_turns.py: else the end may be told twice, by two that are out of step
    ended = end_is_told(stage, pods, began)
    kept.alert(
        ALERT, "critical", "the same, and the Alertmanager whose turn it is killed while the group waits",
        seconds(stage, began), seconds(stage, ended, over=True),
    )  # fmt: skip


@pytest.mark.boots(*APPS, "ha-parts/dlq-redis", profile="ha")
def test_an_alertmanager_that_is_killed_between_two_channels_is_stood_in_for_in_the_other_only(
    stage: Stage, kept: Kept
) -> None:
    pods = at_rest(stage)
    beats(stage, 1)  # until the next one nothing but our alert is gossiped
    stage.sinks.refused["mail"] = itertools.repeat(451)
    try:
        with fault(stage) as began:
            known(stage, pods)
            before = [metric(pod, HEARD) for pod in pods[1:]]
            stage.sinks.await_(lambda: told(stage, began) == ["pagerduty", "slack"], 90, "nobody is paged")
            # killed before the others have heard of it, it would be told twice: once at least is what is promised
            stage.await_(
                lambda: all(metric(pod, HEARD) >= had + 2 for pod, had in zip(pods[1:], before, strict=True)),
                30,
                "no gossip",
            )
            with stage.killed(pods[0]):
                stage.sinks.refused.clear()
                paged(stage, began, 120, "nobody sends the mail")
                turn(stage, pods[-1])
            three(stage)
            turn(stage, pods[-1])
        ended = end_is_told(stage, pods, began)
    finally:
        stage.sinks.refused.clear()
    kept.alert(
        ALERT, "critical", "the same, while the mail server refuses; killed after it had told the other channels, then mail is taken again",
        seconds(stage, began), seconds(stage, ended, over=True),
    )  # fmt: skip


@pytest.mark.boots(*APPS, "ha-parts/dlq-redis", profile="ha")
def test_a_changed_configuration_is_loaded_by_all_three_and_pages_nobody(stage: Stage, kept: Kept) -> None:
    pods, began = three(stage), time.monotonic()
    stage.await_(
        lambda: all(metric(pod, RELOADED, 8080) == 1 for pod in pods), 60, "a sidecar has not reached its Alertmanager"
    )
    before = {metric(pod, LOADED) for pod in pods}
    assert len(before) == 1
    written = json.loads(stage.plane.kubectl("get", "-n", "auralink", "configmap/alertmanager-config", "-o", "json"))[
        "data"
    ]

    def write(text: str) -> None:
        patch = json.dumps({"data": {"alertmanager.yaml": text}})
        stage.plane.kubectl("patch", "-n", "auralink", "configmap/alertmanager-config", "--type=merge", "-p", patch)

    restarts = [pod.states["alertmanager"]["restarts"] for pod in pods]
    write(written["alertmanager.yaml"] + "# a word more\n")
    try:
        stage.await_(
            lambda: not before & {metric(pod, LOADED) for pod in pods},
            60,
            "a replica goes on with the old configuration",
        )
    finally:
        write(written["alertmanager.yaml"])
    # the second one: a sidecar that watches nothing but the file sees only the first before its look every 3 minutes (0.93)
    stage.await_(
        lambda: {metric(pod, LOADED) for pod in pods} == before, 60, "a replica goes on with the other configuration"
    )
    beats(stage, 1)
    assert [pod.states["alertmanager"]["restarts"] for pod in pods] == restarts
    told = [
        one.text[:200] for one in stage.sinks.told if one.at >= began and one.channel != "watchdog" and not one.resolves
    ]
    assert told == []
    kept.benign("configuration of three Alertmanagers changed, loaded by the sidecar of each", 0)
