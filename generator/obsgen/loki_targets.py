"""Loki's parts: which of its targets a mode runs, as how many pods, and which of them have a volume."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .model import Loki, LokiResources, LokiTarget, memory

ALL = "all"
"""Loki's name for a process that is every part at once."""


class Target(NamedTuple):
    """What is usual for one `-target` of Loki: pods, CPU that is asked for, memory that is asked for and the most it gets.

    `keeps` what must survive its pod, or is dear to fetch again: a StatefulSet with a volume. `copies`: lines are written to as many
    of its pods as `replication_factor` says. `rules`: it evaluates the alerts on logs. `alone`: there is one, whatever is declared.
    `member`: it joins the memberlist, because it has a ring or asks one (seen of 3.7.6; the others never listen there).
    """

    name: str
    replicas: int
    cpu: str
    requests: str
    limits: str
    keeps: bool = False
    copies: bool = False
    rules: bool = False
    alone: bool = False
    member: bool = True


MODES: Mapping[str, tuple[Target, ...]] = {
    "single-binary": (Target(ALL, 1, "250m", "512Mi", "2Gi", keeps=True, copies=True, rules=True),),
    "monolithic-ha": (Target(ALL, 3, "500m", "1Gi", "2Gi", keeps=True, copies=True, rules=True),),
    "microservices": (
        Target("distributor", 2, "250m", "256Mi", "1Gi"),
        Target("ingester", 3, "500m", "1Gi", "4Gi", keeps=True, copies=True),
        Target("querier", 2, "500m", "512Mi", "2Gi"),
        Target("query-frontend", 2, "100m", "256Mi", "1Gi", member=False),
        Target("query-scheduler", 2, "50m", "64Mi", "256Mi", member=False),
        Target("index-gateway", 2, "250m", "512Mi", "2Gi", keeps=True, member=False),
        # two compactors delete each other's index
        Target("compactor", 1, "250m", "512Mi", "2Gi", keeps=True, alone=True),
        Target("ruler", 2, "100m", "256Mi", "1Gi", keeps=True, rules=True),
    ),
}
"""Mode → its targets. The first column that a profile may change is `loki.replicas`, for each target `loki.targets.NAME`."""


class Workload(NamedTuple):
    """One StatefulSet or Deployment to be: `name` is also its Service's; `least` pods must answer, or lines or searches fail."""

    name: str
    target: str
    container: str
    replicas: int
    least: int
    keeps: bool
    copies: bool
    rules: bool
    member: bool
    resources: Mapping[str, Mapping[str, str]]

    @property
    def kind(self) -> str:
        """The kind of its object: one with volumes of its own, or one without."""
        return "StatefulSet" if self.keeps else "Deployment"

    @property
    def labels(self) -> dict[str, str]:
        """What selects its pods; Kubernetes lets nobody change it."""
        return {"app.kubernetes.io/name": "loki", "app.kubernetes.io/component": self.target}

    @property
    def pods(self) -> list[str]:
        """Names of its pods, as a StatefulSet gives them."""
        return [f"{self.name}-{number}" for number in range(self.replicas)]


def workloads(loki: Loki) -> list[Workload]:
    """Every workload of the declared mode."""
    return [_workload(loki, target) for target in MODES[loki.mode]]


def copies(loki: Loki) -> int:
    """On how many pods each line is written: as declared, else 1 of a single binary and 3 of several pods."""
    return loki.replication_factor or (1 if loki.mode == "single-binary" else 3)


def in_memory(loki: Loki) -> str:
    """Three quarters of an ingester's memory, as Loki writes sizes: what reading its log back may use (Loki's default of 4GB kills it)."""
    (resources,) = [one.resources for one in workloads(loki) if one.copies]
    return f"{memory(resources['limits']['memory']) * 3 // 4 // 10**6}MB"


def hosts(loki: Loki) -> dict[str, str]:
    """Target → the Service of the workload that does its work; every target of microservices is a key in every mode."""
    mine = {one.target: one.name for one in workloads(loki)}
    return {target.name: mine.get(target.name, "loki") for target in MODES["microservices"]}


def _workload(loki: Loki, target: Target) -> Workload:
    tuned = loki.targets.get(target.name, LokiTarget())
    replicas = tuned.replicas or (None if target.alone else loki.replicas) or target.replicas
    usual = LokiResources(cpu=target.cpu, memory=target.requests), LokiResources(memory=target.limits)
    one = target.name == ALL
    return Workload(
        name="loki" if one else f"loki-{target.name}",
        target=target.name,
        container="loki" if one else target.name,
        replicas=replicas,
        # a push needs more than half of a line's copies, a query all streams that more than half of them hold
        least=replicas - copies(loki) // 2 if target.copies else int(not target.alone),
        keeps=target.keeps,
        copies=target.copies,
        rules=target.rules,
        member=target.member,
        resources={
            "requests": _given(usual[0]) | _given(tuned.requests),
            "limits": _given(usual[1]) | _given(tuned.limits),
        },
    )


def _given(resources: LokiResources) -> dict[str, str]:
    return {name: value for name in ("cpu", "memory") if (value := getattr(resources, name))}
