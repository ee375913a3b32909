"""What Loki's `-verify-config` lets pass and its parts then fail at: copies, bucket, numbers of pods, storage history (3.7.6)."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from .. import loki_targets
from ..document import Path
from ..loki_targets import Workload
from ..model import Loki, memory
from ..road import Declared
from .finding import Finding


def _deployed(declared: Declared) -> list[Loki]:
    """The declared Loki if it is rendered; of one that somebody else runs nothing is asked."""
    loki = declared.declaration.loki
    return [loki] if loki.deploy else []


def _parts(declared: Declared) -> list[tuple[Loki, Workload]]:
    return [(loki, part) for loki in _deployed(declared) for part in loki_targets.workloads(loki)]


def replication(declared: Declared) -> Iterator[Finding]:
    """Fewer replicas than copies: Loki refuses each push ("at least N live replicas required")."""
    for loki, part in _parts(declared):
        copies = loki_targets.copies(loki)
        if part.copies and copies > part.replicas:
            fact = f"{copies} copies of each line need as many replicas, and there are {part.replicas}"
            path = ("loki", "replication_factor") if loki.replication_factor else _replicas(loki, part.target)
            yield Finding(path, fact, "lower replication_factor, or raise replicas")
        if loki.mode == "single-binary" and part.replicas > 1:
            fact = f"{part.replicas} single binaries don't know of each other, and each would hold a part of the logs"
            yield Finding(_replicas(loki, part.target), fact, "write replicas: 1, or mode: monolithic-ha")


def _replicas(loki: Loki, target: str) -> Path:
    """Where the number of a part's pods is written, or would be."""
    tuned = loki.targets.get(target)
    return ("loki", "targets", target, "replicas") if tuned and tuned.replicas else ("loki", "replicas")


def quorum(declared: Declared) -> Iterator[Finding]:
    """A push needs more than half of a line's copies: of one or two that is all, and the first pod that restarts stops them."""
    for loki in _deployed(declared):
        copies = loki_targets.copies(loki)
        if loki.mode != "single-binary" and copies < 3:
            kept = "one copy of each line" if copies == 1 else f"{copies} copies of each line"
            fact = f"with {kept} no pod may be missing: each restart stops pushes"
            yield Finding(("loki", "replication_factor"), fact, "write replication_factor: 3")


def no_bucket(declared: Declared) -> Iterator[Finding]:
    """Several pods can't share a volume: each would keep its own chunks, and a search would find what one of them has."""
    for loki in _deployed(declared):
        if loki.mode != "single-binary" and not loki.object_store:
            fact = f"the pods of mode: {loki.mode} share nothing but a bucket, and there is none"
            yield Finding(("loki", "mode"), fact, "add object_store, or write mode: single-binary")


def compactors(declared: Declared) -> Iterator[Finding]:
    """Loki's authors run one: of several only one works, and what another has marked waits on its disk."""
    for _, part in _parts(declared):
        if part.target == "compactor" and part.replicas > 1:
            path = ("loki", "targets", "compactor", "replicas")
            yield Finding(
                path, f"of {part.replicas} compactors one would work and the other wait", "leave it out: there is one"
            )


def unused_target(declared: Declared) -> Iterator[Finding]:
    """Numbers for a part that this mode doesn't run look as if they did something."""
    for loki in _deployed(declared):
        runs = [part.target for part in loki_targets.workloads(loki)]
        for name in sorted(loki.targets.keys() - set(runs)):
            fact = f"mode: {loki.mode} has no part called {name!r}"
            yield Finding(("loki", "targets", name), fact, f"there are: {', '.join(runs)}", key=True)


def memory_below_request(declared: Declared) -> Iterator[Finding]:
    """Kubernetes refuses a pod that asks for more than it may get."""
    for _, part in _parts(declared):
        asked, most = (part.resources[name]["memory"] for name in ("requests", "limits"))
        if memory(asked) > memory(most):
            fact = f"{part.target} asks for {asked} of memory and may have {most}"
            yield Finding(
                ("loki", "targets", part.target), fact, "raise limits.memory, or lower requests.memory", key=True
            )


def future_schema(declared: Declared) -> Iterator[Finding]:
    """Loki finds no period for what is written today, and does not start."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    for loki in _deployed(declared):
        if (first := min(loki.schema, default=today)) > today:
            fact = f"the storage history begins on {first}, and Loki has no period for today"
            yield Finding(("loki", "schema", first), fact, "let the first period begin in the past", key=True)
