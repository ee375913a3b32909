"""`StructuredLogger`: the plan's class, straight from the call to one write."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from .. import contract
from . import levels
from .background import Sink, behind
from .entry import NO_FAILURE, Entry
from .failure import failure
from .writer import to

Context = Mapping[str, Any] | None


class StructuredLogger:
    """Writes lines of the standard for one service. No call raises, whatever it is given; a line is one write.

    `level` is the least that is written: TRACE, DEBUG, INFO, WARN, ERROR, FATAL, in any case; ValueError for another.
    `version`, `environment`, `instance_id` go into `metadata` (see `Entry`). `output` is a file descriptor (stdout) or
    a `Writer`; with `background` a thread writes there (see `BackgroundWriter`). The contract is read once, see
    `auralink_shared.contract`; an unreadable one is said in a line of level ERROR, and the default one counts.
    """

    def __init__(
        self,
        service_name: str,
        level: str = "INFO",
        *,
        version: str | None = None,
        environment: str | None = None,
        instance_id: str | None = None,
        output: int | Sink = 1,
        background: bool = False,
    ) -> None:
        self.service_name = service_name
        self.level = levels.number(level)
        found, trouble = contract.load_or_default()
        self.entry = Entry(
            service_name, found, {"instance_id": instance_id, "version": version, "environment": environment}
        )
        self._here = self.entry.here
        if isinstance(output, int):
            writer = to(output, self._missing)
            self.writer: Sink = behind(writer) if background else writer
        else:
            self.writer = output
        self._bound: Mapping[str, Any] = {}
        if trouble:
            self.error("The contract can't be read, the default one counts", trouble)

    def bind(self, **context: Any) -> StructuredLogger:
        """A logger that adds this context to every line; a call's own context wins. The original stays as it is."""
        bound = object.__new__(type(self))
        bound.__dict__.update(self.__dict__)
        bound._bound = {**self._bound, **context}
        return bound

    def enabled(self, level: str) -> bool:
        """Whether a line of this level would be written."""
        return levels.number(level) >= self.level

    def trace(self, message: str, context: Context = None) -> None:
        """Detailed flow: function entry, loop turns."""
        if self.level <= 5:
            self._log("TRACE", message, context)

    def debug(self, message: str, context: Context = None) -> None:
        """Values and state for development."""
        if self.level <= 10:
            self._log("DEBUG", message, context)

    def info(self, message: str, context: Context = None) -> None:
        """Normal operation."""
        if self.level <= 20:
            self._log("INFO", message, context)

    def warn(self, message: str, context: Context = None, *, error: object = None) -> None:
        """Recoverable: a retry, a fallback."""
        if self.level <= 30:
            self._log("WARN", message, context, error)

    def error(self, message: str, error: object = None, context: Context = None) -> None:
        """An error; `error` is the exception, whose text, type, code and stack become fields."""
        if self.level <= 40:
            self._log("ERROR", message, context, error)

    def exception(self, message: str, context: Context = None) -> None:
        """An error with the exception that is being handled."""
        if self.level <= 40:
            self._log("ERROR", message, context, sys.exc_info()[1])

    def fatal(self, message: str, error: object = None, context: Context = None) -> None:
        """Unrecoverable. Writes a line; to end the process is the caller's decision."""
        if self.level <= 50:
            self._log("FATAL", message, context, error)

    def _log(self, level: str, message: object, context: object, error: object = None) -> None:
        if self._bound:
            context = _merged(self._bound, context)
        line = self._here(level, message, context, NO_FAILURE if error is None else failure(error))
        if not self.writer.write(line, level):
            self.entry.counts.dropped[level] += 1

    def _missing(self, count: int) -> bytes:
        return self.entry.line("WARN", "Log lines were dropped", {"dropped": count})


def _merged(bound: Mapping[str, Any], context: object) -> Mapping[Any, Any]:
    if context is None:
        return bound
    if not isinstance(context, Mapping):
        return {**bound, "value": context}
    try:
        return {**bound, **dict(context)}
    except Exception:
        return {**bound, "value": context}
