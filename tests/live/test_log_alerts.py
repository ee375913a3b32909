"""Alerts on logs, and on those who carry and keep them: Loki, its ruler, the agent. A fault, its people, its end."""

from __future__ import annotations

import contextlib
import functools
import json
import signal
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from .faults import Fault, critical, firing, provoke, warning
from .kept import Kept
from .lines import flush
from .stage import Stage
from .test_alerts import again_and_again, edited, number, scale

EXPORTERS = "loki", "promtail"
LOGS = ("loki", "promtail", "prometheus", "alertmanager")
DAY = 86400.0
OLD = "LogAgentDroppingLogs", "LokiDiscardingLogs"
"""Who speaks when lines are too old for Loki."""
RULER = {"told": 150.0, "over": 260.0}
"""Loki's ruler asks once a minute, and looks back two minutes here."""


# What Loki is asked and sent


def push(stage: Stage, streams: Sequence[Mapping[str, str]], lines: int = 1, age: float = 0, text: str = "x") -> None:
    """As a sender beside the agent: `lines` lines of each stream, `age` seconds old. Raises HTTPError."""
    born = int((time.time() - age) * 1e9)
    values = [[str(born + n), f"{text} {n}"] for n in range(lines)]
    request = urllib.request.Request(
        f"http://{stage.pods('loki')[0].address}:3100/loki/api/v1/push",
        data=json.dumps({"streams": [{"stream": labels, "values": values} for labels in streams]}).encode(),
        headers={"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=30).close()


def search(stage: Stage, query: str, seconds: float = 60) -> Any:
    """A range query of the last hour, as Grafana asks it. Raises OSError: HTTPError, or TimeoutError after so many seconds."""
    words = urllib.parse.urlencode({"query": query, "since": "1h", "limit": "10"})
    address = f"http://{stage.pods('loki')[0].address}:3100/loki/api/v1/query_range?{words}"
    with urllib.request.urlopen(address, timeout=seconds) as answer:
        return json.load(answer)


def fill(stage: Stage) -> None:
    """2 MB of lines for `costly`."""
    for shelf in range(4):
        push(stage, [{"app": "warehouse", "shelf": str(shelf)}], lines=500, text="abc " * 250)


def costly() -> str:
    """A query that takes its time, and that no cache has seen."""
    return f'{{app="warehouse"}} |~ `(?i)(a.*){{12}}{time.time_ns()}$`'


def over(stage: Stage, *names: str) -> None:
    """Awaits that Prometheus lets alerts of an earlier fault end: the next one would only prolong them."""
    stage.await_(lambda: not set(names) & firing(stage), 90, f"{names} do not end")


# Old lines; Loki gone, and back as another


def old_lines(stage: Stage, count: int) -> None:
    """Lines of eight days ago in a container's log, each after one of now, so that a batch of the agent has a young one:
    as on a busy node, where the lines of one service with a wrong clock do not make all lines late."""
    pod = stage.pods("dashboard-service")[0]
    folder = stage.node.host / "var/log/pods" / f"{pod.namespace}_{pod.name}_{pod.uid}" / "dashboard-service"
    now = time.time()
    times = [datetime.fromtimestamp(now - (n % 2) * 8 * DAY, UTC) for n in range(2 * count)]
    with max(folder.glob("*.log")).open("a") as file:
        file.write("".join(f'{at:%Y-%m-%dT%H:%M:%S.%f}000Z stdout F {{"level": "INFO"}}\n' for at in times))


def many_old_lines(stage: Stage) -> Iterator[None]:
    old_lines(stage, 1000)
    yield


def some_old_lines(stage: Stage) -> Iterator[float]:
    def rate() -> float:
        return number(stage, "sum(rate(promtail_read_lines_total[20s]))") or 0

    # Promtail counts all lines of a batch that has an old one: with those of an outage they would be enough for the higher level.
    stage.await_(lambda: rate() < 50, 120, "the agent still catches up")
    old_lines(stage, 1)  # what a counter is born with is no increase
    stage.await_(lambda: number(stage, "sum(promtail_dropped_entries_total) > 0"), 60, "Promtail drops nothing")
    stage.await_(lambda: number(stage, "sum(loki_discarded_samples_total) > 0"), 60, "Loki refuses nothing")
    over(stage, *OLD)
    began = time.monotonic()
    old_lines(stage, 20)
    yield began


def loki_gone(stage: Stage) -> Iterator[None]:
    scale(stage, "statefulset/loki", 0)
    stage.order("dashboard-service", "log", level="INFO", message="x" * 1000, count=4000)
    yield
    scale(stage, "statefulset/loki", 1)
    stage.await_ready("loki", 120)


def retention_changed(stage: Stage) -> Iterator[float]:
    def longer(text: str) -> str:
        return text.replace("retention_period: 3d", "retention_period: 4d")

    with edited(stage, "loki-config", "loki.yaml", longer):
        stage.replace(stage.pods("loki")[0], 120)
        yield time.monotonic()
    stage.replace(stage.pods("loki")[0], 120)


@pytest.mark.boots(*LOGS)
def test_alerts_on_old_lines_on_loki_gone_and_on_another_retention_than_declared(
    stage: Stage, kept: Kept, exports: Callable[..., set[str]]
) -> None:
    provoke(
        stage,
        kept,
        [
            Fault("20 lines eight days old", some_old_lines, tuple(warning(name) for name in OLD)),
            Fault("Loki scaled to 0, 4 MB of lines meanwhile", loki_gone, (critical("LokiDown"), warning("LogAgentBacklog"))),
            Fault("`retention_period` edited by hand, Loki restarted", retention_changed, (critical("LokiRetentionDrift"),)),
        ],
        looks=functools.partial(exports, *EXPORTERS),
        besides=("LogIngestLagHigh",),  # rightly, where few lines were on time in the minutes before: those of the outage come late
    )  # fmt: skip


# The services' lines


def errors_and_an_open_breaker(stage: Stage) -> Iterator[None]:
    stage.order("ai-core-service", "log", level="ERROR", message="Room not created {n}", count=200)
    stage.order("dashboard-service", "log", level="WARN", message="Circuit breaker opened", context={"state": "open"})
    yield


def many_lines(stage: Stage) -> Iterator[float]:
    stage.order(
        "dashboard-service", "log", level="INFO", message="the first"
    )  # what a counter is born with is no increase
    counted = '{__name__=~".+_custom_log_bytes_total", exported_app="dashboard-service", level="INFO"}'
    stage.await_(lambda: number(stage, counted) is not None, 60, "the agent counts no bytes")
    began = time.monotonic()
    stage.order("dashboard-service", "log", level="INFO", message="x" * 1000, count=12000)
    yield began


def ruler_cut_off(stage: Stage) -> Iterator[None]:
    """What a network policy does that forgets somebody. The ruler still has something to tell: that alerts fire, or are over."""
    enter = ["nsenter", f"--net=/proc/{stage.pods('loki')[0].network.holder.pid}/ns/net", "ip", "route"]
    address = stage.pods("alertmanager")[0].address
    subprocess.run([*enter, "add", "unreachable", address], check=True)
    yield
    subprocess.run([*enter, "del", "unreachable", address], check=True)


# Loki's limits and objectives


def many_streams(stage: Stage) -> Iterator[None]:
    push(stage, [{"app": "shop", "order": str(n)} for n in range(850)])
    yield
    for _ in range(2):  # what the first has written leaves memory with the next look
        flush(stage)


def late_lines(stage: Stage) -> Iterator[None]:
    def lag() -> float:
        return number(stage, "loki:push_lag_seconds:avg5m") or 0

    def later() -> bool:
        push(stage, [{"app": "clock"}], age=1800)
        return lag() > 8

    push(stage, [{"app": "clock"}])
    stage.await_(later, 60, "lines are not late")
    yield

    def sooner() -> bool:
        for _ in range(200):
            push(stage, [{"app": "clock"}])
        return lag() < 4

    stage.await_(sooner, 90, "lines stay late")


def slow_searches(stage: Stage) -> Iterator[None]:
    def quick() -> float | None:
        return number(stage, "loki:search_within_objective:ratio1h")

    def slower() -> bool:
        search(stage, costly())
        return (quick() or 1) < 0.85

    fill(stage)
    stage.await_(slower, 90, "no search is slow")
    yield

    def quicker() -> bool:
        for _ in range(50):
            search(stage, '{app="nobody"}')
        return (quick() or 0) > 0.95

    stage.await_(quicker, 90, "searches stay slow")


@pytest.mark.boots(*LOGS, "dlq-redis")
def test_alerts_on_what_is_logged_and_on_what_loki_is_sent_and_asked(
    stage: Stage, kept: Kept, exports: Callable[..., set[str]]
) -> None:
    provoke(
        stage,
        kept,
        [
            Fault(
                "200 ERROR lines of one service, a line with `context.state: open` of another",
                errors_and_an_open_breaker,
                (
                    warning("ServiceErrorLogs", team="ai", service="ai-core-service"),
                    warning("CircuitBreakerOpened", service="dashboard-service"),
                ),
                **RULER,
            ),
            Fault("Loki's pod does not reach Alertmanager's", ruler_cut_off, (critical("LokiRulerCannotNotify"),), **RULER),
        ],
        [Fault("12 MB of lines", many_lines, (warning("ServiceLogVolumeOverBudget", service="dashboard-service"),))],
        [
            Fault("1,000 lines eight days old", many_old_lines, tuple(critical(name, silences="warning") for name in OLD)),
        ],
        [Fault("850 streams more, of 1,000 allowed", many_streams, (warning("LokiStreamsNearLimit"),))],
        [Fault("a sender whose clock is half an hour behind", late_lines, (warning("LogIngestLagHigh"),))],
        [Fault("searches with a costly expression", slow_searches, (warning("LogSearchSlow"),))],
        looks=functools.partial(exports, *EXPORTERS),
    )  # fmt: skip


# The rules, the volume, the agent


def rules_gone(stage: Stage) -> Iterator[None]:
    patch = '-p=[{"op": "remove", "path": "/data"}]'
    stage.plane.kubectl("patch", "-n", "auralink", "configmap/loki-rules", "--type=json", patch)
    yield
    apply(stage, "logging/loki-rules.yaml")


def apply(stage: Stage, file: str) -> None:
    """A rendered file, as it is."""
    stage.plane.kubectl("apply", "--server-side", "-f", str(stage.tree / file))


@contextlib.contextmanager
def locked(stage: Stage) -> Iterator[None]:
    """Loki may not touch its chunks and its index, as after a restore by another user.

    The requests for deletion stay: without them Loki does not start (3.7.6), and LokiDown speaks.
    """
    chunks = stage.node.home / "claims/auralink/data-loki-0/chunks"
    modes = {folder: folder.stat().st_mode for folder in (chunks / "fake", *chunks.glob("index/loki_index_*"))}
    for folder in modes:
        folder.chmod(0)
    try:
        yield
    finally:
        for folder, mode in modes.items():
            folder.chmod(mode)


def volume_locked(stage: Stage) -> Iterator[float]:
    push(stage, [{"app": "warehouse"}])
    flush(stage)
    if not list((stage.node.home / "claims/auralink/data-loki-0/chunks").glob("index/loki_index_*")):
        stage.replace(stage.pods("loki")[0], 120)  # a quarter of an hour earlier than by itself it writes its index
    began = time.monotonic()
    with locked(stage):
        push(stage, [{"app": "warehouse"}])
        flush(stage)
        yield began


def volume_locked_and_loki_killed(stage: Stage) -> Iterator[float]:
    over(stage, "LokiFlushFailing", "LokiRetentionNotRunning")
    began = time.monotonic()
    with locked(stage):
        stage.pods("loki")[0].running["loki"].send(signal.SIGKILL)
        yield began


def ingester_shut_down(stage: Stage) -> Iterator[float]:
    """Somebody shuts the ingester down by its API, and Loki runs on: pushes and the ruler's queries meet an empty ring."""
    stage.await_ready("loki", 120)
    began = time.monotonic()
    address = f"http://{stage.pods('loki')[0].address}:3100/ingester/shutdown?flush=false&terminate=false"
    urllib.request.urlopen(urllib.request.Request(address, method="POST"), timeout=30).close()

    def send() -> None:
        with contextlib.suppress(OSError):  # HTTPError is one
            push(stage, [{"app": "warehouse"}])

    with again_and_again(send):
        yield began
    stage.replace(stage.pods("loki")[0], 120)


def agent(stage: Stage) -> str:
    """Which of both runs."""
    return next(app for app in ("promtail", "alloy") if stage.pods(app))


def agent_without_rights(stage: Stage) -> Iterator[None]:
    app = agent(stage)
    stage.plane.kubectl("delete", "rolebinding", "-n", "auralink", app)
    restart = ("delete", "pod", "-n", "auralink-agents", "-l", f"app={app}", "--wait=false")
    stage.plane.kubectl(*restart)  # what it watches already it goes on watching
    yield
    apply(stage, f"logging/{app}.yaml")


def agent_gone(stage: Stage) -> Iterator[None]:
    app = agent(stage)
    patch = ("patch", "-n", "auralink-agents", f"daemonset/{app}", "-p")
    stage.plane.kubectl(*patch, '{"spec": {"template": {"spec": {"nodeSelector": {"disk": "none"}}}}}')
    yield
    stage.plane.kubectl(*patch, '{"spec": {"template": {"spec": {"nodeSelector": null}}}}')
    stage.await_ready(app)


@pytest.mark.boots(*LOGS)
def test_alerts_on_the_agent_and_on_lokis_rules_and_volume(
    stage: Stage, kept: Kept, exports: Callable[..., set[str]]
) -> None:
    provoke(
        stage,
        kept,
        [
            Fault("the agent's RoleBinding deleted, the agent restarted", agent_without_rights, (critical("LogAgentNoTargets"),)),
            Fault("no node fits the agent's DaemonSet", agent_gone, (warning("LogAgentDown"),)),
        ],
        [
            Fault("the ConfigMap of the rules emptied", rules_gone, (critical("LokiRulesMissing"),)),
            Fault(
                "Loki may not touch its chunks and index",
                volume_locked,
                (critical("LokiFlushFailing"), warning("LokiRetentionNotRunning")),
                told=90,
            ),
            Fault(
                "the same, and Loki was killed",
                volume_locked_and_loki_killed,
                (warning("LokiRetentionNeverRan"),),
                told=90,
            ),
            Fault(
                "Loki's ingester shut down by its API",
                ingester_shut_down,
                (critical("LokiRequestErrors"), critical("LokiRulesFailing")),
                **RULER,
            ),
        ],
        looks=functools.partial(exports, *EXPORTERS),
    )  # fmt: skip
