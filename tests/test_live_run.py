"""`make live` leaves nothing behind, however it ends: nothing that runs, no folder. A script stands for pytest."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from live import scenarios

RUN = Path(__file__).parent / "live" / "run"
SHARES = re.findall(r'^shares="(.*)"$', RUN.read_text(encoding="utf-8"), re.MULTILINE)[0].split()
LEFT = "setsid sleep 86399 & echo $! >$TMPDIR/pid; echo >>$MARK; "
"""What a scenario may start: it has left the session, so that no signal of a terminal reaches it."""

# Not where they are required: `.ci/run` boots trees in namespaces.
pytestmark = pytest.mark.skipif(
    os.environ.get("OBSGEN_REQUIRE_JUDGES") != "1"
    and (
        sys.platform != "linux"
        or subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork", "true"], capture_output=True).returncode
        != 0
    ),
    reason="no right to make namespaces, so nothing shows that tests/live/run leaves nothing running",
)


def _started(folder: Path, script: str, rounds: int = 1) -> subprocess.Popen[bytes]:
    program = folder / "program"
    program.write_text(f"#!/bin/sh\n{LEFT}{script}\n")
    program.chmod(0o755)
    (folder / "tmp").mkdir()
    own = {"PYTHON": str(program), "TMPDIR": str(folder / "tmp"), "MARK": str(folder / "mark"), "N": str(rounds)}
    running = subprocess.Popen([RUN], env=os.environ | own, stderr=subprocess.PIPE)
    end = time.monotonic() + 60
    mark = folder / "mark"
    while not mark.exists() or len(mark.read_text()) < len(SHARES):  # all of them have begun
        assert running.poll() is None or mark.exists(), running.stderr and running.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.02)
    return running


def _sleeping(folder: Path) -> list[str]:
    """Processes whose variables name this test's folder."""
    found = []
    for one in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder / "mark").encode() in (one / "environ").read_bytes():
                found.append((one / "cmdline").read_text())
        except OSError:
            continue
    return found


def _gone(folder: Path) -> None:
    assert list((folder / "tmp").iterdir()) == []
    end = time.monotonic() + 10  # the namespace's other processes are killed after its first has ended
    while left := _sleeping(folder):
        assert time.monotonic() < end, left
        time.sleep(0.02)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_run_that_is_stopped_leaves_nothing(tmp_path: Path, number: signal.Signals, code: int) -> None:
    running = _started(tmp_path, "sleep 86399")
    running.send_signal(number)
    assert running.wait(30) == code
    _gone(tmp_path)


def test_a_run_that_is_killed_hard_leaves_nothing_running(tmp_path: Path) -> None:
    running = _started(tmp_path, "sleep 86399")
    running.kill()
    running.wait(30)
    end = time.monotonic() + 10
    while left := _sleeping(tmp_path):
        assert time.monotonic() < end, left
        time.sleep(0.02)


@pytest.mark.parametrize("code", [0, 1])
def test_a_run_that_ends_leaves_nothing(tmp_path: Path, code: int) -> None:
    assert _started(tmp_path, f"exit {code}").wait(30) == code
    _gone(tmp_path)


def test_runs_in_a_row_end_with_the_first_that_fails(tmp_path: Path) -> None:
    count = f"test $OBSGEN_LIVE_SHARE != 2 || {{ echo x >>{tmp_path}/count; test $(wc -l <{tmp_path}/count) -lt 2; }}"
    assert _started(tmp_path, count, rounds=5).wait(60) == 1
    assert (tmp_path / "count").read_text() == "x\nx\n"


def test_a_run_says_what_is_missing(tmp_path: Path) -> None:
    for name in ("sh", "dirname"):
        (tmp_path / name).symlink_to(f"/bin/{name}" if Path(f"/bin/{name}").exists() else f"/usr/bin/{name}")
    ended = subprocess.run([RUN], env={"PATH": str(tmp_path)}, capture_output=True, text=True)
    assert (ended.returncode, "ip is missing (Debian: iproute2" in ended.stderr) == (1, True)


def test_a_run_starts_every_share_that_a_module_is_in() -> None:
    """Else nobody would miss those modules: what a run does not start cannot fail in it."""
    modules = [one for one in scenarios.HERE.rglob("test_*.py") if one.parent.name not in scenarios.PARTS]
    assert sorted({scenarios.share(one) for one in modules}) == SHARES
