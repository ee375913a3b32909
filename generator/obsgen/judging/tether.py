"""What we start ends with us, also when nobody can tell us to stop it: SIGKILL, out of memory."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator


@contextlib.contextmanager
def tethered(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Kills a process when this one ends inside of the `with`, however it ends.

    A shell waits for the end of a pipe that only this process holds, and the kernel closes it. Linux' parent-death signal would come
    earlier: when the thread ends that started the process.
    """
    watcher = subprocess.Popen(
        ["sh", "-c", 'read -r _; kill -KILL "$0"', str(process.pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )
    try:
        yield
    finally:
        watcher.kill()
        watcher.wait()
        if watcher.stdin:
            watcher.stdin.close()
