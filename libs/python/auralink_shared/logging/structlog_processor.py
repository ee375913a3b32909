"""structlog's events as lines of the standard; needs no import of structlog."""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from typing import Any

from .entry import NO_FAILURE, Entry
from .failure import failure
from .levels import name, number

# structlog's own additions, which the line has in places of its own.
_TAKEN = ("event", "level", "timestamp", "exc_info", "log_level")


class StructlogRenderer:
    """The last processor of a structlog configuration, for `structlog.BytesLoggerFactory`, which adds the newline.

    `structlog.configure(processors=[merge_contextvars, StructlogRenderer(logger.entry)], logger_factory=…)`
    """

    def __init__(self, entry: Entry) -> None:
        self.entry = entry

    def __call__(self, logger: Any, method_name: str, event: MutableMapping[str, Any]) -> bytes:
        """The line of an event, without its newline: what is bound is the context."""
        context = {key: value for key, value in event.items() if key not in _TAKEN}
        given = event.get("exc_info", method_name == "exception")
        if isinstance(given, tuple):
            given = given[1] if len(given) == 3 else None
        elif isinstance(given, int) and given:  # True, or 1 as some write it
            given = sys.exc_info()[1]
        fields = failure(given) if isinstance(given, BaseException) else NO_FAILURE
        level = "error" if method_name == "exception" else method_name
        try:
            level = name(number(level))
        except ValueError:  # a method that is no level, such as `msg`
            level = "INFO"
        return self.entry.here(level, event.get("event", ""), context, fields)[:-1]
