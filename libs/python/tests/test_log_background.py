"""Lines that a thread writes: the service waits for nothing, what matters is there, the rest is counted."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import lines
import pytest
from prometheus_client import CollectorRegistry

from auralink_shared.logging import BackgroundWriter, StructuredLogger, Writer
from auralink_shared.logging.metrics import Collector

HEAD = """
import multiprocessing, os, sys, threading, time
from auralink_shared.logging import StructuredLogger
log = StructuredLogger("ai-core-service", "TRACE", background=True)
"""
_NUMBER = itertools.count()


class Pipe:
    """A pipe, a background logger that writes into it, and the lines that came out."""

    def __init__(self, room: int, patience: float = 0.2) -> None:
        self.end, self.fd = os.pipe()
        self.writer = BackgroundWriter(Writer(self.fd, patience=patience), room=room)
        self.log = StructuredLogger(f"service {next(_NUMBER)}", "TRACE", output=self.writer)

    def read(self) -> list[dict[str, Any]]:
        """All lines so far, those that wait too."""
        os.set_blocking(self.end, False)
        got, flushed = b"", False
        while not flushed:
            flushed = self.writer.flush(0.01)
            with suppress(BlockingIOError):
                while more := os.read(self.end, 1 << 16):
                    got += more
        return [lines.read(line) for line in got.splitlines(keepends=True)]

    def stall(self) -> None:
        """Until the pipe is full and the thread holds a line that it can't write."""
        for _ in range(40):
            self.log.info("x" * 2000)
        while not self.writer.writer.stalled:
            self.writer.flush(0.05)

    def close(self) -> None:
        os.close(self.end)
        self.writer.close()
        os.close(self.fd)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    found = Pipe(room=1 << 18)
    yield found
    found.close()


def run(program: str, status: int = 0) -> list[dict[str, Any]]:
    done = subprocess.run([sys.executable, "-c", HEAD + program], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (status, b"")
    return [lines.read(line) for line in done.stdout.splitlines(keepends=True)]


def test_all_lines_come_out_in_order(pipe: Pipe) -> None:
    for number in range(500):
        pipe.log.info("x", {"n": number})
    assert [line["context"]["n"] for line in pipe.read()] == list(range(500))
    assert pipe.writer.dropped == 0


def test_a_reader_that_stalls_costs_the_caller_nothing_and_debug_goes_first(pipe: Pipe) -> None:
    pipe.stall()
    start = time.monotonic()
    taken: Counter[str] = Counter()
    for number in range(3000):
        for level in ("debug", "info", "warn"):
            before = pipe.writer.dropped
            getattr(pipe.log, level)(level, {"n": number})
            taken[level] += pipe.writer.dropped == before
    assert time.monotonic() - start < 10  # 9,000 calls; one that waited would have cost 0.2 s
    assert 0 < taken["debug"] < taken["info"] < taken["warn"] < 3000
    found = Counter(line["message"] for line in pipe.read())
    assert {level: found[level] for level in taken} == taken
    assert found["Log lines were dropped"] == 0  # a Writer of our own, without notice


def test_what_is_dropped_is_counted_by_level(pipe: Pipe) -> None:
    pipe.stall()
    while pipe.writer.dropped < 5:
        pipe.log.debug("x" * 2000)
    registry = CollectorRegistry()
    registry.register(Collector())
    of = {"service": pipe.log.service_name}
    assert registry.get_sample_value("log_lines_dropped_total", of | {"level": "DEBUG"}) == 5
    assert registry.get_sample_value("log_lines_dropped_total", of | {"level": "FATAL"}) == 0


def test_a_warning_is_out_when_the_call_returns(pipe: Pipe) -> None:
    pipe.log.info("before")
    pipe.log.warn("now")
    os.set_blocking(pipe.end, False)
    found = [lines.read(line)["message"] for line in os.read(pipe.end, 1 << 16).splitlines(keepends=True)]
    assert found == ["before", "now"]


def test_a_warning_waits_for_a_stalled_reader_no_longer_than_patience() -> None:
    pipe = Pipe(room=1 << 20, patience=0.3)
    while pipe.writer.flush(0.1):  # the pipe is full, nobody has noticed yet
        pipe.log.info("x" * 2000)
    start = time.monotonic()
    pipe.log.error("x")
    assert time.monotonic() - start < 1
    pipe.close()


def test_what_waits_is_written_at_exit() -> None:
    assert [line["context"]["n"] for line in run("for n in range(2000): log.info('x', {'n': n})")] == list(range(2000))


def test_a_fatal_line_is_out_before_the_process_is_gone() -> None:
    found = run("log.info('a'); log.fatal('b'); os._exit(3)", status=3)
    assert [line["message"] for line in found] == ["a", "b"]


def test_exit_waits_for_a_stalled_reader_no_longer_than_patience() -> None:
    program = HEAD + "for n in range(2000): log.info('x' * 500)\n"
    start = time.monotonic()
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.wait(30) == 0
        assert time.monotonic() - start < 20


@pytest.mark.parametrize(
    "child",
    [
        "pid = os.fork()\nlog.info('in both')\nif pid: os.waitpid(pid, 0)",
        "p = multiprocessing.get_context('fork').Process(target=log.info, args=('in both',)); p.start(); p.join()\n"
        "log.info('in both')",
    ],
    ids=["os.fork", "multiprocessing"],
)
def test_a_forked_child_has_a_thread_of_its_own(child: str) -> None:
    found = run(f"log.info('before')\n{child}")
    assert sorted(line["message"] for line in found) == ["before", "in both", "in both"]


def test_a_closed_reader_is_counted_and_nothing_is_raised() -> None:
    pipe = Pipe(room=1 << 18)
    os.close(pipe.end)
    pipe.log.error("x")
    assert pipe.writer.flush(10) and pipe.writer.dropped == 1
    os.close(pipe.fd)


def test_two_loggers_of_a_process_share_the_thread_of_a_descriptor() -> None:
    end, fd = os.pipe()
    one, other = (StructuredLogger(name, output=fd, background=True) for name in "ab")
    assert one.writer is other.writer
    os.close(end)
    os.close(fd)


def test_after_the_end_lines_are_written_at_once(pipe: Pipe) -> None:
    pipe.writer.close()
    pipe.log.info("late")
    assert [line["message"] for line in pipe.read()] == ["late"]
