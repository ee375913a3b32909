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
    from opentelemetry.context import get_current as get_current
    from opentelemetry.trace import get_current_span
except ImportError:  # the extra [otel] is not installed
    get_current = None  # type: ignore[assignment]

from .values import to_text

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
_known: dict[tuple[object, ...], Identity] = {}  # most lines have the identity of the line before


def current() -> Identity:
    """The identity of the running code. Raises nothing."""
    key: tuple[object, ...] = trace_id_var.get(), span_id_var.get(), user_id_var.get(), request_id_var.get()
    try:
        if get_current is not None and (context := get_current()):  # an empty one holds no span
            span = get_current_span(context).get_span_context()
            if span.is_valid:
                key = span.trace_id, span.span_id, *key[2:]
        return _known[key]
    except Exception:  # new; what can't be hashed; a tracer that fails itself
        return _identity(*key)


def _identity(trace_id: Any, span_id: Any, user_id: Any, request_id: Any) -> Identity:
    key = trace_id, span_id, user_id, request_id
    if type(trace_id) is int and type(span_id) is int:  # OpenTelemetry's
        trace_id, span_id = f"{trace_id:032x}", f"{span_id:016x}"
    found = Identity(normal(trace_id), *map(to_text, (span_id, user_id, request_id))) if any(key) else NOBODY
    if all(type(one) in (str, int) for one in key):
        if len(_known) >= 1024:
            _known.clear()
        _known[key] = found
    return found


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
