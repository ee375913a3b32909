"""Processes that can be killed: a program, or a fork of this one, which spares Python's clients their imports."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import BinaryIO, Protocol


class Process(Protocol):
    """What a client is to the soak; a negative code is a signal."""

    def poll(self) -> int | None:
        """Its exit code; None while it lives."""

    def kill(self) -> None:
        """kill -9."""

    def wait(self, timeout: float | None = None) -> int | None:
        """Its exit code once it has ended; None where it hasn't."""


class Fork:
    """`main(arguments)` in a fork of this process, with standard files of its own."""

    def __init__(self, main: Callable[[Sequence[str]], int], arguments: Sequence[str], *files: BinaryIO) -> None:
        def run() -> None:
            for number, file in enumerate(files):
                os.dup2(file.fileno(), number)
            sys.stdin = open(0, encoding="ascii", closefd=False)  # noqa: SIM115 - until the process ends
            sys.exit(main(arguments))

        sys.stdout.flush()  # what this process has not written yet must not be written by both
        self._process = multiprocessing.get_context("fork").Process(target=run)
        self._process.start()

    def poll(self) -> int | None:
        """Its exit code; None while it lives."""
        return self._process.exitcode

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()

    def wait(self, timeout: float | None = None) -> int | None:
        """Its exit code once it has ended; None where it hasn't."""
        self._process.join(timeout)
        return self._process.exitcode


class Program(subprocess.Popen[bytes]):
    """A program, with standard files of its own."""

    def __init__(self, command: Sequence[str], *files: BinaryIO) -> None:
        super().__init__(command, stdin=files[0], stdout=files[1], stderr=files[2])
