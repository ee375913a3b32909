"""A client that something happens to between two commands, and a process that is killed there."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any


class Killed(BaseException):
    """The process is gone: nothing of it runs on, no handler catches it."""


def die() -> None:
    raise Killed


def after(client: Any, number: int, do: Callable[[], object]) -> Any:
    """The client; once Redis has done its `number`-th command from here, `do` is called before the answer is seen."""
    run, commands = client.execute_command, 0

    def counted(*arguments: Any, **more: Any) -> Any:
        nonlocal commands
        answer = run(*arguments, **more)
        commands += 1
        if commands == number:
            do()
        return answer

    client.execute_command = counted
    return client


def killed_after(connect: Callable[[], Any], number: int, work: Callable[[Any], object]) -> bool:
    """Runs `work` on a client of its own in a process that gets SIGKILL after its `number`-th command; whether it got so far."""
    child = os.fork()
    if not child:
        try:
            work(after(connect(), number, lambda: os.kill(os.getpid(), signal.SIGKILL)))
        finally:
            os._exit(0)  # what pytest would do at its end is the parent's
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)
