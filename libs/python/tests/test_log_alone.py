"""A process that is alone on its pipe takes no lock for short lines, and never where another one could be hurt by it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import lines
import pytest

from auralink_shared.logging import StructuredLogger, writer
from auralink_shared.logging.alone import GRACE, LEASE, Alone

PROGRAM = """
import sys, time
from auralink_shared.logging import StructuredLogger
log = StructuredLogger("ai-core-service")
log.writer.patience = 30  # this is not about readers that stall
count, size, pause = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
for i in range(count):
    log.info("x", {"pad": ["p" * min(size, 4000)] * max(1, size // 4000)})
    time.sleep(pause)
if "stays" in sys.argv:
    sys.stdin.read()
"""


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    end, fd = os.pipe()
    yield end, fd
    os.close(end)
    os.close(fd)


@pytest.fixture
def locks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Each lock and unlock of a pipe by this process."""
    found: list[int] = []
    lockf = writer.lockf
    monkeypatch.setattr(writer, "lockf", lambda fd, what, *more: (found.append(what), lockf(fd, what, *more))[1])
    return found


def elsewhere(work: Callable[[], object]) -> bytes:
    """What `work` says in another process."""
    end, fd = os.pipe()
    if (child := os.fork()) == 0:
        os.write(fd, repr(work()).encode())
        os._exit(0)
    os.close(fd)
    os.waitpid(child, 0)
    with open(end, "rb") as found:  # noqa: PTH123 - a descriptor
        return found.read()


def test_who_is_alone_locks_once_in_a_while_and_who_is_not_each_line(pipe: tuple[int, int], locks: list[int]) -> None:
    log = StructuredLogger("ai-core-service", output=pipe[1])
    for _ in range(20):
        log.info("x")
    assert len(locks) < 20
    command = [sys.executable, "-c", PROGRAM, "1", "12000", "0", "stays"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=pipe[1]) as other:
        assert lines.read(os.read(pipe[0], 1 << 16).splitlines(keepends=True)[-1])["message"] == "x"
        while b"ppp" not in os.read(pipe[0], 1 << 16):
            pass
        time.sleep(LEASE)  # as long as ours may run on
        log.info("asks again")
        locks.clear()
        for _ in range(20):
            log.info("x")
        assert len(locks) == 40
        other.communicate()


def test_who_forks_and_who_was_forked_lock_each_line_from_then_on(pipe: tuple[int, int], locks: list[int]) -> None:
    log = StructuredLogger("ai-core-service", output=pipe[1])

    def of_twenty() -> int:
        locks.clear()
        for _ in range(20):
            log.info("x")
        return len(locks)

    assert of_twenty() < 40
    assert elsewhere(of_twenty) == b"40"
    assert of_twenty() == 40


def test_who_comes_later_lets_leases_run_out_before_its_first_long_line(pipe: tuple[int, int]) -> None:
    first = Alone(pipe[1])
    first.ask()
    assert first.until > time.monotonic()

    def later() -> tuple[bool, bool, bool]:
        alone = Alone(pipe[1])
        alone.ask()
        began = time.monotonic()
        alone.settle()
        settled = time.monotonic()
        alone.settle()
        return alone.until == 0, settled - began > (LEASE + GRACE) * 0.9, time.monotonic() - settled < LEASE

    assert elsewhere(later) == b"(True, True, True)"


def test_nobody_waits_for_others_who_are_not_there(pipe: tuple[int, int]) -> None:
    began = time.monotonic()
    Alone(pipe[1]).settle()
    assert time.monotonic() - began < LEASE


def test_who_was_hidden_by_the_closing_of_a_descriptor_shows_itself_again(pipe: tuple[int, int]) -> None:
    """POSIX: closing any descriptor of a file drops all the locks that the process has on it."""
    first = Alone(pipe[1])
    first.settle()
    assert elsewhere(Alone(pipe[1])._others) == b"True"
    os.close(os.dup(pipe[1]))
    assert elsewhere(Alone(pipe[1])._others) == b"False"
    first.settle()
    assert elsewhere(Alone(pipe[1])._others) == b"True"


def test_long_lines_of_programs_that_come_later_are_whole_on_a_slow_pipe() -> None:
    """The first, which is alone at the beginning, writes a short line now and then; the others long ones, as fast as they are read."""
    end, fd = os.pipe()
    program = [sys.executable, "-c", PROGRAM]
    first = subprocess.Popen([*program, "400", "20", "0.002"], stdout=fd)
    found = os.read(end, 1)
    time.sleep(LEASE / 2)
    later = [subprocess.Popen([*program, "25", "12000", "0"], stdout=fd) for _ in range(2)]
    os.close(fd)
    while some := os.read(end, 1500):
        found += some
        time.sleep(0.0002)
    assert [process.wait() for process in (first, *later)] == [0] * 3
    assert len([lines.read(line) for line in found.splitlines(keepends=True)]) == 400 + 2 * 25
