"""Lines written by a thread of their own, for a service that must never wait for its stdout.

What waits is bounded. As it fills, DEBUG and TRACE are refused first, then INFO, so that the rest of the room is there for what says that
something is wrong. A line from WARN on is out when the call returns, or `patience` is over: a process that is about to die has said why.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import weakref
from collections import deque

from .writer import Writer

ROOM = 1 << 22  # bytes that wait
SHARE = {"TRACE": 0.5, "DEBUG": 0.5, "INFO": 0.75}  # of the room, for lines of this level; the others have all of it
TURN = 0.1  # seconds after which the thread looks whether it should end


class BackgroundWriter:
    """Takes lines as `Writer` does, and hands them to one: `StructuredLogger(…, background=True)`.

    The thread begins with the first line, again in a forked child. At exit, what waits is written within `patience`.
    """

    def __init__(self, writer: Writer, *, room: int = ROOM) -> None:
        self.writer, self.room = writer, room
        self._closing = False
        self._begin()
        _ALL.add(self)
        atexit.register(_close, weakref.ref(self))

    def _begin(self) -> None:
        """As nothing had been logged; in a child too, since what waits in the parent is the parent's."""
        self._changed = threading.Condition(threading.RLock())  # a signal handler may log in between
        self._lines: deque[bytes] = deque()
        self._waiting = 0  # bytes, the line at hand included
        self._taken = self._done = 0  # lines since the beginning
        self._thread: threading.Thread | None = None

    @property
    def dropped(self) -> int:
        """Lines that nobody will see."""
        return self.writer.dropped

    def write(self, line: bytes, level: str = "INFO", /) -> bool:
        """Whether the line will be written. Waits for it from WARN on, at most the writer's `patience`."""
        with self._changed:
            if self._closing:  # after exit's last look: as if there were no thread
                return self.writer.write(line)
            patience = 0.0 if level in SHARE or self.writer.stalled else self.writer.patience
            if not self._fits(line, level) and not self._changed.wait_for(lambda: self._fits(line, level), patience):
                return self.writer.drop()
            self._lines.append(line)
            self._waiting += len(line)
            self._taken += 1
            if self._thread is None and not self._start():
                self._lines.clear()
                return self.writer.write(line)
            self._changed.notify_all()
            mine = self._taken
            if patience and self._thread is not threading.current_thread():
                self._changed.wait_for(lambda: self._done >= mine, patience)
            return True

    def flush(self, seconds: float | None = None) -> bool:
        """Wait until all lines that were given so far are written, at most so long (the writer's `patience`); whether they are."""
        with self._changed:
            last = self._taken
            return self._changed.wait_for(
                lambda: self._done >= last, self.writer.patience if seconds is None else seconds
            )

    def _fits(self, line: bytes, level: str) -> bool:
        return self._waiting + len(line) <= self.room * SHARE.get(level, 1)

    def _start(self) -> bool:
        thread = threading.Thread(target=self._work, name="log-writer", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the interpreter ends, or there are too many
            return False
        self._thread = thread
        for name in ("multiprocessing.util", "billiard.util"):  # their children end without atexit
            if util := sys.modules.get(name):
                util.Finalize(None, _close, args=(weakref.ref(self),), exitpriority=10)
        return True

    def _work(self) -> None:
        changed = self._changed
        while True:
            with changed:
                while not self._lines:
                    self._waiting = 0  # what a signal handler counted wrong
                    changed.wait()
                line = self._lines.popleft()
            while not self._offer(line):
                pass
            with changed:
                self._waiting -= len(line)
                self._done += 1
                changed.notify_all()

    def _offer(self, line: bytes) -> bool:
        """Whether the line is dealt with."""
        if self.writer.offer(line):
            return True
        if self._closing or not self.writer.stalled:  # nobody will ever read it: closed, or a full disk
            self.writer.drop()
            return True
        self.writer.wait(TURN)
        return False

    def close(self) -> None:
        """Write what waits, within `patience`, and from now on without the thread. What is left then is dropped and counted."""
        flushed = self.flush()
        with self._changed:
            self._closing = True
            if not flushed:
                for _ in range(len(self._lines)):
                    self.writer.drop()
                self._lines.clear()


def behind(writer: Writer) -> BackgroundWriter:
    """The one of this process that hands its lines to `writer`."""
    if writer not in _BY_WRITER:
        _BY_WRITER[writer] = BackgroundWriter(writer)
    return _BY_WRITER[writer]


Sink = Writer | BackgroundWriter
_BY_WRITER: dict[Writer, BackgroundWriter] = {}
_ALL: weakref.WeakSet[BackgroundWriter] = weakref.WeakSet()


def _close(found: weakref.ref[BackgroundWriter]) -> None:
    if writer := found():
        writer.close()


def _after_fork() -> None:
    for writer in list(_ALL):
        writer._begin()


os.register_at_fork(after_in_child=_after_fork)
