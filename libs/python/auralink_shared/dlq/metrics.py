"""Numbers about dead letters: those that the scripts keep in Redis, and those that only this process knows.

Names and values are those of upstream/dlq/metrics.yaml, which the rules are checked against.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .doctor import AWAY, durable, examine
from .errors import REDIS

if TYPE_CHECKING:
    from .queue import DeadLetters

REASONS = ("exhausted", "rejected", "adopted", "bad")
OPERATIONS = ("add", "adopt", "list", "retry", "remove", "restore", "purge", "cleanup")
OUTCOMES = ("ok", "conflict", "quarantined", "error")
REMOVALS = ("operator", "bulk", "retention")


class Local:
    """What this process counts itself, since a Redis that is down counts nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.errors: Counter[tuple[str, str]] = Counter()
        self.add_failures = 0

    def error(self, queue: str, operation: str) -> None:
        """An operation that Redis did not do."""
        with self._lock:
            self.errors[queue, operation] += 1

    def add_failure(self) -> None:
        """A letter that neither Redis nor the spool took."""
        with self._lock:
            self.add_failures += 1


class Collector:
    """For prometheus_client's registry (the extra `metrics`): every declared queue and value, from 0.

    `shared`: also what is kept in Redis; the admin API alone exports that, so that nobody counts it twice. Of a Redis
    that doesn't answer its part is absent, never 0.
    """

    def __init__(self, letters: DeadLetters, *, shared: bool = False) -> None:
        self.letters, self.shared = letters, shared

    def collect(self) -> Iterator[Any]:
        """Families of samples."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        letters = self.letters
        errors = CounterMetricFamily(
            "dlq_processing_errors", "Operations that Redis did not do.", labels=["queue", "op"]
        )
        for queue in sorted({*letters.settings.queues, *(queue for queue, _ in list(letters.local.errors))}):
            for operation in OPERATIONS:
                errors.add_metric([queue, operation], letters.local.errors[queue, operation])
        yield errors
        yield CounterMetricFamily(
            "dlq_add_failures", "Letters that neither Redis nor the spool took.", value=letters.local.add_failures
        )
        yield GaugeMetricFamily(
            "dlq_spool_messages", "Letters in the local spool.", value=letters.spool.count() if letters.spool else 0
        )
        findings = examine(letters.client)
        if [one.name for one in findings] != [AWAY]:  # RedisDown speaks of that; 0 would blame its settings
            text = "1: Redis is set to keep what it acknowledges."
            yield GaugeMetricFamily("dlq_durability_ok", text, value=float(durable(findings)))
        if self.shared:
            yield from self._shared()

    def _shared(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        counters = {
            "arrived": (CounterMetricFamily("dlq_messages", "Arrivals.", labels=["queue", "reason"]), REASONS),
            "replayed": (
                CounterMetricFamily("dlq_replayed_messages", "Retries by operators.", labels=["queue", "outcome"]),
                OUTCOMES,
            ),
            "removed": (CounterMetricFamily("dlq_removed_messages", "Removals.", labels=["queue", "reason"]), REMOVALS),
        }
        depth = GaugeMetricFamily("dlq_depth_messages", "Letters that wait, the inbox included.", labels=["queue"])
        oldest = GaugeMetricFamily(
            "dlq_oldest_message_timestamp_seconds", "When it died; no sample without a letter.", labels=["queue"]
        )
        for queue in sorted(self.letters.settings.queues):
            try:
                stats = self.letters.stats(queue)
            except REDIS:
                continue
            for what, (family, values) in counters.items():
                for value in values:
                    family.add_metric([queue, value], stats.counters.get(f"{what}:{value}", 0))
            depth.add_metric([queue], stats.depth + stats.inbox)
            if stats.oldest is not None:
                oldest.add_metric([queue], stats.oldest)
        yield from (family for family, _ in counters.values())
        yield from (depth, oldest)
