"""What is declared, multiplied: whether the volumes hold it. Estimates, with their assumptions as constants."""

from __future__ import annotations

from collections.abc import Iterator

from .. import scrape
from ..model import Declaration, seconds, size
from ..road import Declared
from .finding import Finding

COMPRESSION = 2.5
"""Bytes of JSON lines for each byte of chunks, with Loki's snappy: 2.65 in a run of 3.7.6 (docs/checks/retention/volume.md)."""

BYTES_PER_SAMPLE = 1.5
"""Prometheus' own rule of thumb is 1 to 2 (docs, storage.md, 3.13)."""

SERIES_PER_TARGET = 1_500
"""Of one service or server over all its pods: three pods with 500 series each. An assumption."""


def volume(declared: Declared) -> Iterator[Finding]:
    """A full disk stops Loki from taking lines and Prometheus from evaluating, long before the retention is reached."""
    d = declared.declaration
    needs = {
        "loki": (log_bytes(d), d.loki.retention.default, d.loki.storage),
        "prometheus": (sample_bytes(d), d.prometheus.retention, d.prometheus.storage),
    }
    for server, (needed, kept, storage) in needs.items():
        if needed > size(f"{storage}B"):
            fact = f"{kept} of what is declared are about {needed / 2**30:.3g} GiB, and the volume has {storage}"
            yield Finding((server, "storage"), fact, "enlarge it, or keep less")


def log_bytes(d: Declaration) -> float:
    """Bytes on Loki's own volume when the retention is reached; 0 where the chunks go to a bucket, or nobody said how much is logged.

    services * objectives.log_volume a day * days / COMPRESSION.
    """
    promised = d.objectives.get("log_volume")
    if not d.loki.deploy or d.loki.object_store or promised is None or promised.max is None:
        return 0
    each = size(str(promised.max)) / seconds(promised.window or "1d")
    times = len(d.services) if promised.per == "service" else 1
    return each * times * seconds(d.loki.retention.default) / COMPRESSION


def sample_bytes(d: Declaration) -> float:
    """Bytes on Prometheus' volume when the retention is reached; 0 where it isn't deployed.

    targets * SERIES_PER_TARGET / scrape interval * BYTES_PER_SAMPLE * retention.
    """
    if not d.prometheus.deploy:
        return 0
    samples = len(scrape.targets(d)) * SERIES_PER_TARGET / seconds(d.prometheus.scrape_interval)
    return samples * BYTES_PER_SAMPLE * seconds(d.prometheus.retention)
