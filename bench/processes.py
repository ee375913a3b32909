"""Whole processes, measured by the kernel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple


class Run(NamedTuple):
    """One process: CPU seconds of all its threads (user and system), seconds on the wall, peak RSS in MB (10⁶ bytes), stdout."""

    cpu: float
    wall: float
    rss: float
    output: str


def run(command: Sequence[str], allowed: Sequence[int] = (0,)) -> Run:
    """Runs a command to its end. Raises RuntimeError with what it printed if it exits with another code than allowed.

    This process stays small: a child's peak RSS includes that of the process it was forked from.
    """
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)
    assert child.stdout
    output = child.stdout.read()
    _, status, used = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in allowed:
        raise RuntimeError(f"{' '.join(command)}: exit {child.returncode}\n{output[-2000:]}")
    return Run(used.ru_utime + used.ru_stime, wall, used.ru_maxrss * 1024 / 1e6, output)


def best(runs: Sequence[Run]) -> Run:
    """The least of each number: what disturbs a run only ever adds to it."""
    return Run(*(min(getattr(one, name) for one in runs) for name in ("cpu", "wall", "rss")), runs[0].output)


def rounds(commands: Sequence[Callable[[], None]], times: int) -> None:
    """Each command in turn, and all of it again: a slow minute of the machine then meets all of them."""
    for _ in range(times):
        for command in commands:
            command()


def obsgen(*arguments: str) -> list[str]:
    """The installed command, as people start it."""
    return [str(Path(sys.executable).with_name("obsgen")), *arguments]


def module(name: str, *arguments: str) -> list[str]:
    """A module of this package in a process of its own."""
    return [sys.executable, "-m", f"bench.{name}", *arguments]


def reported(run: Run) -> dict[str, dict[str, float]]:
    """The numbers that such a module printed."""
    return dict(json.loads(run.output))


ROOT = Path(__file__).parents[1]
