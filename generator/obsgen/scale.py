"""What a declaration asks of Loki, in numbers: `python -m obsgen.scale PROFILE` prints them; docs/scale.md says when they are too many."""

from __future__ import annotations

import sys
from pathlib import Path

from . import agent, loki_targets
from .model import memory, seconds, size
from .problem import ProblemsError
from .road import Declared, load

CHUNK = 1_572_864 + 262_144
"""The most of one stream that an ingester holds (3.7.6): a chunk of chunk_target_size, and one block on the way into it."""

_DAY = 86_400


def arithmetic(declared: Declared) -> list[tuple[str, str, str]]:
    """(what, how much, of what it is made) for each number; sizes are powers of 1000, and logs are counted as they are written.

    Nothing is known of how well lines compress: what a bucket or a chunk holds is less, by the factor of your own lines.
    """
    return [*_streams(declared), *_lines(declared), *_rules(declared), *_pods(declared)]


def _streams(declared: Declared) -> list[tuple[str, str, str]]:
    d = declared.declaration
    loki, streams = d.loki, agent.streams(d)
    (ingester,) = [part for part in loki_targets.workloads(loki) if part.copies]
    held = -(-streams * loki_targets.copies(loki) // ingester.replicas)
    limit = loki.limits.max_global_streams_per_user
    most = memory(ingester.resources["limits"]["memory"])
    return [
        ("streams", f"{streams:,} of {limit:,}", "services x levels x other labels; max_global_streams_per_user"),
        ("streams of a pod", f"{held:,}", f"streams x {loki_targets.copies(loki)} copies / {ingester.replicas} pods"),
        (
            "chunks of a pod",
            f"{_bytes(held * CHUNK)} of {_bytes(most)}",
            f"streams of a pod x {_bytes(CHUNK)}; its memory",
        ),
    ]


def _lines(declared: Declared) -> list[tuple[str, str, str]]:
    d = declared.declaration
    loki, budget = d.loki, d.objectives.get("log_volume")
    takers = next(part for part in loki_targets.workloads(loki) if part.target in ("all", "distributor")).replicas
    rate = loki.limits.ingestion_rate_mb * 2**20
    rows = [("taken at most", f"{_bytes(rate * _DAY)} a day", f"ingestion_rate_mb, {_bytes(rate)} a second")]
    rows += [("taken by a pod", f"{_bytes(rate // takers)} a second", f"the same / {takers} pods that take lines")]
    if budget is None or budget.max is None:
        return [*rows, ("lines", "unknown", "objectives.log_volume is not declared")]
    written = size(str(budget.max)) * _DAY / seconds(budget.window or "1d") * len(d.services)
    days = seconds(loki.retention.default) / _DAY
    kept = written * days * (loki_targets.copies(loki) if loki.object_store else 1)
    return [
        ("lines", f"{_bytes(written)} a day", f"objectives.log_volume x {len(d.services)} services"),
        *rows,
        ("kept at most", _bytes(kept), f"lines x {days:g} days x copies that were cut differently, before compression"),
    ]


def _rules(declared: Declared) -> list[tuple[str, str, str]]:
    groups = declared.plan.groups_of("loki")
    rulers = next(part.replicas for part in loki_targets.workloads(declared.declaration.loki) if part.rules)
    return [
        (
            "rules",
            f"{sum(len(group.rules) for group in groups)} in {len(groups)} groups",
            "each rule asks once a minute",
        ),
        ("rulers", f"{min(rulers, len(groups))} of {rulers} with work", "a group is on one ruler"),
    ]


def _pods(declared: Declared) -> list[tuple[str, str, str]]:
    loki = declared.declaration.loki
    parts = loki_targets.workloads(loki)
    asked = sum(part.replicas * memory(part.resources["requests"]["memory"]) for part in parts)
    volumes = sum(part.replicas for part in parts if part.keeps)
    return [
        ("pods", str(sum(part.replicas for part in parts)), f"mode: {loki.mode}"),
        ("memory asked for", _bytes(asked), "pods x requests.memory"),
        ("volumes", f"{volumes} x {loki.storage}", "pods that keep something x loki.storage"),
        *(
            (
                "may be missing",
                f"{part.replicas - part.least} of {part.replicas}",
                f"{part.container}, without an error to anybody",
            )
            for part in parts
        ),
    ]


def _bytes(number: float) -> str:
    units = ("B", "kB", "MB", "GB", "TB", "PB")
    power = next(n for n in range(len(units)) if number < 1000 ** (n + 1) or n == len(units) - 1)
    return f"{number / 1000**power:.3g} {units[power]}"


def main(profile: str) -> int:
    """Print the numbers of a profile of the declaration in this folder."""
    try:
        declared = load(Path("observability.yaml"), profile)
    except ProblemsError as error:
        print("\n".join(str(problem) for problem in error.problems), file=sys.stderr)
        return 2
    rows = arithmetic(declared)
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for what, number, made_of in rows:
        print(f"{what:<{widths[0]}}  {number:>{widths[1]}}  {made_of}")
    return 0


if __name__ == "__main__":
    asked = len(sys.argv) == 2 and not sys.argv[1].startswith("-")
    sys.exit(main(sys.argv[1]) if asked else "usage: python -m obsgen.scale PROFILE")
