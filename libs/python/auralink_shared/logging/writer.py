"""Whole lines to a file descriptor, whatever is at its other end.

A pipe takes up to PIPE_BUF bytes in one piece; more than that, and lines of several threads or processes mix (every
logging library has this). So on a pipe each writer holds a lock of its process and one between processes, and never
writes what the pipe has no room for: a reader that stalls costs `patience` once and then nothing, until it reads again.
"""

from __future__ import annotations

import fcntl
import os
import select
import stat
import sys
import threading
import time
import weakref
from collections.abc import Callable

PIPE_BUF = select.PIPE_BUF
PATIENCE = 1.0  # seconds that the first line waits for a stalled reader
COMPLAIN_SECONDS = 60.0
REST = 1 << 16  # bytes of lines begun or kept for later; more is dropped


class Writer:
    """Writes lines to `fd` (stdout). Raises nothing; what could not be written is counted in `dropped`.

    `notice` makes the line that tells how many are missing, once lines go out again.
    """

    def __init__(
        self, fd: int = 1, *, patience: float = PATIENCE, notice: Callable[[int], bytes] | None = None
    ) -> None:
        self.fd, self.patience, self.notice = fd, patience, notice
        self.written = self.dropped = 0
        self._untold = 0
        self._rest = b""  # of a line whose beginning is out
        self._stalled = False
        self._complained = 0.0
        self._busy = False
        self._lock = threading.RLock()
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)
        try:
            self._shared = stat.S_ISFIFO(os.fstat(fd).st_mode) or stat.S_ISSOCK(os.fstat(fd).st_mode)
        except OSError:
            self._shared = False
        _WRITERS.add(self)

    def write(self, line: bytes) -> bool:
        """Write one line that ends in a newline; whether it went out (or will, being begun)."""
        if not self._lock.acquire(timeout=0 if self._stalled else 2 * self.patience):
            return self._drop()
        try:
            if self._busy:  # a signal handler logs in the middle of a line
                if len(self._rest) > REST:
                    return self._drop()
                self._rest += line
                return True
            self._busy = True
            try:
                return self._on_pipe(line) if self._shared else self._on_file(line)
            finally:
                self._busy = False
        except (OSError, ValueError) as error:
            self._complain(f"log lines can't be written: {error}")
            return self._drop()
        finally:
            self._lock.release()

    def _on_file(self, line: bytes) -> bool:
        self._whole(line)
        while self._rest:
            rest, self._rest = self._rest, b""
            self._whole(rest)
        self.written += 1
        return True

    def _on_pipe(self, line: bytes) -> bool:
        deadline = time.monotonic() + (0 if self._stalled else self.patience)
        if not self._lock_others(deadline):
            self._stalled = True
            return self._drop()
        try:
            return self._pipe(line, deadline)
        finally:
            self._unlock_others()

    def _pipe(self, line: bytes, deadline: float) -> bool:
        if self._rest and not self._flush(deadline):
            return self._drop()
        if not self._room(deadline):
            self._stalled = True
            return self._drop()
        if self._untold and self.notice is not None:
            line, self._untold = self.notice(self._untold) + line, 0
        if len(line) <= PIPE_BUF:
            self._whole(line)
        else:
            self._rest = line + self._rest
            self._flush(deadline)
        if self._rest and not self._stalled:  # what a signal handler said meanwhile
            self._flush(deadline)
        self.written += 1
        return True

    def _flush(self, deadline: float) -> bool:
        """Write what is begun, a piece at a time; the rest waits for the next line."""
        while self._rest:
            if not self._room(deadline):
                self._stalled = True
                return False
            sent = os.write(self.fd, self._rest[:PIPE_BUF])
            self._rest = self._rest[sent:]
        return True

    def _whole(self, line: bytes) -> None:
        sent = os.write(self.fd, line)
        while sent < len(line):
            sent += os.write(self.fd, line[sent:])

    def _room(self, deadline: float) -> bool:
        """Whether the pipe takes PIPE_BUF bytes at once. Its flags are others' too, so it stays a blocking one."""
        found = self._poll.poll(0) or self._poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
        if found:  # an error too: the write will say which
            self._stalled = False
        return bool(found)

    def _lock_others(self, deadline: float) -> bool:
        """A POSIX lock on the pipe itself, which forked and spawned processes share."""
        pause = 0.0002
        while True:
            try:
                fcntl.lockf(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except (BlockingIOError, PermissionError):  # somebody holds it
                if time.monotonic() >= deadline:
                    return False
                time.sleep(pause)
                pause = min(pause * 2, 0.005)
            except OSError:  # can't be locked here: atomic up to PIPE_BUF, as everywhere else
                return True

    def _unlock_others(self) -> None:
        try:
            fcntl.lockf(self.fd, fcntl.LOCK_UN)
        except OSError:
            return

    def _drop(self) -> bool:
        self.dropped += 1
        self._untold += 1
        if self._stalled:
            self._complain("log lines are dropped: nobody reads them")
        return False

    def _complain(self, text: str) -> None:
        """One line a minute on stderr, if that takes it."""
        now = time.monotonic()
        if self._complained and now - self._complained < COMPLAIN_SECONDS:
            return
        self._complained = now
        try:
            fd = sys.__stderr__.fileno() if sys.__stderr__ else 2
            poll = select.poll()
            poll.register(fd, select.POLLOUT)
            if fd != self.fd and poll.poll(0):
                os.write(fd, f"auralink_shared.logging: {text}\n".encode())
        except (OSError, ValueError):
            return

    def _after_fork(self) -> None:
        """In the child: the parent's lock may be held by a thread that isn't here, its begun line is the parent's."""
        self._lock, self._busy, self._rest = threading.RLock(), False, b""


def to(fd: int, notice: Callable[[int], bytes]) -> Writer:
    """The one Writer of this process for what `fd` is now: two would write into each other's lines."""
    try:
        status = os.fstat(fd)
        key = fd, status.st_dev, status.st_ino
    except OSError:
        key = fd, 0, 0
    return _BY_FILE.setdefault(key, Writer(fd, notice=notice))


_BY_FILE: dict[tuple[int, int, int], Writer] = {}
_WRITERS: weakref.WeakSet[Writer] = weakref.WeakSet()


def _after_fork() -> None:
    for writer in list(_WRITERS):
        writer._after_fork()


os.register_at_fork(after_in_child=_after_fork)
