"""Whether other processes write to a pipe: one that is alone needs no lock around its short lines.

The lock is two of the three system calls of a line. It is there for lines longer than PIPE_BUF: Linux puts a write in without
interruption while there is room (`pipe_write` in fs/pipe.c holds `pipe->mutex` until the pipe is full), but the rest of it waits
outside, and a short line of another process may come in between.

So each process keeps a byte of the pipe locked, and F_GETLK tells whether another one does. One that finds nobody is alone for `LEASE`
seconds, then asks again. One that comes in the meantime is seen too late by at most that: it takes the lock for every line, and lets
the lease run out before its first long one. That is enough if nobody is held up for longer than `GRACE` between looking at the clock,
which is the same in all processes, and the system call after it.
"""

from __future__ import annotations

import fcntl
import os
import struct
import time

LEASE, GRACE = 0.1, 0.4  # seconds
_GET_OWN = getattr(fcntl, "F_OFD_GETLK", 0)  # as another open file would: the process's own locks are seen


class Alone:
    """Of this process on the pipe `fd`. Raises nothing."""

    def __init__(self, fd: int) -> None:
        self.fd, self.known = fd, False
        self.until = 0.0  # by the monotonic clock; before that there is nobody else
        self._again = 0.0  # when to ask
        self._byte, self._shown = 0, 0.0

    def ask(self) -> None:
        """Sets `until`, at most once in `LEASE` seconds. With the lock between processes held."""
        now = time.monotonic()
        if self.known or now < self._again:
            return
        self._again = now + LEASE
        self.until = 0.0 if self._others() else now + LEASE

    def settle(self) -> None:
        """Before a long line, without that lock: wait until leases have ended that others took when they couldn't see this process."""
        if self._others() and (rest := self._shown + LEASE + GRACE - time.monotonic()) > 0:
            time.sleep(rest)

    def _others(self) -> bool:
        """Whether there are any (or it can't be known). From now on they see this process."""
        try:
            if not self._byte or not _locked(self.fd, _GET_OWN, self._byte, 1):
                # The first time; or somebody closed a descriptor of this pipe, which drops all the process's locks on it.
                self._byte = 1 + (int.from_bytes(os.urandom(7), "big") >> 1)
                fcntl.lockf(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, self._byte)
                self._shown = time.monotonic()
            return _locked(self.fd, fcntl.F_GETLK, 1, 0)
        except OSError:
            return True


def _locked(fd: int, ask: int, start: int, length: int) -> bool:
    """Whether anybody else, as `ask` means it, has bytes from `start` locked (length 0: to the end)."""
    # Linux's struct flock: type, whence, start, length, pid.
    asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)
    (found,) = struct.unpack_from("h", fcntl.fcntl(fd, ask, asked))
    return bool(found != fcntl.F_UNLCK)
