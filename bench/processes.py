"""Whole processes, measured by the kernel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Run(NamedTuple):
    """One process: CPU seconds of all its threads (user and system), peak RSS in MB (10⁶ bytes), what it printed."""

    seconds: float
    rss: float
    output: str


def run(command: Sequence[str], allowed: Sequence[int] = (0,)) -> Run:
    """Runs a command to its end. Raises RuntimeError with what it printed if it exits with another code than allowed.

    This process stays small: a child's peak RSS includes that of the process it was forked from.
    """
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)
    assert child.stdout
    output = child.stdout.read()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in allowed:
        raise RuntimeError(f"{' '.join(command)}: exit {child.returncode}\n{output[-2000:]}")
    return Run(used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6, output)


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
