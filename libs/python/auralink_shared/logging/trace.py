"""Which trace a line belongs to: OpenTelemetry's span, what the caller sent, the unit of work, or none (32 zeros)."""

from __future__ import annotations

import contextvars
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple, ParamSpec, TypeVar

try:
    from opentelemetry.trace import INVALID_SPAN, get_current_span
except ImportError:  # the extra [otel] is not installed
    get_current_span = None  # type: ignore[assignment]

P = ParamSpec("P")
T = TypeVar("T")

ZEROS = "0" * 32  # W3C's invalid trace id: nobody takes it for a trace, and it is one filter away
_HEX = re.compile(r"[0-9a-f]{32}")
_PARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?")

trace_id_var: ContextVar[str] = ContextVar("trace_id", default="")
span_id_var: ContextVar[str] = ContextVar("span_id", default="")
user_id_var: ContextVar[str] = ContextVar("user_id", default="")
request_id_var: ContextVar[str] = ContextVar("request_id", default="")


class Identity(NamedTuple):
    """Whose line it is. `trace_id` is 32 lowercase hex digits; the others are "" where there is none."""

    trace_id: str = ZEROS
    span_id: str = ""
    user_id: str = ""
    request_id: str = ""


NOBODY = Identity()


def current() -> Identity:
    """The identity of the running code."""
    trace_id, span_id = "", ""
    if get_current_span is not None and (span := get_current_span()) is not INVALID_SPAN:
        context = span.get_span_context()
        if context.is_valid:
            trace_id, span_id = f"{context.trace_id:032x}", f"{context.span_id:016x}"
    if not trace_id:
        trace_id, span_id = trace_id_var.get(), span_id_var.get()
    user_id, request_id = user_id_var.get(), request_id_var.get()
    if not (trace_id or span_id or user_id or request_id):
        return NOBODY
    return Identity(normal(trace_id), span_id, user_id, request_id)


def normal(trace_id: object) -> str:
    """A trace id as 32 lowercase hex digits: a UUID loses its hyphens, what is no trace id becomes zeros."""
    if not trace_id or not isinstance(trace_id, str):
        return ZEROS
    if _HEX.fullmatch(trace_id):
        return trace_id
    plain = trace_id.replace("-", "").lower()
    return plain if _HEX.fullmatch(plain) else ZEROS


@contextmanager
def new_trace() -> Iterator[str]:
    """A unit of work without a caller (task, cron job, message): all lines within carry one fresh trace id, which is given."""
    with _set(os.urandom(16).hex(), "") as trace_id:
        yield trace_id


@contextmanager
def continue_trace(traceparent: str | None) -> Iterator[str]:
    """The trace of a W3C `traceparent` header; a fresh one where it is missing or malformed. Gives the trace id."""
    found = _PARENT.fullmatch(traceparent.strip().lower()) if traceparent else None
    if found is None or found[1] == ZEROS or not int(found[2], 16):
        with new_trace() as trace_id:
            yield trace_id
    else:
        with _set(found[1], found[2]) as trace_id:
            yield trace_id


@contextmanager
def _set(trace_id: str, span_id: str) -> Iterator[str]:
    trace, span = trace_id_var.set(trace_id), span_id_var.set(span_id)
    try:
        yield trace_id
    finally:
        trace_id_var.reset(trace)
        span_id_var.reset(span)


class ContextThreadPoolExecutor(ThreadPoolExecutor):
    """A ThreadPoolExecutor whose work keeps the submitter's trace, user and request; the standard one drops them."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run `fn` in a copy of the current context."""
        return super().submit(_within(contextvars.copy_context(), fn), *args, **kwargs)


def _within(context: contextvars.Context, fn: Callable[P, T]) -> Callable[P, T]:
    def run(*args: Any, **kwargs: Any) -> T:
        return context.run(fn, *args, **kwargs)

    return run
