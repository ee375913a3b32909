"""Replicas that are missing for longer than a restart, or run on something else than the others."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from ..by_hand import edited
from ..faults import Fault, provoke, warning
from ..kept import Kept
from ..stage import Stage
from .test_alertmanagers import three

WAIT = {"told": 400.0, "over": 400.0}
"""Seconds: each `for` of profile ha is longer than a restart, and the sidecar looks every 3 minutes at the latest."""


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
