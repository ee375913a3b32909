"""The tree of one machine: it comes up, its alerts reach people, its dead letters go round, its restarts disturb nobody."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml

from ..faults import CHAT_AI, MAIL
from ..kept import Kept
from .conftest import ALERTING, LOGS, SERVICES
from .engine import Engine

AI = [MAIL, CHAT_AI]


def asked(machine: Engine, query: str) -> list[tuple[dict[str, str], float]]:
    """Labels and value of each series that Prometheus finds."""
    found = json.loads(machine.get(9090, "/api/v1/query", query=query))["data"]["result"]
    return [(one["metric"], float(one["value"][1])) for one in found]


def order(machine: Engine, service: str, name: str, **arguments: Any) -> Any:
    """Makes a service of `services.yaml` do something (tests/live/service.py), and returns what it says."""
    one = machine.containers[service]
    port = one.declared["environment"]["PORT"]
    body = json.dumps(arguments).encode()
    with urllib.request.urlopen(f"http://{one.address}:{port}/{name}", body, timeout=60) as answer:
        return json.loads(answer.read())


def dlq(machine: Engine, *words: str) -> str:
    """`auralink-dlq`, as the rendered runbooks have it typed on one machine."""
    typed = (*machine.containers["dlq-api"].declared["entrypoint"], "auralink-dlq", *words)
    # at a load of 22 on two cores a retry of 150 letters took over 30 seconds
    return machine.exec("dlq-api", *typed, seconds=120)


def healthy(machine: Engine) -> set[str]:
    """The jobs whose targets Prometheus reaches."""
    return {labels["job"] for labels, _ in asked(machine, "up == 1")}


def unreached(machine: Engine) -> list[str]:
    """Each target that Prometheus does not reach, and why."""
    found = json.loads(machine.get(9090, "/api/v1/targets"))["data"]["activeTargets"]
    return [f"{one['scrapeUrl']}: {one['lastError']}" for one in found if one["health"] != "up"]


def troubles(machine: Engine) -> set[str]:
    """Names of the alerts that are firing or about to. The metric `ALERTS` would not do: of an alert that was true when
    Prometheus ended, and is not when it is back, it goes on to find the last sample for five minutes."""
    found = json.loads(machine.get(9090, "/api/v1/alerts"))["data"]["alerts"]
    return {one["labels"]["alertname"] for one in found}


@pytest.mark.boots(*ALERTING, profile="compose")
def test_the_tree_comes_up_and_every_healthcheck_agrees(machine: Engine, trees: Path) -> None:
    declared = yaml.safe_load((trees / "compose" / "compose.yaml").read_text())["services"]
    runs = {name for name in declared if not name.endswith("-volume")} - {"grafana"}
    assert runs == {*LOGS, *ALERTING}, "a service that nobody here has heard of"
    for name in runs & machine.containers.keys():
        one = machine.containers[name]
        assert (one.starts, one.health) == (one.ordered, "none" if name == "dlq-cleanup" else "healthy"), one.last()
    cleanup = machine.containers["dlq-cleanup"]
    machine.await_(lambda: b"0 letters past retention" in cleanup.said_so_far(), 60, "the cleanup has not run")
    for port, path in ((9090, "/-/ready"), (9093, "/-/ready"), (8080, "/readyz")):
        machine.get(port, path)
    asked_by_name = {*ALERTING, *LOGS, *SERVICES[:2]} & machine.containers.keys() - {"dlq-redis", "dlq-cleanup"}
    machine.await_(lambda: healthy(machine) == asked_by_name, 30, f"Prometheus does not reach all of {asked_by_name}")


@pytest.mark.boots("prometheus", "alertmanager", "dlq-redis", "redis-exporter", "dlq-api", profile="compose")
def test_a_dead_letter_goes_round_by_the_command_line_of_the_runbooks(machine: Engine, kept: Kept) -> None:
    began, queue = time.monotonic(), "agents:create"
    assert (
        order(machine, "ai-core-service", "give_up", queue=queue, count=150, error="the model does not answer")["taken"]
        == 150
    )
    machine.sinks.await_(lambda: machine.sinks.channels("DLQDepthHigh", began) == AI, 60, "nobody is told of the depth")
    told = {one.channel: one.at - began for one in machine.sinks.about("DLQDepthHigh", began)}
    group = json.loads(dlq(machine, "groups", queue, "--output", "json"))  # a line for each: one
    assert (group["count"], group["error"]) == (150, "the model does not answer")
    assert "the model does not answer" in dlq(machine, "list", queue, "--order", "oldest")

    mended = time.monotonic()
    dlq(
        machine, "bulk", "retry", queue, "--fingerprint", group["fingerprint"], "--rate", "500", "--by", "nina", "--yes"
    )
    client = redis.Redis(host=machine.containers["dlq-redis"].address, username="dlq", password="redis-password")
    handled = set()
    while message := client.lpop(queue):
        handled.add(json.loads(message)["number"])
    assert handled == set(range(150))
    machine.sinks.await_(
        lambda: machine.sinks.channels("DLQDepthHigh", began, resolved=True) == AI, 90, "nobody is told that it is over"
    )
    assert machine.sinks.channels("DLQDepthHigh", began) == AI
    over = {one.channel: one.at - mended for one in machine.sinks.about("DLQDepthHigh", mended) if one.resolves}
    kept.alert("DLQDepthHigh", "warning", "150 dead letters of one queue, on one machine", told, over)


@pytest.mark.boots(*LOGS, *ALERTING, profile="compose")
def test_containers_that_are_made_anew_page_nobody(machine: Engine, kept: Kept) -> None:
    began, before = time.monotonic(), troubles(machine)
    for name in (*LOGS, *ALERTING):
        machine.recreate(name)
    machine.await_healthy(*LOGS, *ALERTING)
    # as long as each `for` of this profile and a group's waiting, seen by the new Prometheus and told to the new Alertmanager
    evaluated = 'time() - process_start_time_seconds{job="prometheus"} > 15'
    machine.await_(lambda: asked(machine, evaluated), 60, "Prometheus does not evaluate")
    try:
        machine.await_(lambda: troubles(machine) <= before, 90, "what began does not end")
    except AssertionError as error:
        why = "\n".join([*unreached(machine), *(f"== {name}\n{machine.containers[name].last()}" for name in ALERTING)])
        raise AssertionError(f"{troubles(machine) - before} do not end\n{why}\n{machine.node.state()}") from error
    # what Prometheus sent before it had found Alertmanager it sends again after a minute (--rules.alert.resend-delay)
    machine.await_(lambda: b"Watchdog" in machine.get(9093, "/api/v2/alerts"), 90, "Alertmanager hears nothing")
    told = [one for one in machine.sinks.told if one.at >= began and one.channel != "watchdog"]
    assert not told, told
    kept.benign("docker compose up --force-recreate of every server", len(told))
