"""Two real Alertmanagers out of step, as after one was away: when the end of an alert is told once, and when it is not.

The check route/turns and docs/scale.md say what is shown here; a turn is 3 seconds instead of 15.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alertmanagers import Alertmanager, Told, free_ports, receiving, until
from conftest import judge

TURN, INTERVAL, OUT_OF_STEP = 3, 8, 1.0  # seconds: --cluster.peer-timeout, group_interval, between the looks of both
CONFIG = """\
route: {{receiver: us, group_wait: 1s, group_interval: {interval}s, repeat_interval: 1h}}
receivers: [{{name: us, webhook_configs: [{{url: "http://127.0.0.1:{port}/"}}]}}]
"""


class Replica(Alertmanager):
    """One of two that know each other."""

    def __init__(self, program: Path, config: Path, name: str, web: int, gossip: int, peer: int) -> None:
        cluster = {
            "listen-address": f"127.0.0.1:{gossip}", "peer": f"127.0.0.1:{peer}", "peer-name": name,
            "peer-timeout": f"{TURN}s", "settle-timeout": "1s",
        }  # fmt: skip
        super().__init__(program, config, name, web, **{f"cluster.{key}": value for key, value in cluster.items()})

    def joined(self) -> bool:
        """Whether it knows the other one, and begins to tell."""
        cluster = json.loads(self.ask("/api/v2/status"))["cluster"]
        return cluster["status"] == "ready" and len(cluster["peers"]) == 2

    def looks(self) -> int:
        """How often it has looked at the group."""
        return self.log.read_text().count("msg=flushing")

    def done(self) -> bool:
        """Whether it looks at no group any more: it said what it had to say, and let the group go (once in 30 s)."""
        return self.metric("alertmanager_dispatcher_aggregation_groups") == 0


@pytest.fixture
def told() -> Iterator[Told]:
    with receiving() as one:
        yield one


@pytest.fixture
def out_of_step(tmp_path: Path, told: Told) -> Iterator[tuple[Replica, Replica]]:
    """First and second in turn; an alert has begun, and the second looks a second before the first."""
    program = judge("alertmanager", "0.34", "nothing shows when two Alertmanagers tell an end twice")
    config = tmp_path / "alertmanager.yaml"
    config.write_text(CONFIG.format(interval=INTERVAL, port=told.port))
    ports = free_ports(4)
    with contextlib.ExitStack() as stack:
        first = Replica(program, config, "a", ports[0], ports[1], ports[3])
        stack.callback(first.stop)
        second = Replica(program, config, "b", ports[2], ports[3], ports[1])
        stack.callback(second.stop)
        for one in (first, second):
            until(one.joined)
        began = datetime.now(UTC).isoformat()
        second.hear(startsAt=began)
        until(lambda: second.looks() == 1)
        time.sleep(OUT_OF_STEP)
        first.hear(startsAt=began)
        until(lambda: told.messages == ["firing"])
        yield first, second


def end(*replicas: Replica) -> None:
    now = datetime.now(UTC).isoformat()
    for one in replicas:
        one.hear(endsAt=now)


def ended(first: Replica, second: Replica) -> None:
    """The alert ends when both have had their turn, and both let it go."""
    until(lambda: second.turns() == 2)
    end(first, second)
    until(lambda: first.done() and second.done())


def test_an_end_between_the_look_of_one_replica_and_its_turn_is_told_twice(
    out_of_step: tuple[Replica, Replica], told: Told
) -> None:
    first, second = out_of_step
    until(lambda: second.looks() == 2)
    end(first, second)
    until(lambda: len(told.messages) >= 4 and first.done() and second.done())
    assert told.messages == ["firing", "resolved", "firing", "resolved"]


def test_an_end_after_all_had_their_turn_is_told_once(out_of_step: tuple[Replica, Replica], told: Told) -> None:
    ended(*out_of_step)
    assert told.messages == ["firing", "resolved"]


def test_an_alert_that_comes_back_while_one_waits_with_its_old_end_is_told_to_have_ended(
    out_of_step: tuple[Replica, Replica], told: Told
) -> None:
    first, second = out_of_step
    ended(first, second)
    before = first.looks(), second.looks()
    end(first, second)  # once a minute for a quarter of an hour, Prometheus says so again (rules/alerting.go, 3.13)
    until(lambda: (first.looks(), second.looks()) == (before[0] + 1, before[1] + 1))
    began = datetime.now(UTC).isoformat()
    for one in (first, second):
        one.hear(startsAt=began)
    until(lambda: len(told.messages) >= 5)
    assert told.messages == ["firing", "resolved", "firing", "resolved", "firing"]
