"""Loggers to a pipe and to a file: CPU time a line, and how many times as fast as structlog + orjson."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.processes import ROOT, module
from bench.table import table

from .logger_peers import EVENTS, PEERS

MEASURE = "structlog + orjson"
AIM, PAIRS = 2, 15
OUTPUTS = ("pipe", "file")
Found = dict[tuple[str, str, str], float]
"""Peer, event, output → CPU seconds a line."""


def report(quick: bool) -> str:
    """In rounds, every logger once a round: a slow minute of the machine meets all of them. The least counts."""
    lines, rounds = (1000, 1) if quick else (30000, 4)
    found: Found = {}
    for number in range(rounds):
        print(f"loggers: round {number + 1} of {rounds}", file=sys.stderr)
        for key, seconds in _round(lines):
            found[key] = min(seconds, found.get(key, seconds))
    judged = [] if quick else [_aims(lines)]
    return "\n".join([*(_table(found, event) for event in EVENTS), *judged])


def _round(lines: int) -> Iterator[tuple[tuple[str, str, str], float]]:
    for event in EVENTS:
        for output in OUTPUTS:
            for peer in PEERS:
                count = max(1000, lines // 15) if event == "error" else lines  # a stack takes long
                yield (peer, event, output), _run(peer, event, output, count) / count


def _run(peer: str, event: str, output: str, lines: int) -> float:
    command = module("runtime.logger_peers", peer, event, str(lines))
    with tempfile.TemporaryDirectory() as folder:
        if output == "file":
            out = os.open(Path(folder) / "out", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            return _ended(command, out)
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as reader:
            assert reader.stdin
            return _ended(command, os.dup(reader.stdin.fileno()))


def _ended(command: list[str], out: int) -> float:
    try:
        done = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, check=True, cwd=ROOT)
    finally:
        os.close(out)
    return float(done.stderr)


def _table(found: Found, event: str) -> str:
    head = [f"a line, {event}", *(f"{output}, {what}" for output in OUTPUTS for what in ("µs", "times as fast"))]
    return table(head, ([peer, *_numbers(found, peer, event)] for peer in PEERS))


def _aims(lines: int) -> str:
    """How many times as fast as structlog + orjson, wanted and measured: the median of pairs that ran one after the other."""
    rows = []
    for output in OUTPUTS:
        print(f"loggers: pairs to a {output}", file=sys.stderr)
        pairs = [(_run(MEASURE, "flat", output, lines), _run("ours", "flat", output, lines)) for _ in range(PAIRS)]
        ratio = statistics.median(theirs / ours for theirs, ours in pairs)
        rows.append([f"ours, flat, to a {output}", f"{AIM}", f"{ratio:.2f}", "met" if ratio >= AIM else "**missed**"])
    return table([f"times as fast as structlog + orjson, median of {PAIRS} pairs", "aim", "measured", ""], rows)


def _numbers(found: Found, peer: str, event: str) -> Iterator[str]:
    for output in OUTPUTS:
        seconds = found[peer, event, output]
        yield f"{seconds * 1e6:.1f}"
        yield f"{found[MEASURE, event, output] / seconds:.2f}"
