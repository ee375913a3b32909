"""Requests as units of work: trace, request id and one access line, for ASGI and WSGI applications."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any

from .logger import StructuredLogger
from .trace import continue_trace, request_id_var

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_REQUEST_ID = re.compile(r"[\w-]{1,128}", re.ASCII)  # others could be anything that a client wants in a log


class _Request:
    def __init__(self, logger: StructuredLogger, method: str, path: str) -> None:
        self._logger, self._context = logger, {"method": method, "path": path}
        self.status, self._start = 0, time.perf_counter()

    def done(self, error: BaseException | None = None) -> None:
        """The access line. A request without an answer is a 500."""
        status = self.status or 500
        duration = round((time.perf_counter() - self._start) * 1000, 3)
        context = {**self._context, "status": status, "duration_ms": duration}
        if isinstance(error, Exception):
            self._logger.error("Request failed", error, context)
        elif error is not None:  # cancelled, or the client has gone
            self._logger.warn("Request broken off", context, error=error)
        else:
            self._logger.info("Request done", context)


@contextmanager
def _unit(traceparent: str | None, request_id: str | None) -> Iterator[str]:
    """The trace and the request id of a request; an id of our own where the client's is none or no word."""
    known = request_id if request_id and _REQUEST_ID.fullmatch(request_id) else os.urandom(16).hex()
    with continue_trace(traceparent):
        before = request_id_var.set(known)
        try:
            yield known
        finally:
            request_id_var.reset(before)


class ASGIMiddleware:
    """`app = ASGIMiddleware(app, logger)`: also answers with `x-request-id`, and silences uvicorn's own access line."""

    def __init__(self, app: Callable[[Message, Receive, Send], Awaitable[None]], logger: StructuredLogger) -> None:
        self.app, self.logger = app, logger
        logging.getLogger("uvicorn.access").disabled = True

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One connection; what is no HTTP request goes through as it is."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        request = _Request(self.logger, scope["method"], scope["path"])
        with _unit(headers.get(b"traceparent"), headers.get(b"x-request-id")) as request_id:

            async def answer(message: Message) -> None:
                if message["type"] == "http.response.start":
                    request.status = message["status"]
                    message = {
                        **message,
                        "headers": [*message.get("headers", ()), (b"x-request-id", request_id.encode())],
                    }
                await send(message)

            try:
                await self.app(scope, receive, answer)
            except BaseException as error:
                request.done(error)
                raise
            request.done()


class WSGIMiddleware:
    """`app = WSGIMiddleware(app, logger)`: the line is written once the server has taken the whole answer."""

    def __init__(self, app: Callable[..., Iterable[bytes]], logger: StructuredLogger) -> None:
        self.app, self.logger = app, logger

    def __call__(self, environ: Mapping[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        """One request; trace and request id hold while the answer is made, a piece at a time."""
        request = _Request(self.logger, environ["REQUEST_METHOD"], environ.get("PATH_INFO", ""))
        with _unit(environ.get("HTTP_TRACEPARENT"), environ.get("HTTP_X_REQUEST_ID")) as request_id:

            def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
                request.status = int(status[:3])
                return start_response(status, [*headers, ("X-Request-ID", request_id)], *more)

            try:
                answer = self.app(environ, start)
                try:
                    yield from answer
                finally:
                    if hasattr(answer, "close"):
                        answer.close()
            except BaseException as error:
                request.done(error)
                raise
            request.done()
