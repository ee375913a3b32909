"""Docker's logs in Loki: each line of each container once, with exactly the declared labels, whatever is restarted meanwhile.

The containers are real processes, Docker's part is played by obsgen.judging.dockerd: what it told is compared with what Loki keeps, to the
nanosecond.
"""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from obsgen.judging.alloyrun import beside
from obsgen.road import load

from .. import exported
from ..kept import Kept
from ..stands import CONFIG
from .container import Container
from .engine import Engine
from .test_machine import order

DECLARATION = load(CONFIG, "compose").declaration
TALKERS = ("dashboard-service", "ai-core-service")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
HOW = "what Docker's stand-in told against what Loki answers"
PORTS = {"loki": 3100, "alloy": 12345, "promtail": 3101}
LONG = "x" * 40_000  # characters, which Docker tells in three frames
Line = tuple[int, str, frozenset[tuple[str, str]], frozenset[tuple[str, str]]]  # nanoseconds, line, labels, metadata


@pytest.fixture(
    scope="module",
    params=(
        pytest.param("alloy", marks=pytest.mark.boots("loki", "alloy", profile="compose")),
        pytest.param("promtail", marks=pytest.mark.boots("loki", "promtail", profile="compose-promtail")),
    ),
)
def agent(request: pytest.FixtureRequest, machine: Engine, trees: Path) -> Iterator[str]:
    """The agent that runs: the tree's own, or for a while that of the other profile in its place, as a machine is moved."""
    name = str(request.param)
    if name == "promtail":
        machine.remove("alloy")
        machine.up(trees / "compose-promtail" / "compose.yaml", ["promtail"])
        machine.await_healthy("promtail")
    yield name
    if name == "promtail":
        machine.remove("promtail")
        machine.up(trees / "compose" / "compose.yaml", ["alloy"])
        machine.await_healthy("alloy")


def wanted(one: Container, app: str) -> Counter[Line]:
    """The lines that a container wrote, as the declaration has them in Loki."""
    place = {"cluster": "live", "namespace": "auralink", "app": app, "container": one.service}
    found: Counter[Line] = Counter()
    for at, stream, raw in one.lines:
        text = raw.decode().removesuffix("\n")
        try:
            level = json.loads(text).get("level", "UNKNOWN")
        except ValueError:
            level = "UNKNOWN"
        metadata = beside(DECLARATION, text) | {"pod": one.name, "stream": stream}
        found[at, text, frozenset((place | {"level": level}).items()), frozenset(metadata.items())] += 1
    return found


def in_loki(machine: Engine, selector: str) -> Counter[Line]:
    """The lines that Loki answers with, labels and structured metadata apart."""
    query = urllib.parse.urlencode({"query": selector, "limit": 5000, "since": "1h"})
    request = urllib.request.Request(
        f"http://localhost:3100/loki/api/v1/query_range?{query}",
        headers={"X-Loki-Response-Encoding-Flags": "categorize-labels"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        streams: list[dict[str, Any]] = json.loads(answer.read())["data"]["result"]
    return Counter(
        (int(at), line, frozenset(one["stream"].items()), frozenset(more[0].get("structuredMetadata", {}).items()))
        for one in streams
        for at, line, *more in one["values"]
    )


def await_lines(machine: Engine) -> None:
    """Until Loki has each line of the services once, and no other. Raises AssertionError with what is missing and what is too much."""
    for service in TALKERS:
        one = machine.containers[service]

        def compared(one: Container = one) -> tuple[Counter[Line], Counter[Line]]:
            told, found = wanted(one, one.service), in_loki(machine, f'{{app="{one.service}"}} | pod="{one.name}"')
            return told - found, found - told

        try:
            machine.await_(lambda: compared() == (Counter(), Counter()), 60, "Loki has not the lines")
        except AssertionError:
            missing, more = compared()
            raise AssertionError(
                f"{service}: missing {missing.most_common(3)}, too much {more.most_common(3)}"
            ) from None


def written(machine: Engine) -> int:
    """Lines of the services so far."""
    return sum(len(machine.containers[service].lines) for service in TALKERS)


def talk(machine: Engine, word: str) -> None:
    """Lines of every kind: by the logger with and without context, by a stranger's, with a stack, over Docker's limit."""
    for service in TALKERS:
        order(
            machine, service, "log", level="INFO", message=f"{word} {{n}}", count=20, context={"duration_ms": 12}, trace_id=TRACE
        )  # fmt: skip
        order(machine, service, "log", level="WARNING", message=f"{word} of a library", through="stdlib")
        order(machine, service, "log", level="ERROR", message=f"{word} fails", error="no answer")
        # our loggers write no line that Docker would have to split: one by hand
        machine.exec(service, "sh", "-c", f"echo '{word} {LONG}' >/proc/1/fd/1")
        one, last = machine.containers[service], f"{word} {LONG}".encode()
        machine.await_(lambda one=one, last=last: last in one.said_so_far(), 30, f"{service} has not written")


def test_lines_land_once_with_the_declared_labels_through_either_agent(machine: Engine, agent: str, kept: Kept) -> None:
    talk(machine, f"by {agent}")
    for service in ("silent", "stranger"):
        order(machine, service, "log", level="INFO", message="for nobody")
    await_lines(machine)
    assert not in_loki(machine, '{app=~"silent|stranger"}')
    if agent == "promtail":
        what = "lines lost or twice where Promtail takes over from Alloy on one machine, without its positions"
        kept.number(what, 0, f"of {written(machine)}", HOW)


def test_what_loki_and_an_agent_of_docker_export_is_what_the_checks_know(
    machine: Engine, agent: str, pytestconfig: pytest.Config
) -> None:
    for name in ("loki", agent):
        server, prefixes = exported.SERVERS[name]
        seen = exported.of_target(f"http://{machine.containers[name].address}:{PORTS[name]}/metrics", prefixes)
        assert seen and exported.checked(server, seen, keep=pytestconfig.getoption("--record")) == []


def test_restarts_of_agent_loki_and_service_lose_no_line_and_ship_none_twice(
    machine: Engine, agent: str, kept: Kept
) -> None:
    talk(machine, f"{agent}: before")
    machine.containers[agent].stop()
    talk(machine, f"{agent}: while the agent is away")
    machine.containers[agent].start()
    await_lines(machine)
    machine.containers["loki"].stop()
    talk(machine, f"{agent}: while Loki is away")
    machine.containers["loki"].start()
    machine.await_healthy("loki")
    await_lines(machine)
    machine.containers["ai-core-service"].stop()
    machine.containers["ai-core-service"].start()
    machine.await_(lambda: order(machine, "ai-core-service", "beat", beats=True) is None, 30, "the service is not back")
    talk(machine, f"{agent}: after a restart of the service")
    await_lines(machine)
    what = f"lines lost or twice through {agent} from Docker, over restarts of agent, Loki and service"
    kept.number(what, 0, f"of {written(machine)}", HOW)
