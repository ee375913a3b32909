"""The metrics that rules and dashboards ask for: names, labels and values of upstream/dlq/metrics.yaml, from 0."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from auralink_shared.dlq import Collector, DeadLetters, Record
from conftest import QUEUE, ROOT, SETTINGS, Server

DECLARED: dict[str, Any] = yaml.safe_load((ROOT / "upstream" / "dlq" / "metrics.yaml").read_text(encoding="utf-8"))
METRICS: dict[str, Any] = DECLARED.get("metrics", DECLARED)


def samples(letters: DeadLetters, shared: bool = True) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    registry = CollectorRegistry()
    registry.register(Collector(letters, shared=shared))
    return {
        (one.name, frozenset(one.labels.items())): one.value for family in registry.collect() for one in family.samples
    }


def test_every_declared_value_of_every_queue_is_there_from_0(letters: DeadLetters) -> None:
    found = samples(letters)
    assert found.pop(("dlq_durability_ok", frozenset())) == 1.0  # the one that begins with a question to Redis
    assert set(found.values()) == {0.0}
    for name, metric in METRICS.items():
        if not name.startswith("dlq_") or name in ("dlq_durability_ok", "dlq_oldest_message_timestamp_seconds"):
            continue  # the one is the doctor's, the other has no sample without a letter
        for queue in SETTINGS.queues if "queue" in metric["labels"] else [None]:
            for label, values in (metric.get("values") or {None: [None]}).items():
                for value in values:
                    labels = {"queue": queue, label: value}
                    assert (name, frozenset((k, v) for k, v in labels.items() if k and v)) in found


def test_what_happened_is_counted(letters: DeadLetters) -> None:
    letters.add(Record(QUEUE, b"1", id="1", created_at=1000.0))
    letters.add(Record(QUEUE, b"1", id="2", reason="rejected", created_at=2000.0))
    letters.client.lpush(f"dlq:{QUEUE}", b"bad")
    letters.retry(QUEUE, "1", by="ann")
    letters.remove(QUEUE, "2", by="ann", reason="bulk")
    found = samples(letters)

    def value(name: str, **labels: str) -> float:
        return found[name, frozenset({"queue": QUEUE, **labels}.items())]

    assert value("dlq_messages_total", reason="exhausted") == value("dlq_messages_total", reason="rejected") == 1
    assert value("dlq_replayed_messages_total", outcome="ok") == 1
    assert value("dlq_removed_messages_total", reason="bulk") == 1
    assert value("dlq_depth_messages") == 1  # it waits in the inbox, and nobody has looked yet


def test_the_oldest_letter_is_told_and_a_queue_without_letters_has_none(letters: DeadLetters) -> None:
    letters.add(Record(QUEUE, b"1", created_at=1000.0))
    found = {labels: value for (name, labels), value in samples(letters).items() if name.startswith("dlq_oldest")}
    assert found == {frozenset({("queue", QUEUE)}): 1000.0}


def test_of_a_redis_that_is_away_only_this_process_s_numbers_are_there(letters: DeadLetters, server: Server) -> None:
    server.kill()
    try:
        letters.add(Record(QUEUE, b"1"))
        found = samples(letters)
    finally:
        server.start()
    assert found["dlq_processing_errors_total", frozenset({("queue", QUEUE), ("op", "add")})] == 1
    assert found["dlq_spool_messages", frozenset()] == 1
    assert not [name for name, _ in found if name.startswith(("dlq_messages", "dlq_depth", "dlq_durability"))]


def test_a_service_exports_only_its_own(letters: DeadLetters) -> None:
    assert {name for name, _ in samples(letters, shared=False)} == {
        "dlq_processing_errors_total",
        "dlq_add_failures_total",
        "dlq_spool_messages",
        "dlq_durability_ok",
    }
    with pytest.raises(KeyError):
        samples(letters, shared=False)["dlq_depth_messages", frozenset({("queue", QUEUE)})]
