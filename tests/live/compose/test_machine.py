"""The tree of one machine: it comes up, its alerts reach people, its dead letters go round, its restarts disturb nobody."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from ..kept import Kept
from ..test_dead_letters import AI, PLATFORM, channels
from .conftest import ALERTING, LOGS, SERVICES
from .engine import Engine

ABSENT = ("Loki", "LogAgent")
"""What is rightly missed where the logs' part is left out (OBSGEN_LIVE)."""


def asked(machine: Engine, query: str) -> list[tuple[dict[str, str], float]]:
    """Labels and value of each series that Prometheus finds."""
    found = json.loads(machine.get(9090, "/api/v1/query", query=query))["data"]["result"]
    return [(one["metric"], float(one["value"][1])) for one in found]


def dlq(machine: Engine, *words: str) -> str:
    """`auralink-dlq`, as the rendered runbooks have it typed on one machine."""
    return machine.exec("dlq-api", *machine.containers["dlq-api"].declared["entrypoint"], "auralink-dlq", *words)


@pytest.mark.boots(*ALERTING, profile="compose")
def test_the_tree_comes_up_and_every_healthcheck_agrees(machine: Engine, trees: Path) -> None:
    declared = yaml.safe_load((trees / "compose" / "compose.yaml").read_text())["services"]
    runs = {name for name in declared if not name.endswith("-volume")} - {"grafana"}
    assert runs == {*LOGS, *ALERTING}, "a service that nobody here has heard of"
    for name in runs & machine.containers.keys():
        one = machine.containers[name]
        assert (one.starts, one.health) == (1, "none" if name == "dlq-cleanup" else "healthy"), one.last()
    machine.await_(lambda: b"letters past retention" in b"".join(line for _, _, line in machine.containers["dlq-cleanup"].lines), 60, "nothing is cleaned up")  # fmt: skip
    for port, path in ((9090, "/-/ready"), (9093, "/-/ready"), (8080, "/readyz")):
        machine.get(port, path)  # on this machine's loopback
    jobs = {*ALERTING, "dashboard-service", "ai-core-service"} & {
        labels["job"] for labels, up in machine.await_(lambda: asked(machine, "up == 1"), 30, "no target is up")
    }
    assert jobs == {*ALERTING, "dashboard-service", "ai-core-service"} - {"dlq-redis", "dlq-cleanup"}
