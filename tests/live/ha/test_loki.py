"""Three Lokis that are one: each line on all of them, and in the bucket."""

from __future__ import annotations

import json
import re
import time
import urllib.error
from collections.abc import Callable

import pytest

from ..kept import Kept
from ..pod import Pod
from ..stage import Stage
from . import loki, s3

RINGS = ("/ring", "/ruler/ring", "/compactor/ring", "/scheduler/ring")


def three(stage: Stage) -> list[Pod]:
    """All ready, and each sees the others in every ring."""

    def joined() -> list[Pod]:
        pods = stage.pods("loki")
        good = len(pods) == 3 and all(pod.ready for pod in pods)
        return pods if good and all(loki.members(pod, ring) == {"ACTIVE": 3} for pod in pods for ring in RINGS) else []

    return list(stage.await_(joined, 180, "the three Lokis are not one"))


def whole(stage: Stage, pods: list[Pod], writer: loki.Writer) -> None:
    """Each of the Pods finds every line that was acknowledged so far, and none twice."""
    for pod in pods:
        loki.await_whole(stage, pod, writer)


@pytest.mark.boots("loki", profile="ha")
def test_three_lokis_with_one_killed_lose_no_line_that_was_acknowledged(stage: Stage, kept: Kept) -> None:
    pods = three(stage)
    with loki.Writer(lambda: pods) as writer:
        writer.more(100, 30)
        whole(stage, pods, writer)
        with stage.killed(pods[0]):
            killed = time.monotonic()
            writer.more(100, 60)
            first = next(at for at in writer.at if at > killed)
            whole(stage, pods[1:], writer)
            answered = time.monotonic()
            writer.more(200, 60)
            whole(stage, pods[1:], writer)
        three(stage)
        writer.more(100, 30)
        whole(stage, pods, writer)
    before = len(s3.chunks(stage.node.home))
    for pod in pods:
        loki.ask(pod, "/flush", method="POST")
    stage.await_(lambda: len(s3.chunks(stage.node.home)) > before, 60, "no chunk comes into the bucket")
    whole(stage, pods, writer)
    how = "pushed to three Lokis in turn, one of them killed (SIGKILL) and back, found through each and after they went to the bucket"
    kept.number("lines acknowledged by three Lokis, each found once", len(writer.acknowledged), "lines", how)
    kept.number("from the kill to the next acknowledged push", round(first - killed, 1), "s", how)
    kept.number("from the kill until both others found every line", round(answered - killed, 1), "s", how)


@pytest.mark.boots("loki", profile="ha")
def test_with_two_of_three_lokis_killed_nothing_is_acknowledged_and_nothing_answered_in_part(stage: Stage) -> None:
    pods, since, text = three(stage), time.time() - 1, f"line {time.time_ns()}"
    loki.push(pods[0], loki.stamped(text), app="ai-core-service")

    def refused(ask: Callable[[], object]) -> bool:
        try:
            ask()
        except urllib.error.HTTPError as error:
            return error.code == 500
        return False

    def push() -> None:
        loki.push(pods[2], loki.stamped("two of three don't have it"), app="ai-core-service")

    def found(pod: Pod) -> int:
        return loki.lines(pod, f'{{app="ai-core-service"}} |= "{text}"', since)[text]

    with stage.killed(pods[0]), stage.killed(pods[1]):
        stage.await_(lambda: refused(push), 30, "one of three acknowledges")
        # 500 after the query-frontend has tried five times, 17 s; or it hangs: both were seen
        with pytest.raises(OSError):
            found(pods[2])
    pods = three(stage)
    stage.await_(lambda: [found(pod) for pod in pods] == [1, 1, 1], 60, "an acknowledged line is lost, or there twice")


def evaluating(pods: list[Pod], group: str) -> list[Pod]:
    """The Pods whose ruler has a group of rules. Raises OSError."""
    has = re.compile(rf'^loki_prometheus_rule_group_rules{{.*;{group}".*}} [1-9]', re.MULTILINE)
    return [pod for pod in pods if has.search(loki.ask(pod, "/metrics").decode())]


@pytest.mark.boots("loki", "alertmanager", profile="ha")
def test_the_alerts_of_a_ruler_that_is_killed_go_on_at_another(stage: Stage, kept: Kept) -> None:
    pods = three(stage)
    (ruler,) = stage.await_(lambda: evaluating(pods, "auralink_logs"), 120, "no ruler has the group")
    others = [pod for pod in pods if pod is not ruler]
    with stage.killed(ruler):
        killed = time.monotonic()
        (heir,) = stage.await_(lambda: evaluating(others, "auralink_logs"), 300, "no other ruler takes the group")
        taken = time.monotonic() - killed
        line = json.dumps({"message": "circuit breaker", "context": {"state": "open"}})
        began = time.monotonic()
        loki.push(heir, loki.stamped(line), level="WARN")

        def told() -> dict[str, float]:
            about = stage.sinks.about("CircuitBreakerOpened", began)
            return {one.channel: one.at - began for one in about if not one.resolves}

        stage.sinks.await_(lambda: told().keys() == {"mail", "slack"}, 180, "nobody is told")
    three(stage)
    fault = "a line of an open circuit breaker, the ruler that had the rule killed"
    kept.alert("CircuitBreakerOpened", "warning", fault, told(), {})
    kept.number(
        "until another Loki evaluates the rules of one that was killed", round(taken), "s", "SIGKILL; its metrics"
    )
