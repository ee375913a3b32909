"""What people are told of the agent, once more with Alloy: alerts whose queries name its metrics, and its restart, of which nobody is."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import pytest

from .faults import Fault, critical, provoke, warning
from .kept import Kept
from .shipping import Agent
from .stage import Stage
from .test_benign import await_beats, await_calm, nobody_was_told
from .test_benign_logs import BEATS, await_replaced
from .test_log_alerts import OLD, agent_gone, agent_without_rights, loki_gone, many_lines, many_old_lines

ALLOY = pytest.param(
    "alloy", marks=pytest.mark.boots("loki", "alloy", "prometheus", "alertmanager", profile="live-alloy")
)
with_alloy = pytest.mark.parametrize("agent", [ALLOY], indirect=True)


@with_alloy
def test_a_restart_of_alloy_pages_nobody(stage: Stage, agent: Agent, kept: Kept) -> None:
    since = await_calm(stage)
    known = {pod.uid for pod in stage.pods(agent.app)}
    stage.plane.kubectl("rollout", "restart", "-n", "auralink-agents", "daemonset/alloy")
    await_replaced(stage, agent.app, known)
    await_beats(stage, BEATS)
    nobody_was_told(stage, kept, since, "kubectl rollout restart daemonset/alloy")


@with_alloy
def test_alerts_on_the_agent_and_on_what_it_ships(
    stage: Stage, agent: Agent, kept: Kept, exports: Callable[..., set[str]]
) -> None:
    provoke(
        dataclasses.replace(stage, tree=agent.tree),
        kept,
        [
            Fault("12 MB of lines, with Alloy", many_lines, (warning("ServiceLogVolumeOverBudget", service="dashboard-service"),)),
            Fault(
                "1,000 lines eight days old, with Alloy",
                many_old_lines,
                tuple(critical(name, silences="warning") for name in OLD),
            ),
            Fault(
                "Loki scaled to 0, 4 MB of lines meanwhile, with Alloy",
                loki_gone,
                (critical("LokiDown"), warning("LogAgentBacklog")),
                told=90,
            ),
            Fault("Alloy's RoleBinding deleted, Alloy restarted", agent_without_rights, (critical("LogAgentNoTargets"),)),
            Fault("no node fits Alloy's DaemonSet", agent_gone, (warning("LogAgentDown"),)),
        ],
        looks=functools.partial(exports, "loki", agent.app),
        besides=("LogIngestLagHigh",),  # the lines of an outage come late
    )  # fmt: skip
