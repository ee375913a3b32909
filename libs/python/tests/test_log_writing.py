"""Many writers on one pipe, and readers that stop: every line whole, the service never stuck."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import lines
import pytest

from auralink_shared.logging import StructuredLogger, Writer

PROGRAM = """
import os, sys, threading
from auralink_shared.logging import StructuredLogger
log = StructuredLogger("ai-core-service")
threads, count, size, children = map(int, sys.argv[1:5])
if "older kernel" in sys.argv:
    log.writer._nowait = 0
for child in range(children):
    if os.fork() == 0:
        break
def work(name):
    for i in range(count):
        log.info("x", {"who": f"{os.getpid()} {name}", "n": i, "pad": "p" * (size if i % 2 else 10)})
running = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
[t.start() for t in running]; [t.join() for t in running]
"""


@pytest.mark.parametrize(("threads", "children"), [(8, 0), (1, 3), (3, 3)])
@pytest.mark.parametrize("size", [500, 4096, 12000])
def test_threads_and_forks_on_one_pipe_write_whole_lines(threads: int, children: int, size: int) -> None:
    whole(1, threads, 200, size, children)


def test_programs_on_one_pipe_write_whole_lines() -> None:
    whole(3, 2, 200, 12000, 1)


def test_a_kernel_without_writes_that_never_wait_writes_whole_lines_too() -> None:
    whole(1, 3, 200, 4096, 3, "older kernel")


def whole(programs: int, threads: int, count: int, size: int, children: int, *more: str) -> None:
    """All lines of all threads and processes are there, whole, and those of a thread in order."""
    command = [sys.executable, "-c", PROGRAM, *map(str, (threads, count, size, children)), *more]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    end, fd = os.pipe()
    running = [subprocess.Popen(command, stdout=fd, env=environment) for _ in range(programs)]
    os.close(fd)
    with open(end, "rb") as pipe:  # noqa: PTH123 - a descriptor
        found = [lines.read(line) for line in pipe]
    assert [process.wait() for process in running] == [0] * programs
    assert len(found) == programs * threads * count * (children + 1)
    seen: dict[str, int] = {}
    for line in found:  # those of one thread are in order
        who = line["context"]["who"]
        assert line["context"]["n"] == seen.get(who, -1) + 1
        seen[who] = line["context"]["n"]


def test_a_stalled_reader_costs_one_wait_and_the_missing_lines_are_told() -> None:
    end, fd = os.pipe()
    log = StructuredLogger("ai-core-service", output=fd)
    log.writer.patience = 0.2
    start = time.monotonic()
    for _ in range(5000):
        log.info("x" * 100)
    assert time.monotonic() - start < 5
    dropped = log.writer.dropped
    assert 0 < dropped < 5000
    os.set_blocking(end, False)
    got = os.read(end, 1 << 20)
    log.info("back")
    got += os.read(end, 1 << 20)
    found = [lines.read(line) for line in got.splitlines(keepends=True)]
    assert [line["message"] for line in found[-2:]] == ["Log lines were dropped", "back"]
    assert found[-2]["context"] == {"dropped": dropped}
    assert len(found) == 5000 - dropped + 2
    os.close(end)
    os.close(fd)


def test_a_long_line_that_a_stall_cut_short_is_ended_when_the_reader_is_back() -> None:
    end, fd = os.pipe()
    log = StructuredLogger("ai-core-service", output=fd)
    log.writer.patience = 0.1
    for _ in range(40):
        log.info("x" * 7000)
    os.set_blocking(end, False)
    got = os.read(end, 1 << 20)
    log.info("back")
    got += os.read(end, 1 << 20)
    for line in got.splitlines(keepends=True):
        lines.read(line)
    os.close(end)
    os.close(fd)


@pytest.mark.parametrize("size", [10, 3000, 12000])
@pytest.mark.parametrize("to", ["pipe", "file"])
def test_a_line_is_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str, size: int) -> None:
    end, fd = os.pipe() if to == "pipe" else (-1, os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT))
    log = StructuredLogger("ai-core-service", output=fd)
    writes: list[bytes] = []
    write, pwritev = os.write, os.pwritev
    monkeypatch.setattr(os, "write", lambda fd, data: (writes.append(data), write(fd, data))[1])
    monkeypatch.setattr(os, "pwritev", lambda fd, all_, *more: (writes.extend(all_), pwritev(fd, all_, *more))[1])
    log.info("x", {f"k{number}": "p" * (size // 5) for number in range(5)})
    (line,) = writes
    assert len(lines.read(line)["context"]) == 5
    os.close(fd)
    if end >= 0:
        os.close(end)


@pytest.mark.parametrize("closed", ["the reader", "the descriptor"])
def test_a_closed_stdout_raises_nothing(closed: str) -> None:
    end, fd = os.pipe()
    log = StructuredLogger("ai-core-service", output=fd)
    os.close(end)
    if closed == "the descriptor":
        os.close(fd)
    for _ in range(3):
        log.error("x", error=ValueError("y"))
    assert log.writer.dropped == 3
    if closed == "the reader":
        os.close(fd)


@pytest.mark.parametrize("nowait", [True, False], ids=["this kernel", "an older one"])
def test_another_program_that_fills_the_pipe_does_not_block_us(nowait: bool) -> None:
    end, fd = os.pipe()
    log = StructuredLogger("ai-core-service", output=fd)
    log.writer.patience = 0.1
    if not nowait:
        log.writer._nowait = 0
    os.set_blocking(fd, False)
    with suppress(BlockingIOError):
        while True:
            os.write(fd, b"x" * 4096)
    os.set_blocking(fd, True)  # a write would now wait for ever
    log.info("x")
    assert log.writer.dropped == 1
    os.close(end)
    os.close(fd)


def test_a_full_disk_raises_nothing() -> None:
    fd = os.open("/dev/full", os.O_WRONLY)
    log = StructuredLogger("ai-core-service", output=fd)
    log.info("x")
    assert log.writer.dropped == 1
    os.close(fd)


def test_a_signal_handler_may_log_while_a_line_is_written(tmp_path: Path) -> None:
    out = lines.Logged(tmp_path)
    old = signal.signal(signal.SIGALRM, lambda *_: out.log.info("from the handler"))
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        for _ in range(3000):
            out.log.info("x" * 300)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    found = out.lines()
    assert len([line for line in found if line["message"].startswith("xxx")]) == 3000
    assert len(found) > 3000


def test_a_child_forked_while_another_thread_logs_can_log(tmp_path: Path) -> None:
    out, stop = lines.Logged(tmp_path), threading.Event()

    def noise() -> None:
        while not stop.is_set():
            out.log.info("parent")

    thread = threading.Thread(target=noise)
    thread.start()
    try:
        for _ in range(20):
            process = multiprocessing.get_context("fork").Process(target=out.log.info, args=("child",))
            process.start()
            process.join(10)
            assert process.exitcode == 0
    finally:
        stop.set()
        thread.join()
    assert len([line for line in out.lines() if line["message"] == "child"]) == 20


def test_two_loggers_of_a_process_share_the_writer_of_a_descriptor(tmp_path: Path) -> None:
    out = lines.Logged(tmp_path)
    assert StructuredLogger("other", output=out.fd).writer is out.log.writer
    assert StructuredLogger("other", output=Writer(out.fd)).writer is not out.log.writer
