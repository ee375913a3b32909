"""Replicas that are missing for longer than a restart, or run on something else than the others."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest

from ..by_hand import edited, scale
from ..faults import Fault, provoke, title, warning
from ..kept import Kept
from ..stage import Stage
from .test_alertmanagers import at_rest, beats, three
from .test_benign import APPS, SERVICES

WAIT = {"told": 400.0, "over": 400.0}
"""Seconds: each `for` of profile ha is longer than a restart, and the sidecar looks every 3 minutes at the latest."""
BEAT = 60  # seconds: routing.heartbeat of profile ha
LAST = 360.0
"""Seconds: for four times --rules.alert.resend-delay, a minute, Alertmanager keeps the last Watchdog that it was sent, and tells of it."""


def an_alertmanager_gone(stage: Stage) -> Iterator[None]:
    with stage.killed(three(stage)[2]):
        yield


def a_loki_gone(stage: Stage) -> Iterator[None]:
    with stage.killed(stage.pods("loki")[0]):
        yield


def a_sidecar_that_hangs(stage: Stage) -> Iterator[None]:
    """The first one's reloader is stopped, so that its Alertmanager hears of no change."""
    sidecar = three(stage)[0].running["config-reloader"]
    sidecar.send(signal.SIGSTOP)
    with edited(stage, "alertmanager-config", "alertmanager.yaml", lambda text: f"{text}\n# somebody was here\n"):
        yield
    sidecar.send(signal.SIGCONT)


@pytest.mark.boots("alertmanager", "prometheus", "loki", profile="ha")
def test_replicas_that_are_gone_for_long_or_differ_are_told(stage: Stage, kept: Kept) -> None:
    stage.await_ready("loki", 180)
    faults = (
        Fault(
            "one of three Alertmanagers killed", an_alertmanager_gone, (warning("AlertmanagerClusterDegraded"),), **WAIT
        ),
        Fault("one of three Lokis killed", a_loki_gone, (warning("LokiClusterDegraded"),), **WAIT),
    )
    differ = Fault(
        "the reloader of one of three Alertmanagers stopped, their configuration changed",
        a_sidecar_that_hangs,
        (warning("AlertmanagerConfigsDiffer"),),
        **WAIT,
    )
    provoke(stage, kept, [differ])
    provoke(stage, kept, *([fault] for fault in faults))


def last_beat(stage: Stage) -> float:
    """When the switch outside last heard something (monotonic seconds)."""
    return max(one.at for one in stage.sinks.told if one.channel == "watchdog")


@pytest.mark.boots("alertmanager", "prometheus", profile="ha")
def test_a_prometheus_that_is_gone_makes_the_switch_outside_call(stage: Stage, kept: Kept) -> None:
    for one in (*APPS, *SERVICES):
        stage.await_ready(one, 180)
    at_rest(stage)
    beats(stage, 1)
    began = time.monotonic()
    scale(stage, "statefulset/prometheus", 0)
    try:
        stage.await_(
            lambda: time.monotonic() - last_beat(stage) > 3 * BEAT, LAST + 3 * BEAT, "the switch goes on to hear"
        )
        heard = last_beat(stage) - began
        assert heard <= LAST
    finally:
        scale(stage, "statefulset/prometheus", 1)
    beats(stage, 2)
    told = [title(one) for one in stage.sinks.told if one.at >= began and one.channel != "watchdog"]
    assert told == []
    kept.alert("Watchdog", "none", "Prometheus scaled to 0", {"the switch hears nothing after": heard}, {})
