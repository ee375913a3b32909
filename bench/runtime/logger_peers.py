"""Loggers that write the same lines, each as its own documentation has it fastest, one in a process of its own.

`python -m bench.runtime.logger_peers PEER EVENT LINES` logs to stdout and prints on stderr, as JSON, the CPU seconds of LINES
lines. Every peer has the same fields: level, time, message, service, metadata, trace, span, user and request from context
variables, context.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple

Context = dict[str, Any]
SERVICE = "ai-core-service"
METADATA = {"instance_id": "pod-1", "version": "1.4.0", "environment": "production"}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
IDENTITY = {"trace_id": TRACE, "span_id": SPAN, "user_id": "user_789", "request_id": "r-1"}


class Peer(NamedTuple):
    """How a message with its context is logged at level INFO, and as an error with the exception at hand."""

    info: Callable[[str, Context], object]
    error: Callable[[str, Context, Exception], object]


def flat(number: int) -> Context:
    """What most lines say."""
    return {
        "room_id": f"room_{number % 1000}",
        "participants": number % 12,
        "duration_ms": number % 4000 / 8,
        "state": "open",
        "cached": True,
    }


def nested(number: int) -> Context:
    """Containers within each other."""
    headers = {"user-agent": "client/1.0", "accept": "*/*", "host": "rooms.example"}
    return {
        "request": {"method": "POST", "path": f"/rooms/{number}", "headers": headers},
        "items": [{"id": number, "price": 2.5, "tags": ["a", "b"]}, {"id": number + 1, "price": 0.5, "tags": []}],
        "upstream": "rooms-db-1",
    }


def secrets(number: int) -> Context:
    """As `nested`, with a secret by its key and one by its looks: only ours redacts them."""
    found = nested(number)
    found["request"]["headers"]["authorization"] = "Bearer abcdefghijkl0123456789"
    return found | {"upstream": "postgres://app:hunter2@db:5432/rooms"}


EVENTS: Mapping[str, Callable[[int], Context]] = {"flat": flat, "nested": nested, "secrets": secrets, "error": flat}


def ours() -> Peer:
    """`StructuredLogger`, everything on: there is nothing that could be switched off."""
    from auralink_shared.logging import StructuredLogger

    _identify()
    log = StructuredLogger(SERVICE, **METADATA)
    return Peer(log.info, lambda message, context, error: log.error(message, error, context))


def ours_without_fast() -> Peer:
    """The same with no package but the standard library."""
    sys.modules["orjson"] = None  # type: ignore[assignment]
    return ours()


def ours_stdlib() -> Peer:
    """Records of stdlib `logging`, as a library makes them, after `setup`."""
    from auralink_shared.logging import setup

    _identify()
    setup(SERVICE, **METADATA)
    return _through(logging.getLogger("service"), lambda context: {"context": context})


def ours_structlog() -> Peer:
    """`StructlogRenderer` as structlog's last processor."""
    from auralink_shared.logging import StructlogRenderer, StructuredLogger

    _identify()
    return _structlog([StructlogRenderer(StructuredLogger(SERVICE, **METADATA).entry)], {})


def _identify() -> None:
    from auralink_shared.logging import request_id_var, span_id_var, trace_id_var, user_id_var

    for variable, name in ((trace_id_var, "trace"), (span_id_var, "span"), (user_id_var, "user")):
        variable.set(IDENTITY[f"{name}_id"])
    request_id_var.set(IDENTITY["request_id"])


def structlog_orjson() -> Peer:
    """structlog's own page on performance: BytesLogger, orjson, a filtering logger, cached."""
    import orjson
    import structlog

    structlog.contextvars.bind_contextvars(**IDENTITY)
    processors = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.JSONRenderer(serializer=orjson.dumps),
    ]
    return _structlog(processors, {"service": SERVICE, "metadata": METADATA})


def _structlog(processors: list[Any], bound: Mapping[str, Any]) -> Peer:
    import structlog

    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.BytesLoggerFactory(),
        cache_logger_on_first_use=True,
    )
    log = structlog.get_logger().bind(**bound)
    return Peer(
        lambda message, context: log.info(message, context=context),
        lambda message, context, error: log.error(message, exc_info=error, context=context),
    )


def structlog_through_stdlib() -> Peer:
    """structlog's ProcessorFormatter, which other libraries' records need."""
    import orjson
    import structlog

    structlog.contextvars.bind_contextvars(**IDENTITY)
    shared = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.format_exc_info,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(serializer=lambda event, **_: orjson.dumps(event).decode()),
        ],
    )
    return _through(_stdlib(formatter), lambda context: {**_FIXED, "context": context})


_FIXED = {"service": SERVICE, "metadata": METADATA}
_identity: ContextVar[Mapping[str, str]] = ContextVar("identity", default=IDENTITY)


def _through(log: logging.Logger, extra: Callable[[Context], Context]) -> Peer:
    return Peer(
        lambda message, context: log.info(message, extra=extra(context)),
        lambda message, context, error: log.error(message, exc_info=error, extra=extra(context)),
    )


def _stdlib(formatter: logging.Formatter) -> logging.Logger:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    log = logging.getLogger("service")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    return log


def stdlib_json() -> Peer:
    """The formatter that people write themselves."""

    class Formatter(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            line = {
                "timestamp": self.formatTime(record),
                "level": record.levelname,
                **_identity.get(),
                "message": record.getMessage(),
                **_FIXED,
                "context": record.context,  # type: ignore[attr-defined]
            }
            if record.exc_info:
                line["exc_info"] = self.formatException(record.exc_info)
            return json.dumps(line)

    return _through(_stdlib(Formatter()), lambda context: {"context": context})


def python_json_logger() -> Peer:
    """python-json-logger with its orjson encoder."""
    from pythonjsonlogger.orjson import OrjsonFormatter

    fields = ["asctime", "levelname", "message"]
    log = _stdlib(OrjsonFormatter(fields, static_fields=_FIXED))
    return _through(log, lambda context: {**_identity.get(), "context": context})


def loguru() -> Peer:
    """loguru with `serialize=True`: its own form of a line."""
    from loguru import logger

    logger.remove()
    logger.add(sys.stdout, serialize=True, format="{message}", level="INFO")
    log = logger.bind(**_FIXED)

    def info(message: str, context: Context) -> None:
        log.bind(**_identity.get(), context=context).info(message)

    def error(message: str, context: Context, error: Exception) -> None:
        log.bind(**_identity.get(), context=context).opt(exception=error).error(message)

    return Peer(info, error)


PEERS: Mapping[str, Callable[[], Peer]] = {
    "ours": ours,
    "ours, no [fast]": ours_without_fast,
    "structlog + orjson": structlog_orjson,
    "python-json-logger, orjson": python_json_logger,
    "loguru, serialize": loguru,
    "stdlib + json.dumps": stdlib_json,
    "ours, records of stdlib logging": ours_stdlib,
    "structlog through stdlib logging": structlog_through_stdlib,
    "ours, as structlog's renderer": ours_structlog,
}


def measure(peer: Peer, event: str, lines: int) -> float:
    """CPU seconds of this process for so many lines, with the system's; the contexts are made before."""
    contexts = [EVENTS[event](number) for number in range(1000)]
    failure = _failure()

    def turn() -> float:
        start = time.process_time()
        if event == "error":
            for context in contexts:
                peer.error("Room failed", context, failure)
        else:
            for context in contexts:
                peer.info("Room created", context)
        return time.process_time() - start

    turn()  # warm
    return sum(turn() for _ in range(lines // len(contexts)))


def _failure(depth: int = 3) -> Exception:
    def fall(depth: int) -> None:
        if depth:
            fall(depth - 1)
        raise TimeoutError("LLM call timed out")

    try:
        fall(depth)
    except TimeoutError as error:
        return error
    raise AssertionError


if __name__ == "__main__":
    name, event, lines = sys.argv[1:]
    print(json.dumps(measure(PEERS[name](), event, int(lines))), file=sys.stderr)
