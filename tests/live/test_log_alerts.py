"""Alerts on logs, and on those who carry and keep them: Loki, its ruler, the agent."""

from __future__ import annotations

import contextlib
import json
import signal
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
from .provoked import Alert, await_over, await_told, fault, mend, missing, tell
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
    volume = Alert("ServiceLogVolumeOverBudget", "warning", "12 MB of lines at once")
    fault(errors, breaker, volume)
    stage.order("ai-core-service", "log", level="ERROR", message="Room not created {n}", count=200)
    stage.order("dashboard-service", "log", level="WARN", message="Circuit breaker opened", context={"state": "open"})
    stage.order("dashboard-service", "log", level="INFO", message="x" * 1000, count=12000)
    mend(errors, breaker, volume)
    await_told(stage, errors, breaker, volume, seconds=150)

    # the ruler tells Alertmanager once a minute that an alert still fires, or that it is over
    deaf = Alert("LokiRulerCannotNotify", "critical", "Loki's pod does not reach Alertmanager's")
    with unreachable(stage.pods("loki")[0], stage.pods("alertmanager")[0].address):
        fault(deaf)
        await_told(stage, deaf, seconds=100)
    mend(deaf)
    await_over(stage, errors, breaker, volume, deaf, seconds=150)
    tell(stage, kept, errors, breaker, volume, deaf)


@pytest.mark.boots(*LOGS)
def test_lines_that_loki_refuses_or_gets_late_and_searches_that_are_slow(stage: Stage, kept: Kept) -> None:
    some, many = "10 lines that are eight days old", "600 lines that are eight days old"
    dropping, discarding = (Alert(name, "warning", some) for name in ("LogAgentDroppingLogs", "LokiDiscardingLogs"))
    graver = [Alert(name, "critical", many) for name in ("LogAgentDroppingLogs", "LokiDiscardingLogs")]
    streams = Alert("LokiStreamsNearLimit", "warning", "850 streams more, of 1000 that are allowed")
    late = Alert("LogIngestLagHigh", "warning", "a sender whose clock is half an hour behind")
    slow = Alert("LogSearchSlow", "warning", "searches with a costly expression over 2 MB")

    fault(dropping, discarding)
    old_lines(stage, 10)
    fault(streams)
    assert push(stage, [{"app": "shop", "order": str(n)} for n in range(850)]) == 204
    for shelf in range(4):
        assert push(stage, [{"app": "warehouse", "shelf": str(shelf)}], lines=500, text="abc " * 250) == 204
    fault(slow, late)
    behind = [{"app": "clock"}]
    assert push(stage, behind) == 204

    def worse() -> bool:
        """One more old push and one more slow search, until both numbers are beyond their objectives."""
        if lagging := (number(stage, "loki:push_lag_seconds:avg5m") or 0) < 8:
            push(stage, behind, age=1800)
        if quick := (number(stage, "loki:search_within_objective:ratio1h") or 1) > 0.85:
            search(stage, f'{{app="warehouse"}} |~ `(?i)(a.*){{12}}{time.time_ns()}$`')
        return not (lagging or quick)

    stage.await_(worse, 60, "no slow search, or no lag")
    await_told(stage, dropping, discarding, streams, late, slow)
    fault(*graver)
    old_lines(stage, 600)
    mend(streams, late, slow)
    flush(stage)

    def better() -> bool:
        """Many more young pushes and quick searches."""
        if lagging := (number(stage, "loki:push_lag_seconds:avg5m") or 0) > 4:
            for _ in range(200):
                push(stage, behind)
        if sluggish := (number(stage, "loki:search_within_objective:ratio1h") or 1) < 0.95:
            for _ in range(50):
                search(stage, '{app="nobody"}')
        return not (lagging or sluggish)

    stage.await_(better, 60, "lag and searches do not get better")
    flush(stage)  # what the first one has written leaves memory
    await_told(stage, *graver)
    mend(dropping, discarding, *graver)
    await_over(stage, dropping, discarding, *graver, streams, late, slow, seconds=90)
    tell(stage, kept, dropping, discarding, *graver, streams, late, slow)


@pytest.mark.boots(*LOGS)
def test_a_volume_that_loki_can_not_use(stage: Stage, kept: Kept) -> None:
    what = "Loki may not read its chunks and its index: restored as another user"
    flushes = Alert("LokiFlushFailing", "critical", what)
    retention = Alert("LokiRetentionNotRunning", "warning", what)
    never = Alert("LokiRetentionNeverRan", "warning", f"{what}, and Loki was killed")
    requests = Alert("LokiRequestErrors", "critical", f"{what}, and Loki was killed")
    rules = Alert("LokiRulesFailing", "critical", f"{what}, and Loki was killed")
    chunks = stage.node.home / "claims/auralink/data-loki-0/chunks"
    stream = [{"app": "warehouse", "namespace": "auralink"}]
    assert push(stage, stream) == 204
    flush(stage)
    fault(flushes, retention)
    # not index/delete_requests: without that Loki does not start, and LokiDown speaks
    locked = {folder: folder.stat().st_mode for folder in (chunks / "fake", *chunks.glob("index/loki_index_*"))}
    for folder in locked:
        folder.chmod(0)
    try:
        assert push(stage, stream) == 204
        flush(stage)
        await_told(stage, flushes, retention, seconds=90)
        fault(never, requests, rules)
        stage.pods("loki")[0].running["loki"].send(signal.SIGKILL)

        def refused() -> bool:
            with contextlib.suppress(urllib.error.HTTPError):
                search(stage, '{app="warehouse"}')
            return not missing(stage, never, requests, rules)

        stage.await_(refused, 150, "Loki works without its volume")
    finally:
        for folder, mode in locked.items():
            folder.chmod(mode)
    mend(flushes, retention, never, requests, rules)

    def answered() -> bool:
        search(stage, '{app="warehouse"}')
        return not missing(stage, flushes, retention, never, requests, rules, resolved=True)

    stage.await_(answered, 150, "not everybody is told that Loki works again")
    tell(stage, kept, flushes, retention, never, requests, rules)


@pytest.mark.boots(*LOGS)
def test_loki_gone_and_back_with_another_retention(stage: Stage, kept: Kept) -> None:
    down = Alert("LokiDown", "critical", "StatefulSet scaled to 0")
    backlog = Alert("LogAgentBacklog", "warning", "4 MB of lines while Loki is gone")
    drift = Alert("LokiRetentionDrift", "critical", "`retention_period` changed in the ConfigMap, and Loki restarted")
    rendered = stage.tree / "logging/loki.yaml"
    fault(down, backlog)
    stage.plane.kubectl("scale", "-n", "auralink", "statefulset/loki", "--replicas=0")
    stage.order("dashboard-service", "log", level="INFO", message="x" * 1000, count=4000)
    stage.await_(lambda: not stage.pods("loki"), 60, "Loki does not go")
    changed = rendered.read_text().replace("retention_period: 3d", "retention_period: 4d")
    stage.plane.kubectl("apply", "--server-side", "-f", "-", stdin=changed.partition("\n---\n")[0])
    await_told(stage, down, backlog)
    fault(drift)
    mend(down, backlog)
    stage.plane.kubectl("scale", "-n", "auralink", "statefulset/loki", "--replicas=1")
    await_over(stage, down, backlog, seconds=120)
    await_told(stage, drift)
    stage.plane.kubectl("apply", "--server-side", "-f", str(rendered))
    mend(drift)
    stage.replace(stage.pods("loki")[0], seconds=120)
    await_over(stage, drift)
    tell(stage, kept, down, backlog, drift)


@pytest.mark.boots(*LOGS)
def test_an_agent_that_reads_nothing_or_is_gone_and_rules_that_are(stage: Stage, kept: Kept) -> None:
    blind = Alert("LogAgentNoTargets", "critical", "RoleBinding of the agent deleted, and the agent restarted")
    gone = Alert("LogAgentDown", "warning", "no node fits the agent's DaemonSet")
    rules = Alert("LokiRulesMissing", "critical", "ConfigMap of the rules emptied")
    fault(rules)
    stage.plane.kubectl(
        "patch", "-n", "auralink", "configmap/loki-rules", "--type=json", '-p=[{"op": "remove", "path": "/data"}]'
    )
    stage.plane.kubectl("delete", "rolebinding", "-n", "auralink", "promtail")
    fault(blind)
    stage.plane.kubectl("delete", "pod", "-n", "auralink-agents", "-l", "app=promtail", "--wait=false")
    await_told(stage, rules, blind, seconds=90)
    stage.plane.kubectl("apply", "--server-side", "-f", str(stage.tree / "logging/loki-rules.yaml"))
    stage.plane.kubectl("apply", "--server-side", "-f", str(stage.tree / "logging/promtail.yaml"))
    mend(rules, blind)
    daemons = ("patch", "-n", "auralink-agents", "daemonset/promtail", "-p")
    fault(gone)
    stage.plane.kubectl(*daemons, '{"spec": {"template": {"spec": {"nodeSelector": {"disk": "none"}}}}}')
    await_told(stage, gone, seconds=90)
    mend(gone)
    stage.plane.kubectl(*daemons, '{"spec": {"template": {"spec": {"nodeSelector": null}}}}')
    stage.await_ready("promtail")
    await_over(stage, rules, blind, gone, seconds=90)
    tell(stage, kept, rules, blind, gone)
