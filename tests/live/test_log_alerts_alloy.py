"""Alerts whose queries name the agent's metrics, once more with Alloy: it has others."""

from __future__ import annotations

import dataclasses

import pytest

from .faults import Fault, critical, provoke, warning
from .kept import Kept
from .shipping import Agent
from .stage import Stage
from .test_log_alerts import OLD, agent_gone, agent_without_rights, loki_gone, many_lines, many_old_lines

ALLOY = pytest.param(
    "alloy", marks=pytest.mark.boots("loki", "alloy", "prometheus", "alertmanager", profile="live-alloy")
)


@pytest.mark.parametrize("agent", [ALLOY], indirect=True)
def test_alerts_on_the_agent_and_on_what_it_ships(stage: Stage, agent: Agent, kept: Kept) -> None:
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
        besides=("LogIngestLagHigh",),  # the lines of an outage come late
    )  # fmt: skip
