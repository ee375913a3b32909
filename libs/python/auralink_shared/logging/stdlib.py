"""Records of stdlib `logging`, of any library, as lines of the standard."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from . import levels
from .background import Sink
from .entry import NO_FAILURE, Entry
from .failure import Failure, failure
from .logger import StructuredLogger
from .values import to_text

# What a record has by itself; all else came with `extra`. `color_message` is uvicorn's message once more, with colours.
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


def record_line(entry: Entry, record: logging.LogRecord) -> bytes:
    """The line of a record: `extra` is its context, and an `extra` named `context` is merged into it. Raises nothing."""
    try:
        message = record.getMessage()
    except Exception:  # arguments that don't fit the format
        message = f"{to_text(record.msg)} {to_text(record.args)}"
    context: dict[Any, Any] = {"logger": record.name}
    for key, value in vars(record).items():
        if key == "context" and isinstance(value, Mapping):
            context.update(_dict(value))
        elif key not in _OWN:
            context[key] = value
    fields = NO_FAILURE
    if isinstance(record.exc_info, tuple) and record.exc_info[1] is not None:
        fields = failure(record.exc_info[1])
    elif record.exc_text or record.stack_info:
        fields = Failure(stack_trace=to_text(record.exc_text or record.stack_info))
    return entry.here(levels.name(record.levelno), message, context, fields, int(record.created * 1e9))


def _dict(value: Mapping[Any, Any]) -> Mapping[Any, Any]:
    try:
        return dict(value)
    except Exception:
        return {"context": value}


class ObsFormatter(logging.Formatter):
    """A formatter for any handler: `ObsFormatter(StructuredLogger("ai-core-service").entry)`."""

    def __init__(self, entry: Entry) -> None:
        super().__init__()
        self.entry = entry

    def format(self, record: logging.LogRecord) -> str:
        """The line without its newline, which handlers add."""
        return record_line(self.entry, record)[:-1].decode()


class ObsHandler(logging.Handler):
    """A handler that writes as StructuredLogger does: whole lines, never an exception, never stuck."""

    def __init__(self, entry: Entry, writer: Sink, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self.entry, self.writer = entry, writer

    def createLock(self) -> None:  # noqa: N802 - the base class's name
        """No lock of the handler's own: the writer has one, which survives forks and stalls."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, as its formatter has it where it was given one."""
        if self.formatter is None or isinstance(self.formatter, ObsFormatter):
            line = record_line(self.entry, record)
        else:
            line = self.format(record).encode("utf-8", "replace") + b"\n"
        level = levels.name(record.levelno)
        if not self.writer.write(line, level):
            self.entry.counts.dropped[level] += 1


def setup(service_name: str, level: str = "INFO", **options: Any) -> StructuredLogger:
    """Make every line of this process one of the standard; the logger for the service's own.

    The root logger gets one ObsHandler. Loggers that exist already lose handlers that write to a terminal or a pipe
    (uvicorn's, gunicorn's, celery's) and hand on to the root; files stay. Warnings, uncaught exceptions of the main
    program, of threads and of destructors are logged; asyncio logs its own. `options` are StructuredLogger's.
    """
    logger = StructuredLogger(service_name, level, **options)
    root = logging.getLogger()
    root.handlers[:] = [handler for handler in root.handlers if not to_terminal(handler)]
    root.addHandler(ObsHandler(logger.entry, logger.writer))
    root.setLevel(logger.level)
    others = [other for other in logging.Logger.manager.loggerDict.values() if isinstance(other, logging.Logger)]
    for other in [other for other in others if any(map(to_terminal, other.handlers))]:
        other.handlers = [handler for handler in other.handlers if not to_terminal(handler)]  # two may share a list
        other.propagate = True
    logging.captureWarnings(True)
    _hooks(logger)
    return logger


def to_terminal(handler: logging.Handler) -> bool:
    """Whether a handler writes where our lines go, so that ours takes its place."""
    return isinstance(handler, ObsHandler) or (
        isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler)
    )


def _hooks(logger: StructuredLogger) -> None:
    def uncaught(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, _)
        else:
            logger.fatal("Uncaught exception", error)

    def in_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_type is not SystemExit:
            name = args.thread.name if args.thread else ""
            logger.error("Uncaught exception in a thread", args.exc_value, {"thread": name})

    def unraisable(args: Any) -> None:
        logger.error(to_text(args.err_msg or "Exception ignored"), args.exc_value, {"object": args.object})

    sys.excepthook = uncaught
    threading.excepthook = in_thread
    sys.unraisablehook = unraisable
