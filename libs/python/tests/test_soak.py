"""A short soak (docs/soak.md): Redis loses its power under clients at work, alone and as a Cluster."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from servers import absent

from conftest import ROOT, server_program

# What Redis does to its files: some synced and renamed, one written on, one never synced.
WRITER = """
import os
def write(name, synced, then):
    file = os.open(name, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.write(file, synced)
    os.fsync(file) if synced else None
    os.write(file, then)
write("new", b"12345", b"678")
os.rename("new", "renamed")
write("never", b"", b"123")
os.unlink("old"), write("old", b"", b"123")
write("before", b"", b"678")
"""


@pytest.fixture
def libs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "libs"))


@pytest.fixture
def compiler() -> None:
    if not (shutil.which("cc") or shutil.which("gcc")):
        absent("no C compiler is here, so no power was cut (Debian: gcc and libc6-dev)")


@pytest.mark.usefixtures("compiler", "libs")
def test_a_power_cut_leaves_of_each_file_what_was_synced(tmp_path: Path) -> None:
    from soak.power import Disk, shim

    files = tmp_path / "appendonlydir"
    files.mkdir()
    for name in ("before", "old"):
        (files / name).write_bytes(b"12345")
    disk = Disk(tmp_path)
    disk.boot()
    environment = {**os.environ, "LD_PRELOAD": str(shim(tmp_path)), "SOAK_JOURNAL": str(disk.journal)}
    subprocess.run([sys.executable, "-c", WRITER], cwd=files, env=environment, check=True)
    assert disk.cut() == 3 + 3 + 3 + 3
    left = {path.name: path.read_bytes() for path in files.iterdir()}
    assert left == {"renamed": b"12345", "never": b"", "old": b"", "before": b"12345"}


# Of three letters: operation, what was acknowledged, what is found, how many are lost, how many twice.
FOUND: dict[str, tuple[str, set[int], dict[str, Any], int, int]] = {
    "an added letter is away": ("add", {1, 2}, {"waiting": {1, 3}}, 1, 0),
    "a retried letter waits and was not acknowledged": ("retry", {1}, {"waiting": {2, 3}, "sent": [1]}, 0, 0),
    "a retried letter is nowhere": ("retry", {1}, {"waiting": {2}, "sent": [1]}, 1, 0),
    "an acknowledged retry did not stand": ("retry", {1, 2}, {"waiting": {2, 3}, "sent": [1]}, 1, 0),
    "a message came twice": ("retry", {1}, {"waiting": {2, 3}, "sent": [1, 1]}, 0, 1),
    "a message was sent and waits": ("retry", {1}, {"waiting": {1, 2, 3}, "sent": [1]}, 0, 1),
    "a redrive lost one of two": ("bulk", {1, 2}, {"waiting": {3}, "sent": [1]}, 1, 0),
    "a removed letter is in the trash": ("remove", {1}, {"waiting": {2, 3}, "trash": {1}}, 0, 0),
    "an acknowledged removal did not stand": ("remove", {1, 2}, {"waiting": {2, 3}, "trash": {1}}, 1, 0),
    "a letter went without an archive": ("cleanup", {1, 2}, {"waiting": {3}, "archived": [1]}, 1, 0),
    "a letter stands in the archive twice": ("cleanup", {1}, {"waiting": {2, 3}, "archived": [1, 1]}, 0, 1),
}


@pytest.mark.usefixtures("libs")
@pytest.mark.parametrize("case", FOUND)
def test_what_is_lost_and_what_is_there_twice_is_counted(tmp_path: Path, case: str) -> None:
    from soak.promises import Found, judge
    from soak.workload import Kind, Workload

    operation, said, parts, lost, twice = FOUND[case]

    class Said(Workload):
        acknowledged, count = said, len(said)  # type: ignore[assignment]

    sets = {name: set(parts.get(name, ())) for name in ("waiting", "trash")}
    counts = {name: Counter(parts.get(name, ())) for name in ("sent", "archived")}
    found = Found(**sets, bodies=set(), inbox=set(), **counts, counters=Counter())
    tally = judge(Said(Kind(operation, "Python"), tmp_path / "work", "1", 3), found, settled=True)
    assert (tally.lost, tally.twice) == (lost, twice)


@pytest.mark.usefixtures("compiler")
def test_a_power_cut_loses_nothing_that_was_acknowledged_and_everysec_is_seen_to() -> None:
    server_program()
    command = [sys.executable, "-m", "soak", "--rounds", "1", "--event", "cut", "--python-only"]
    soaked = subprocess.run(command, cwd=ROOT / "libs", capture_output=True, text=True, timeout=300)
    assert soaked.returncode == 0, soaked.stderr
    assert "one Redis, power cut: 1 of 1, 0 lost" in soaked.stderr
    assert "a Cluster of three, power cut: 1 of 1, 0 lost" in soaked.stderr
