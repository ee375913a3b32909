"""Alerts on logs, and on those who carry and keep them: Loki, its ruler, the agent."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from .kept import Kept
from .pod import Pod
from .provoked import Alert, await_over, await_told, fault, mend, tell
from .stage import Stage

LOGS = ("loki", "promtail", "prometheus", "alertmanager")
DAY = 86400.0


def number(stage: Stage, query: str) -> float | None:
    """What Prometheus answers to a query with one result; None where there is none."""
    found = json.loads(stage.get("prometheus", 9090, "/api/v1/query", query=query))["data"]["result"]
    return float(found[0]["value"][1]) if found else None


def push(stage: Stage, streams: Sequence[Mapping[str, str]], lines: int = 1, age: float = 0, text: str = "x") -> int:
    """As a sender beside the agent: `lines` lines of each stream, `age` seconds old; Loki's status."""
    born = int((time.time() - age) * 1e9)
    body = {
        "streams": [
            {"stream": labels, "values": [[str(born + n), f"{text} {n}"] for n in range(lines)]} for labels in streams
        ]
    }
    request = urllib.request.Request(
        f"http://{stage.pods('loki')[0].address}:3100/loki/api/v1/push",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def search(stage: Stage, query: str, since: str = "1h") -> Any:
    """A range query, as Grafana asks it. Raises urllib.error.HTTPError."""
    return json.loads(stage.get("loki", 3100, "/loki/api/v1/query_range", query=query, since=since, limit="10"))


def flush(stage: Stage) -> None:
    """Loki moves what it holds in memory to its store."""
    request = urllib.request.Request(f"http://{stage.pods('loki')[0].address}:3100/flush", method="POST")
    urllib.request.urlopen(request, timeout=20).close()


def append(stage: Stage, pod: Pod, container: str, lines: Sequence[tuple[float, str]]) -> None:
    """Into a container's log, as a runtime whose clock says otherwise: (seconds since 1970, line)."""
    folder = stage.node.host / "var/log/pods" / f"{pod.namespace}_{pod.name}_{pod.uid}" / container
    with max(folder.glob("*.log")).open("a") as file:
        file.write(
            "".join(
                f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S.%f}000Z stdout F {line}\n" for at, line in lines
            )
        )


def old_lines(stage: Stage, count: int) -> None:
    """Lines of eight days ago, each after one of now: so a batch of the agent has a young one, as it has on a busy node."""
    pod = stage.pods("dashboard-service")[0]
    line = json.dumps({"level": "INFO", "message": "a line"})
    now = time.time()
    append(stage, pod, "dashboard-service", [(now - (n % 2) * 8 * DAY, line) for n in range(2 * count)])


@contextlib.contextmanager
def unreachable(pod: Pod, address: str) -> Iterator[None]:
    """The Pod does not reach an address: what a network policy that forgets somebody does."""
    enter = ["nsenter", f"--net=/proc/{pod.network.holder.pid}/ns/net", "ip", "route"]
    subprocess.run([*enter, "add", "unreachable", address], check=True)
    try:
        yield
    finally:
        subprocess.run([*enter, "del", "unreachable", address], check=True)


@pytest.mark.boots(*LOGS)
def test_what_services_log_and_how_much_is_told_to_their_teams(stage: Stage, kept: Kept) -> None:
    errors = Alert("ServiceErrorLogs", "warning", "200 ERROR lines in a second", "ai")
    breaker = Alert("CircuitBreakerOpened", "warning", "a line with `context.state: open`")
    volume = Alert("ServiceLogVolumeOverBudget", "warning", "8 MB of lines at once")
    fault(errors, breaker, volume)
    stage.order("ai-core-service", "log", level="ERROR", message="Room not created {n}", count=200)
    stage.order("dashboard-service", "log", level="WARN", message="Circuit breaker opened", context={"state": "open"})
    stage.order("dashboard-service", "log", level="INFO", message="x" * 1000, count=8000)
    mend(errors, breaker, volume)
    await_told(stage, errors, breaker, volume, seconds=150)
    await_over(stage, errors, breaker, volume, seconds=200)
    tell(stage, kept, errors, breaker, volume)
