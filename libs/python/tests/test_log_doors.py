"""Whatever comes through a door, out comes one line that the rendered schema takes: the service's own, stdlib's, structlog's."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import tempfile
from pathlib import Path
from typing import Any

import lines
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from test_log_lines import keys, leaf, text, values

from auralink_shared.logging import (
    ObsFormatter,
    StructlogRenderer,
    StructuredLogger,
    new_trace,
    request_id_var,
    span_id_var,
    trace_id_var,
    user_id_var,
)
from auralink_shared.logging.metrics import Collector


class Hostile:
    """Raises whatever is asked of it."""

    def _raise(self, *_: Any) -> Any:
        raise ZeroDivisionError("hostile")

    __str__ = __repr__ = __iter__ = __len__ = __bool__ = __float__ = __int__ = __getattr__ = _raise  # type: ignore[assignment]


class HostileError(Exception):
    """An exception whose every face raises."""

    def __str__(self) -> str:
        raise ZeroDivisionError("hostile")

    __repr__ = __str__

    @property
    def error_code(self) -> str:
        raise ZeroDivisionError("hostile")


anything = st.one_of(values, st.builds(Hostile), st.builds(HostileError))
context = st.one_of(st.none(), st.dictionaries(keys, anything, max_size=6), anything)
error = st.one_of(
    st.none(), st.builds(ValueError, text), st.builds(HostileError), st.builds(OSError, st.integers(), text), leaf
)


@contextlib.contextmanager
def identified(ids: tuple[Any, ...]) -> Any:
    """Context variables as careless code sets them."""
    variables = (trace_id_var, span_id_var, user_id_var, request_id_var)
    tokens = [variable.set(value) for variable, value in zip(variables, ids, strict=True)]
    try:
        yield
    finally:
        for variable, token in zip(variables, tokens, strict=True):
            variable.reset(token)


@pytest.fixture(scope="module")
def out() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        yield lines.Logged(Path(folder), "TRACE")


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["trace", "debug", "info", "warn", "error", "fatal", "exception"]),
    text | leaf,
    context,
    error,
    st.tuples(*[st.one_of(st.just(""), text, leaf, st.lists(st.integers(), max_size=1))] * 4),
)
def test_the_services_own(out: lines.Logged, method: str, message: Any, context: Any, error: Any, ids: Any) -> None:
    os.ftruncate(out.fd, 0)
    with identified(ids):
        if method in ("error", "fatal"):
            getattr(out.log, method)(message, error, context)
        else:
            getattr(out.log, method)(message, context)
    assert out.line()["level"] == {"exception": "ERROR"}.get(method, method.upper())


@settings(max_examples=200, deadline=None)
@given(
    text | leaf, st.lists(anything, max_size=3), st.dictionaries(keys.filter(lambda k: isinstance(k, str)), anything, max_size=5),
    st.one_of(st.integers(-5, 200), leaf), error,
)  # fmt: skip
def test_records_of_stdlib(message: Any, args: list[Any], extra: dict[str, Any], level: int, error: Any) -> None:
    record = logging.makeLogRecord({"name": "lib", "msg": message, "args": tuple(args), "levelno": level})
    record.__dict__.update({f"x_{key}": value for key, value in extra.items()}, context=extra)
    if isinstance(error, BaseException):
        record.exc_info = (type(error), error, None)
    elif error is not None:
        record.stack_info = str(error)
    found = lines.read((ObsFormatter(lines.entry()).format(record) + "\n").encode())
    assert "logger" in extra or found["context"]["logger"] == "lib"


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["debug", "info", "warning", "error", "critical", "exception", "msg"]),
    st.dictionaries(keys.filter(lambda k: isinstance(k, str)) | st.sampled_from(["exc_info", "level", "timestamp"]), anything, max_size=6),
    anything,
)  # fmt: skip
def test_events_of_structlog(method: str, event: dict[str, Any], message: Any) -> None:
    lines.read(StructlogRenderer(lines.entry())(None, method, event | {"event": message}) + b"\n")


def test_a_line_of_no_trace_is_counted_and_so_is_one_that_could_not_be_rendered() -> None:
    registry = CollectorRegistry()
    registry.register(Collector())
    log = StructuredLogger("counted-service", output=os.open(os.devnull, os.O_WRONLY))
    log.info("x")
    log.info("x", {"a": 1})
    with new_trace():
        log.info("x")
    structlog.wrap_logger(structlog.BytesLogger(io.BytesIO()), processors=[StructlogRenderer(log.entry)]).info("x")
    found = log.entry.line("INFO", "kept", {}, identity=lines.Identity(lines.ZEROS, [1]))  # type: ignore[arg-type]
    assert lines.read(found)["message"] == "kept"
    of = {"service": "counted-service"}
    assert registry.get_sample_value("log_lines_without_trace_total", of) == 4
    assert registry.get_sample_value("log_failures_total", of) == 1
    assert registry.get_sample_value("log_lines_dropped_total", of | {"level": "INFO"}) == 0


def test_a_line_that_could_not_be_written_is_counted() -> None:
    registry = CollectorRegistry()
    registry.register(Collector())
    StructuredLogger("full-service", output=os.open("/dev/full", os.O_WRONLY)).error("x")
    of = {"service": "full-service", "level": "ERROR"}
    assert registry.get_sample_value("log_lines_dropped_total", of) == 1
