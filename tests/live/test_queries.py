"""What people and rules ask, asked of the servers: no error, and an answer where something happened.

An empty answer is as well-formed as a full one, so each question must find something, or stand in one of the tables below with the reason
why it rightly finds nothing.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from obsgen import logql, promql, upstream
from obsgen.dashboard_reader import either

from .kept import Kept
from .life import TRACE, happen, silence
from .questions import Question, Servers, boards, of_board, of_rules, of_runbooks, records
from .stage import Stage

METRICS = pytest.mark.boots(
    "prometheus", "alertmanager", "dlq-redis", "redis-exporter", "dlq-api", "dashboards", "runbooks"
)
LOGS = pytest.mark.boots("loki", "promtail", "prometheus", "alertmanager", "dashboards", "runbooks")
UNREGISTERED = {"loki", "promtail", "alloy"}
"""Folders of upstream/ whose metrics are there with Loki and an agent only."""

WORDS = {
    "APP": "dashboard-service", "SERVICE": "dashboard-service", "OWNER": "dashboard-service", '"X"': '"dashboard-service"',
    "QUEUE": "agents:create", "METRIC": "http_request_duration_seconds", 'trace_id="…"': f'trace_id="{TRACE}"',
    'namespace="…"': 'namespace="auralink"',
}  # fmt: skip
"""What people type for the placeholders of the runbooks."""

NOTHING = {
    "container_cpu_cfs_throttled_periods_total": "the kubelet exports it, and this one is small",
    'maxmemory_policy!="noeviction"': "Redis evicts nothing, as it is rendered",
    'app="search-service"': "declared, and deployed by a scenario only",
    'ALERTS{alertname=~"': "marks what fires",
    'severity="info"': "nothing of that severity fires",
    '|= "spool"': "letters wait in the spool while Redis is gone only",
    "duration > ": "no search was slow",
    "promtail_docker_target_entries_total": "the agent reads the files of a node",
    "loki_discarded_samples_total": "Loki refused no line",
    "alert:LokiDiscardingLogs:query": "Loki refused no line",
    'status_code=~"5..': "no request to Loki failed",
    'status_code="499"': "nobody left before Loki had answered",
    "loki_objstore_bucket_operation_failures_total": "the store failed at nothing",
    'retention_hours!~"': "every line is kept as long as declared",
}
"""What a question or a selector says → why nothing is found, and that is right. Scenarios of alerts make most of it happen."""


def excused(text: str, excuses: Iterable[str] = NOTHING) -> bool:
    """Whether it may find nothing."""
    return any(word in text for word in excuses)


def servers(stage: Stage) -> Servers:
    """Where Grafana would ask."""
    found = {"prometheus": f"http://{stage.pods('prometheus')[0].address}:9090/api/v1"}
    if loki := [pod for pod in stage.pods("loki") if pod.ready]:
        found["loki"] = f"http://{loki[0].address}:3100/loki/api/v1"
    return Servers(found)


def scrape_interval(tree: Path) -> int:
    """What Grafana's data source says of Prometheus, in seconds; it stands with the dashboards, on one machine beside them."""
    files = (tree / "dashboards/grafana.yaml", tree / "grafana/provisioning/datasources/datasources.yaml")
    (said,) = (found for file in files if file.exists() for found in _INTERVAL.findall(file.read_text()))
    return int(said)


_INTERVAL = re.compile(r"timeInterval: (\d+)s")


def read_by(text: str, recorded: Mapping[str, str]) -> set[str]:
    """Metrics that a question reads, also behind what is recorded."""
    names = {name for name, _ in promql.metrics(promql.parse(text))}
    return names.union(*(read_by(recorded[name], recorded) for name in names & recorded.keys()))


def of_logs(question: Question, recorded: Mapping[str, str]) -> bool:
    """Whether Loki or an agent has a part in the answer."""
    if question.of == "loki" or any(f'app="{app}"' in question.text for app in UNREGISTERED):
        return True
    exporters = (upstream.exporters().get(name, frozenset()) for name in read_by(question.text, recorded))
    return any(found & UNREGISTERED for found in exporters)


def asked(tree: Path, *, logs: bool) -> Iterator[Question]:
    """The questions of a tree; `logs`: those of Loki and about it and the agents, else the others."""
    recorded = records(tree)
    scrape = scrape_interval(tree)
    found = [*of_rules(tree), *of_runbooks(tree, WORDS)]
    found += [one for uid, board in boards(tree).items() for one in of_board(uid, board, 900, {}, scrape)]
    return (one for one in dict.fromkeys(found) if of_logs(one, recorded) == logs)


def answered(stage: Stage, tree: Path, *, logs: bool) -> int:
    """How many questions of a tree were asked of a cluster; all are answered, and those that must have found something."""
    return answers(servers(stage), list(asked(tree, logs=logs)), lambda: happen(stage), stage.await_)


def answers(
    asks: Servers,
    questions: Sequence[Question],
    happens: Callable[[], None],
    await_: Callable[[Callable[[], bool], float, str], Any],
    excuses: Iterable[str] = NOTHING,
) -> int:
    """How many questions were asked: all are answered, and those that must have found something, awaited with `await_` as a Stage's
    while again and again something `happens`.
    """
    left = [one for one in questions if not one.condition and not excused(one.text, excuses)]
    for one in questions:
        asks.ask(one)

    def none_left() -> bool:
        nonlocal left
        happens()
        left = [one for one in left if not asks.ask(one)]
        return not left

    try:
        await_(none_left, 90, "questions find nothing")
    except AssertionError:
        raise AssertionError("\n".join(f"{one.where} finds nothing: {one.text}" for one in left)) from None
    return len(questions)


@METRICS
def test_every_question_about_metrics_finds_what_happened(stage: Stage, kept: Kept) -> None:
    silence(stage)
    number = answered(stage, stage.tree, logs=False)
    kept.number("questions about metrics, answered", number, "", "dashboards, rules and runbooks, asked of Prometheus")


@LOGS
def test_every_question_about_logs_finds_what_happened(logged: Stage, kept: Kept) -> None:
    logged.get("loki", 3100, "/flush")  # chunks are written, as they are after half an hour without lines
    number = answered(logged, logged.tree, logs=True)
    kept.number(
        "questions about logs, answered", number, "", "dashboards, rules and runbooks, asked of Loki and Prometheus"
    )


# What is chosen


def choose(asks: Servers, tree: Path, of: str) -> int:
    """Each variable of each dashboard set to one value, then to two; answers hold nothing else. How many questions that was."""
    scrape, number = scrape_interval(tree), 0
    for uid, board in boards(tree).items():
        for name, offered in asks.choices(board).items():
            assert offered, f"{uid}: {name} offers nothing"
            for values in [*([one] for one in offered), *([offered[:2]] if len(offered) > 1 else [])]:
                for question in of_board(uid, board, 3600, {name: values}, scrape):
                    if question.of == of:
                        number += 1
                        found = asks.ask(question)
                        if (
                            f'{name}=~"{either(values)}"' in question.text
                        ):  # variables are called as the label that they choose by
                            labels = (one.get("metric") or one.get("stream") or {} for one in found)
                            assert {one[name] for one in labels if name in one} <= {*values}, question
    return number


@METRICS
def test_a_choice_in_a_dashboard_leaves_other_metrics_out(stage: Stage) -> None:
    happen(stage)
    assert choose(servers(stage), stage.tree, "prometheus") > 100


@LOGS
def test_a_choice_in_a_dashboard_leaves_other_lines_out(logged: Stage) -> None:
    happen(logged)
    assert choose(servers(logged), logged.tree, "loki") > 100


def own_range(asks: Servers, tree: Path, of: str) -> None:
    """Each dashboard is answered for the time range with which it opens, and for a day."""
    scrape = scrape_interval(tree)
    for uid, board in boards(tree).items():
        number, unit = re.fullmatch(r"now-(\d+)([hd])", board.get("time", {}).get("from", "now-6h")).groups()
        for seconds in (int(number) * {"h": 3600, "d": 86400}[unit], 86400):
            for question in of_board(uid, board, seconds, {}, scrape):
                if question.of == of:
                    asks.ask(question)


@METRICS
def test_metrics_are_found_for_the_time_range_with_which_a_dashboard_opens(stage: Stage) -> None:
    own_range(servers(stage), stage.tree, "prometheus")


@LOGS
def test_lines_are_found_for_the_time_range_with_which_a_dashboard_opens(logged: Stage) -> None:
    own_range(servers(logged), logged.tree, "loki")


# The plan's five queries


def lines(stage: Stage, mark: str) -> dict[str, set[str]]:
    """Writes lines that the five queries are for, and beside each some that look like them; panel → messages of dashboard-service that
    it must find. The panel of one trace goes across services.
    """
    board, brain = "dashboard-service", "ai-core-service"
    user, trace = f"user_{mark}", f"{mark:0>32}"
    expected: dict[str, set[str]] = {}

    def write(app: str, level: str, what: str, *panels: str, **more: Any) -> None:
        stage.order(app, "log", level=level, message=f"{mark} {what}", **more)
        for panel in (*panels, *(["Lines"] if app == board else [])):
            expected.setdefault(panel, set()).add(f"{mark} {what}")

    write(board, "ERROR", "an error", "Error lines")
    write(board, "FATAL", "the end", "Error lines")
    write(board, "INFO", "says ERROR and isn't one")
    write(brain, "ERROR", "an error of another service")
    write(board, "INFO", "of the user", "Lines of one user", user_id=user)
    write(board, "INFO", f"about {user}, by another", user_id=f"{user}4")
    write(board, "INFO", "of the trace", "Lines of one trace", trace_id=trace)
    write(brain, "INFO", "of the trace, too", "Lines of one trace", trace_id=trace)
    write(board, "INFO", f"about {trace}", trace_id=f"{mark:1>32}")
    write(board, "INFO", "took long", "Requests over a second", context={"duration_ms": 1000.5})
    write(board, "INFO", "was quick", context={"duration_ms": 1000})
    write(board, "INFO", "speaks of duration_ms only")
    write(board, "INFO", "has no number", context={"duration_ms": "long"})
    write(board, "INFO", "is deeper", context={"call": {"duration_ms": 5000}})
    write(board, "WARN", "Circuit breaker to Redis", "Circuit breakers that opened", context={"state": "open"})
    write(board, "WARN", "circuit breaker to Redis again", "Circuit breakers that opened", context={"state": "open"})
    write(board, "WARN", "Circuit breaker closes", context={"state": "closed"})
    write(board, "WARN", 'Circuit breaker says "state":"open"', context={"state": "half_open"})
    write(board, "WARN", "the door", context={"state": "open"})
    return expected


@LOGS
def test_the_five_queries_of_the_plan_find_exactly_their_lines(logged: Stage) -> None:
    mark = secrets.token_hex(8)
    expected = lines(logged, mark)
    asks, board = servers(logged), boards(logged.tree)["auralink-service-logs"]
    chosen = {"app": ["dashboard-service"], "user_id": [f"user_{mark}"], "trace_id": [f"{mark:0>32}"], "search": [mark]}
    panels = {
        one.where: one
        for one in of_board("logs", board, 900, chosen, scrape_interval(logged.tree))
        if one.of == "loki" and not logql.parse(one.text).is_metric
    }

    def found(panel: str) -> set[str]:
        streams = asks.ask(panels[f"logs: panel '{panel}', A"])
        messages = (json.loads(line[1])["message"] for one in streams for line in one["values"] if mark in line[1])
        return set(messages)

    arriving = "Lines", "Lines of one trace"  # of both services
    logged.await_(lambda: all(found(one) == expected[one] for one in arriving), 60, "the lines do not arrive")
    assert {panel: found(panel) for panel in expected} == expected
