"""Whole lines to a file descriptor, whatever is at its other end.

A pipe takes up to PIPE_BUF bytes in one piece; more than that, and lines of several threads or processes mix (every
logging library has this). So on a pipe each writer holds a lock of its process and, unless it is alone there (`alone`),
one between processes, and never writes what the pipe has no room for: a reader that stalls costs `patience` once and
then nothing, until it reads again.
"""

from __future__ import annotations

import errno
import os
import select
import stat
import sys
import threading
import time
import weakref
from collections.abc import Callable
from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, lockf
from time import monotonic

from .alone import Alone

PIPE_BUF = select.PIPE_BUF
_LOCK = LOCK_EX | LOCK_NB
NOWAIT = getattr(os, "RWF_NOWAIT", 0)  # Linux: a write that never waits, whatever the pipe's flags are
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
        self.dropped = 0
        self._untold = 0
        self._rest = b""  # of a line whose beginning is out
        self.stalled = False  # nobody reads: what comes is not waited for until there is room again
        self._complained = 0.0
        self._busy = False
        self._lock = threading.RLock()
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)
        try:
            mode = os.fstat(fd).st_mode
        except OSError:
            mode = 0
        self._shared = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
        self._nowait = NOWAIT if stat.S_ISFIFO(mode) else 0
        self._file = stat.S_ISREG(mode)
        self._alone = Alone(fd)
        _WRITERS.add(self)

    def write(self, line: bytes, level: str = "INFO", /) -> bool:
        """Write one line that ends in a newline; whether it went out (or will, being begun). All levels are equal here."""
        lock = self._lock
        if self._file:  # one write is one piece there, whoever else writes
            try:
                if (sent := os.write(self.fd, line)) == len(line):
                    return True
                with lock:
                    self._whole(line[sent:])
                return True
            except (OSError, ValueError) as error:
                return self._failed(error) or self.drop()
        if lock.acquire(False):
            try:  # most lines to a pipe: nobody else is there, and a short one is out whole or not at all
                if len(line) <= PIPE_BUF and monotonic() < self._alone.until:
                    os.pwritev(self.fd, (line,), -1, NOWAIT)
                    return True
            except OSError:  # no room; what else it may be, `_on_pipe` finds
                pass
            finally:
                lock.release()
        return self.offer(line) or self.drop()

    def offer(self, line: bytes) -> bool:
        """As `write`, but a line that did not go out is the caller's, not counted."""
        lock = self._lock
        if not (lock.acquire(False) or lock.acquire(timeout=0 if self.stalled else 2 * self.patience)):
            return False
        try:
            if self._busy:  # a signal handler logs in the middle of a line
                return self._later(line)
            self._busy = True
            try:
                return self._out(line)
            except (OSError, ValueError) as error:
                return self._failed(error)
            finally:
                self._busy = False
        finally:
            lock.release()

    def _out(self, line: bytes) -> bool:
        alone = self._alone
        until, alone.until = alone.until, 0.0  # of a line in pieces the rest comes first
        if not self._shared:
            if (sent := os.write(self.fd, line)) != len(line):
                self._whole(line[sent:])
        elif not (self._short(line) or self._on_pipe(line)):
            return False
        if self._rest:
            self._end()
        if not (self._rest or self._untold or alone.known):
            alone.until = alone.until or until
        return True

    def _short(self, line: bytes) -> bool:
        """Write a line of one piece, if nobody has the lock and there is room."""
        if not self._nowait or len(line) > PIPE_BUF or self._untold or self._rest:
            return False
        fd = self.fd
        try:
            lockf(fd, _LOCK, 1)
            try:
                os.pwritev(fd, (line,), -1, self._nowait)
                self._alone.ask()
            finally:
                lockf(fd, LOCK_UN, 1)
        except OSError:
            return False
        self.stalled = False
        return True

    def _failed(self, error: Exception) -> bool:
        self._complain(f"log lines can't be written: {error}")
        return False

    def _end(self) -> None:
        """What a signal handler said meanwhile."""
        while self._rest and not self.stalled:
            self._on_pipe(b"") if self._shared else self._whole(self._taken())

    def drop(self) -> bool:
        """Count a line that nobody will see; False."""
        self.dropped += 1
        self._untold += 1
        if self.stalled:
            self._complain("log lines are dropped: nobody reads them")
        return False

    def wait(self, seconds: float) -> None:
        """After an offer that failed for the moment: until there is room, at most so long."""
        if self._poll.poll(seconds * 1000):  # there is, so another process held the lock
            time.sleep(0.002)

    def _later(self, line: bytes) -> bool:
        if len(self._rest) > REST:
            return False
        self._rest += line
        return True

    def _taken(self) -> bytes:
        rest, self._rest = self._rest, b""
        return rest

    def _on_pipe(self, line: bytes) -> bool:
        if self._nowait and (len(line) > PIPE_BUF or self._untold or self._rest):
            self._alone.settle()
        deadline = monotonic() + (0 if self.stalled else self.patience)
        if not self._lock_others(deadline):
            self.stalled = True
            return False
        try:
            if not (self._flush(deadline) and self._room(deadline)):
                return False
            if self._untold and self.notice is not None:
                line, self._untold = self.notice(self._untold) + line, 0
            self._rest = line + self._rest
            self._flush(deadline)
            return True
        finally:
            self._unlock_others()

    def _flush(self, deadline: float) -> bool:
        """Write what is begun, a piece at a time; the rest waits for the next line."""
        while self._rest:
            if not self._room(deadline):
                return False
            sent = self._send(self._rest)
            self._rest = self._rest[sent:]
        return True

    def _send(self, data: bytes) -> int:
        """Write what the pipe has room for. Its flags are others' too, so it stays a blocking one."""
        if self._nowait:
            try:
                return os.pwritev(self.fd, (data,), -1, self._nowait)
            except BlockingIOError:  # a program that doesn't lock was quicker
                return 0
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                    raise
                self._nowait = 0  # not on this kernel
        return os.write(self.fd, data[:PIPE_BUF])

    def _whole(self, line: bytes) -> None:
        sent = os.write(self.fd, line)
        while sent < len(line):
            sent += os.write(self.fd, line[sent:])

    def _room(self, deadline: float) -> bool:
        """Whether the pipe takes PIPE_BUF bytes at once."""
        found = self._poll.poll(0) or self._poll.poll(max(0.0, deadline - monotonic()) * 1000)
        self.stalled = not found  # an error too is found: the write will say which
        return bool(found)

    def _lock_others(self, deadline: float) -> bool:
        """A POSIX lock on the pipe itself, its first byte, which forked and spawned processes share."""
        pause = 0.0002
        while True:
            try:
                lockf(self.fd, _LOCK, 1)
                return True
            except (BlockingIOError, PermissionError):  # somebody holds it
                if monotonic() >= deadline:
                    return False
                time.sleep(pause)
                pause = min(pause * 2, 0.005)
            except OSError:  # can't be locked here: atomic up to PIPE_BUF, as everywhere else
                return True

    def _unlock_others(self) -> None:
        try:
            lockf(self.fd, LOCK_UN, 1)
        except OSError:
            return

    def _complain(self, text: str) -> None:
        """One line a minute on stderr, if that takes it."""
        now = monotonic()
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

    def _before_fork(self) -> None:
        """From now on it is not alone; a short line that another thread thinks to write alone goes out first."""
        held = self._lock.acquire(timeout=2 * self.patience)
        self._alone.known, self._alone.until = True, 0.0
        if held:
            self._lock.release()

    def _after_fork(self) -> None:
        """In the child: the parent's lock may be held by a thread that isn't here, its begun line is the parent's."""
        self._lock, self._busy, self._rest = threading.RLock(), False, b""
        self._alone = Alone(self.fd)
        self._alone.known = True


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


def _before_fork() -> None:
    for writer in list(_WRITERS):
        writer._before_fork()


def _after_fork() -> None:
    for writer in list(_WRITERS):
        writer._after_fork()


os.register_at_fork(before=_before_fork, after_in_child=_after_fork)
