"""What the loggers of this process count about themselves, by service; `upstream/` has no server for it, docs/design.md the names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from .levels import LEVELS


class Counts:
    """Of one service. Threads that count at once lose nothing under CPython's lock, perhaps one without it."""

    def __init__(self) -> None:
        self.dropped: Counter[str] = Counter()  # lines by level: nobody read them, the disk was full
        self.without_trace = 0  # lines whose trace id is zeros
        self.failures = 0  # lines whose values could not be rendered, so that only their message is there


def counts(service: str) -> Counts:
    """The one object of a service in this process, whatever loggers it has."""
    return _BY_SERVICE.setdefault(service, Counts())


_BY_SERVICE: dict[str, Counts] = {}


class Collector:
    """For prometheus_client's registry (the extra `metrics`): `REGISTRY.register(Collector())`. Every level is there, from 0."""

    def collect(self) -> Iterator[Any]:
        """Families of samples."""
        from prometheus_client.core import CounterMetricFamily

        dropped = CounterMetricFamily(
            "log_lines_dropped", "Lines that could not be written.", labels=["service", "level"]
        )
        without = CounterMetricFamily("log_lines_without_trace", "Lines of no trace.", labels=["service"])
        failures = CounterMetricFamily("log_failures", "Lines that could not be rendered whole.", labels=["service"])
        for service, found in sorted(_BY_SERVICE.items()):
            for level in LEVELS:
                dropped.add_metric([service, level], found.dropped[level])
            without.add_metric([service], found.without_trace)
            failures.add_metric([service], found.failures)
        yield from (dropped, without, failures)
