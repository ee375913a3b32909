"""Log lines of the standard: JSON, one per line, never lost, never the reason that a service fails.

Three doors on one renderer: `StructuredLogger` for the service's own lines, `setup` for those of every library that
logs through stdlib `logging`, `StructlogRenderer` for structlog. The form of a line is in `entry`.
"""

from __future__ import annotations

if __name__ == "logging":
    raise ImportError(
        "the folder auralink_shared is on the path itself and hides the standard library's logging; put its parent there"
    )

from .background import BackgroundWriter
from .entry import Entry
from .logger import StructuredLogger
from .stdlib import ObsFormatter, ObsHandler, setup
from .structlog_processor import StructlogRenderer
from .trace import (
    ContextThreadPoolExecutor,
    continue_trace,
    new_trace,
    request_id_var,
    span_id_var,
    trace_id_var,
    user_id_var,
)
from .writer import Writer

__all__ = [
    "BackgroundWriter",
    "ContextThreadPoolExecutor",
    "Entry",
    "ObsFormatter",
    "ObsHandler",
    "StructlogRenderer",
    "StructuredLogger",
    "Writer",
    "continue_trace",
    "new_trace",
    "request_id_var",
    "setup",
    "span_id_var",
    "trace_id_var",
    "user_id_var",
]
