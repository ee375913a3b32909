"""How the live tests look at what people were told of a fault: who else may hear of what, and when the servers are looked at."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from live import faults, kept, sinks

RULES = """
groups:
  - name: redis
    rules:
      - alert: RedisDown
        expr: redis_up == 0
        labels: {severity: critical}
        annotations: {summary: Redis is gone.}
"""
CLUSTER = "of auralink in live: Redis is gone. https://runbooks.auralink.example/RedisDown"
PAGE, CHAT, MAIL = faults.PAGE, faults.CHAT, faults.MAIL
EVERYBODY = (PAGE, CHAT, MAIL)


@pytest.fixture
def stage(tmp_path: Path) -> Any:
    """A stage whose tree knows one alert, and whose people have heard of nothing yet."""
    for path, text in {"runbooks/RedisDown.md": "", "monitoring/rules/redis.yaml": RULES}.items():
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(text)
    return SimpleNamespace(sinks=sinks.Sinks(), tree=tmp_path, kubelet=SimpleNamespace(without=()))


def tell(stage: Any, what: str, *channels: tuple[str, str], over: bool = False, incident: str = "a") -> None:
    """People hear over these channels of an alert, `NAME SEVERITY`, or that it is over."""
    line = f"[{'RESOLVED' if over else 'FIRING'}:1] {what} {CLUSTER}"
    event = {
        "event_action": "resolve" if over else "trigger", "dedup_key": incident, "payload": {"summary": line},
    }  # fmt: skip
    bodies = {"pagerduty": event, "slack": {"attachments": [{"title": line}]}, "mail": f"{line}\n"}
    for channel, to in channels:
        stage.sinks.take(channel, to, bodies[channel])


def redis_down(*others: tuple[str, *tuple[tuple[str, str], ...]], incident: str = "a") -> faults.Fault:
    """People hear of RedisDown, and of others; then that it is over, in an incident."""

    def happens(stage: Any) -> Iterator[float | None]:
        began = time.monotonic()
        tell(stage, "RedisDown critical", *EVERYBODY)
        for what, *channels in others:
            tell(stage, what, *channels)
        yield began
        tell(stage, "RedisDown critical", *EVERYBODY, over=True, incident=incident)

    return faults.Fault("Redis scaled to 0", happens, (faults.critical("RedisDown"),), told=1, over=1)


def provoke(stage: Any, fault: faults.Fault, **more: Any) -> kept.Kept:
    told = kept.Kept()
    faults.provoke(stage, told, [fault], **more)
    return told


def test_an_end_of_another_incident_is_no_end(stage: Any) -> None:
    provoke(stage, redis_down())
    with pytest.raises(AssertionError, match="its end is another incident's"):
        provoke(stage, redis_down(incident="b"))


def test_nobody_may_hear_of_another_alert(stage: Any) -> None:
    with pytest.raises(AssertionError, match="LokiDown"):
        provoke(stage, redis_down(("LokiDown critical", CHAT)))


def test_of_an_alert_besides_its_channels_may_hear_once_each(stage: Any) -> None:
    other = ("LokiDown critical", *EVERYBODY)
    assert [one["alert"] for one in provoke(stage, redis_down(other), besides=["LokiDown"]).told()["alerts"]] == [
        "RedisDown"
    ]
    with pytest.raises(AssertionError, match="LokiDown"):
        provoke(stage, redis_down((*other, CHAT)), besides=["LokiDown"])


def test_of_an_alert_besides_nobody_hears_who_is_not_of_its_severity(stage: Any) -> None:
    with pytest.raises(AssertionError, match="LokiDown"):
        provoke(stage, redis_down(("LokiDown warning", PAGE)), besides=["LokiDown"])


def test_servers_are_looked_at_when_people_know_and_the_fault_is_there(stage: Any) -> None:
    seen: list[int] = []
    provoke(stage, redis_down(), looks=lambda: seen.append(len(stage.sinks.told)))
    assert seen == [len(EVERYBODY)]  # who are told of the end later
