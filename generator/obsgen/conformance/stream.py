"""A stream through the checker, from whichever source; then what only the whole of it tells."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from ..problem import Problem, ProblemsError
from .checker import Checker, Span
from .frames import Framed, chunks, lines, unframed
from .report import Result, result
from .rules import Allowance
from .words import amount, lasting

SHORTEST = 60.0
"""Seconds that lines must span before a day is made of them."""
DAY = 86_400.0


def judge(checker: Checker, framed: Iterable[Framed]) -> bool:
    """Checks every line. False where somebody stopped it: what was read until then counts."""
    try:
        for text, number, captured in framed:
            checker.check(text, number, captured)
    except KeyboardInterrupt:
        return False
    return True


def of_file(checker: Checker, name: str) -> Iterator[Framed]:
    """Lines of a file, or with `-` of stdin. Raises ProblemsError (could not run) where it can't be read."""
    checker.source, before = "stdin" if name == "-" else name, checker.tally.lines
    try:
        if name == "-":
            yield from unframed(lines(_clocked(checker, chunks(lambda size: os.read(0, size)))))
        else:
            with Path(name).open("rb", buffering=0) as file:
                yield from unframed(lines(_clocked(checker, chunks(file.read))))
    except OSError as error:
        fact = error.strerror or str(error)
        problem = Problem(checker.source, 0, 0, fact, "name a file of log lines, or - for stdin", "usage/logs")
        raise ProblemsError([problem], could_not_run=True) from None
    if checker.tally.lines == before:
        _empty(checker)


def of_command(checker: Checker, command: str, *, stderr: bool = False) -> Iterator[Framed]:
    """Lines that a shell's command writes to stdout, with `stderr` there too; each is passed on to our stderr as it comes.

    A command that fails is a finding of its own, `logs/run`; one that the shell doesn't find raises ProblemsError.
    """
    checker.source = "output"
    mixed = subprocess.STDOUT if stderr else None
    # a session of its own, so that what the shell has started ends with it
    with subprocess.Popen(
        ["/bin/sh", "-c", command], stdout=subprocess.PIPE, stderr=mixed, bufsize=0, start_new_session=True
    ) as child:
        assert child.stdout
        try:
            yield from unframed(lines(_clocked(checker, _passed_on(chunks(child.stdout.read)))))
            code = child.wait()
        except BaseException:
            os.killpg(child.pid, signal.SIGTERM)
            raise
    if code == 127:
        problem = Problem("output", 0, 0, f"the shell doesn't find the command: {command}", "", "usage/logs")
        raise ProblemsError([problem], could_not_run=True)
    if code:
        checker.whole("logs/run", f"the command {_ended(code)}", "its lines may be few; what it said is above")


def _ended(code: int) -> str:
    if code > 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal
        return f"was ended by signal {-code}"


def _passed_on(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield piece  # first, so that whatever was shown has been counted
        try:
            sys.stderr.buffer.write(piece)
            sys.stderr.flush()
        except (OSError, ValueError, AttributeError):  # nobody listens; the lines are checked all the same
            pass


def _clocked(checker: Checker, pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        checker.now = time.time()
        yield piece


def conclude(
    checker: Checker,
    maxima: dict[str, Allowance],
    covered: float | None = None,
    left_out: Mapping[str, str] = MappingProxyType({}),
) -> Result:
    """What the whole stream tells, and the result.

    `covered` is how many seconds of writing were read, where lines are a sample; `left_out` names lines that were not judged, and why.
    """
    if not checker.tally.lines and "logs/empty" not in checker.tally.counts:
        _empty(checker)
    allowed, unasked = dict(maxima), {**checker.unasked(), **left_out}
    why = _volume(checker, allowed, covered)
    if why:
        unasked["logs/volume"] = why
    return result(checker.tally, allowed, unasked)


def _empty(checker: Checker) -> None:
    checker.whole("logs/empty", "no line was read", "does the service log to stdout, and at this level?")


def _volume(checker: Checker, allowed: dict[str, Allowance], covered: float | None) -> str:
    """Puts the most that a service writes in a day beside what is promised; says why it can't."""
    promised = checker.standard.volume
    if "logs/volume" not in allowed:
        if promised is None:
            return "no objective log_volume (a contract alone has none: declare it, or --max volume=1GB)"
        allowed["logs/volume"] = Allowance(promised.bytes, "bytes")
    each = promised is None or promised.each
    if covered is None:
        found = [one for day, spans in checker.days.items() for one in _of_day(day, spans, each)]
    else:
        found = list(_of_sample(checker.days.values(), covered, each))
    if not found:
        return f"the lines of no day span {SHORTEST:g} s"
    most, name, words = max(found)
    fact = f"{name!r} writes" if name else "all together write"
    fact += f" about {amount(most)} a day, going by {words}"
    checker.whole("logs/volume", fact, f"log less, or raise the objective of {allowed['logs/volume']}", most)
    return ""


Amount = tuple[float, str, str]
"""Bytes a day, of which service ("" of all), and what that goes by."""


def _of_day(day: str, spans: Mapping[str, Span], each: bool) -> Iterator[Amount]:
    """Of the lines of one day, so that a single timestamp of another year doesn't stretch the time."""
    first, last = min(span.first for span in spans.values()), max(span.last for span in spans.values())
    if last - first >= SHORTEST:
        for name, size in _sizes([spans], each).items():
            yield size / (last - first) * DAY, name, f"{amount(size)} in {lasting(last - first)} of {day}"


def _of_sample(days: Iterable[Mapping[str, Span]], covered: float, each: bool) -> Iterator[Amount]:
    if covered >= SHORTEST:
        for name, size in _sizes(days, each).items():
            yield size / covered * DAY, name, f"{amount(size)} in {lasting(covered)}"


def _sizes(days: Iterable[Mapping[str, Span]], each: bool) -> dict[str, int]:
    found: dict[str, int] = {}
    for spans in days:
        for name, span in spans.items():
            found[name if each else ""] = found.get(name if each else "", 0) + span.bytes
    return found
