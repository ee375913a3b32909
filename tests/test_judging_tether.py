"""What a judge's cluster started ends with the process that asked, also where that one is killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

from obsgen.judging.tether import tethered

PROGRAM = """
import subprocess, threading, time
from obsgen.judging.tether import tethered

def start():
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    stack.enter_context(tethered(process))
    print(process.pid, flush=True)

import contextlib
stack = contextlib.ExitStack()
thread = threading.Thread(target=start)
thread.start()
thread.join()
time.sleep(600)
"""


def runs(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def test_a_process_that_is_killed_takes_what_it_started_along_and_a_thread_that_ends_does_not() -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE) as asking:
        assert asking.stdout
        started = int(asking.stdout.readline())
        time.sleep(0.2)  # its thread has ended
        assert runs(started)
        asking.send_signal(signal.SIGKILL)
    end = time.monotonic() + 30
    while runs(started):
        assert time.monotonic() < end, "it goes on"
        time.sleep(0.02)


def test_what_was_tethered_goes_on_after_the_with() -> None:
    process = subprocess.Popen(["sleep", "600"])
    try:
        with tethered(process):
            pass
        time.sleep(0.2)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()
