"""The logger in Go beside log/slog's own JSON handler: `BenchmarkLine` and others of libs/go/logging, CPU time a line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.processes import ROOT
from bench.table import table

GO = ROOT / "libs" / "go"
OUTPUTS = ("discard", "pipe", "file")
EVENTS = {
    "Line": "five attributes",
    "Nested": "maps and lists, secrets in them",
    "Error": "an error; ours with the calls that led to it",
    "Disabled": "below the level",
}
_RESULT = re.compile(r"^Benchmark(\w+)/(\w+)-?\d*\s.*?([\d.]+) cpu-ns/op", re.MULTILINE)
Found = dict[tuple[str, str, str], float]
"""Output, event, whose → CPU nanoseconds a line."""


def report(quick: bool) -> str:
    """In rounds, as loggers.py does it; the least counts."""
    rounds, times = (1, "100x") if quick else (5, "300ms")
    found: Found = {}
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "logging.test"
        subprocess.run(["go", "test", "-c", "-o", program, "./logging"], cwd=GO, check=True)
        for number in range(rounds):
            print(f"go-loggers: round {number + 1} of {rounds}", file=sys.stderr)
            for output in OUTPUTS:
                for event, whose, nanoseconds in _run(program, output, times):
                    key = output, event, whose
                    found[key] = min(nanoseconds, found.get(key, nanoseconds))
    head = ["a line", *(f"{output}, {what}" for output in OUTPUTS for what in ("ns", "÷ slog"))]
    return table(head, (_row(found, event) for event in EVENTS))


def _run(program: Path, output: str, times: str) -> list[tuple[str, str, float]]:
    chosen = f"^Benchmark({'|'.join(EVENTS)})$"
    command = [program, "-test.run=^$", f"-test.bench={chosen}", f"-test.benchtime={times}"]
    environment = {**os.environ, "LOGGING_BENCH_OUTPUT": output}
    done = subprocess.run(
        command, cwd=GO / "logging", env=environment, stdout=subprocess.PIPE, text=True, check=True
    )  # where there is no Go, or it doesn't build, its own words say so
    return [(event, whose, float(number)) for event, whose, number in _RESULT.findall(done.stdout)]


def _row(found: Found, event: str) -> list[str]:
    row = [EVENTS[event]]
    for output in OUTPUTS:
        ours, theirs = found[output, event, "ours"], found[output, event, "slog"]
        row += [f"{ours:.0f}", f"{ours / theirs:.2f}"]
    return row
