"""`python -m soak [--rounds N] [--nodes 1] [--write]`: counts, prints the table; with --write, into docs/soak.md."""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from . import report
from .power import NoCompilerError, shim
from .rounds import Cell, Round
from .servers import ROOT, NoServerError, Servers, program
from .workload import Kind

PYTHONS = [Kind(operation, "Python") for operation in ("add", "retry", "remove", "bulk", "cleanup")]
SHOWN = 3  # rounds are enough to show that everysec loses
EVERYSEC = ("appendfsync everysec",)


def main() -> int:
    """0 where nothing is lost and the harness has shown that it could tell, 1 otherwise, 2 where it can't run."""
    options = _options()
    try:
        program()
        with tempfile.TemporaryDirectory(prefix="soak-") as folder:
            cells = _cells(options, Path(folder))
    except (NoCompilerError, NoServerError, subprocess.CalledProcessError) as missing:
        print(missing, file=sys.stderr)
        return 2
    text = report.tables(cells)
    print(text)
    if options.write:
        report.write(text)
    failures = list(report.failures(cells))
    print("\n".join(failures), file=sys.stderr)
    return int(bool(failures))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__)
    parser.add_argument("--rounds", type=int, default=2, help="events in each cell of the table (2)")
    parser.add_argument("--nodes", type=int, choices=[1, 3], action="append", help="only one Redis, or only a Cluster")
    parser.add_argument("--event", choices=["kill", "cut"], action="append", help="only kill -9, or only power cuts")
    parser.add_argument("--python-only", action="store_true", help="without Go's clients")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="the same dice again")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/soak.md")
    return parser.parse_args()


def _cells(options: argparse.Namespace, folder: Path) -> dict[report.Name, Cell]:
    library = shim(folder)
    kinds = [*PYTHONS, *([] if options.python_only else _go(folder))]
    print(f"seed {options.seed}", file=sys.stderr)
    found: dict[report.Name, Cell] = {}
    for name in _names(options.nodes or [1, 3], options.event or ["kill", "cut"]):
        cell = found[name] = Cell()
        chance = random.Random(f"{options.seed} {name}")
        place = folder / f"cell{len(found)}"
        place.mkdir()
        with Servers(place, name.nodes, library, EVERYSEC if name.everysec else ()) as servers:
            # with everysec the last second may have been synced just then: a few more, until it shows
            wanted = min(options.rounds, SHOWN) if name.everysec else options.rounds
            while cell.rounds < wanted or (name.loses and not cell.lost and cell.rounds < wanted + 5):
                Round(servers, kinds, place, cell.rounds, chance, cell).run(name.event)
                print(f"{name}: {cell.rounds} of {wanted}, {cell.lost} lost", file=sys.stderr)
        shutil.rmtree(place)
    return found


def _names(nodes: list[int], events: list[str]) -> Iterator[report.Name]:
    """The promise first, then the setting that must be seen to break it."""
    yield from (report.Name(count, event) for count in nodes for event in events)
    yield from (report.Name(nodes[0], event, everysec=True) for event in events)


def _go(folder: Path) -> list[Kind]:
    source, program = ROOT / "libs" / "go" / "cmd" / "soak-client", folder / "soak-client"
    if not source.is_dir() or not shutil.which("go"):
        print("Go or its client is not here: Python's clients only", file=sys.stderr)
        return []
    subprocess.run(["go", "build", "-o", program, "."], cwd=source, check=True)
    return [Kind(operation, "Go", program) for operation in ("add", "retry", "remove")]


if __name__ == "__main__":
    sys.exit(main())
