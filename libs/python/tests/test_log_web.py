"""Requests: the caller's trace, a request id, one access line."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import lines
import pytest

from auralink_shared.logging.trace import ZEROS, request_id_var
from auralink_shared.logging.web import ASGIMiddleware, WSGIMiddleware

PARENT, TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "4bf92f3577b34da6a3ce929d0e0e4736"


def ask(app: Any, headers: list[tuple[bytes, bytes]]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/rooms", "headers": headers}
    asyncio.run(app(scope, None, send))
    return sent


def test_an_asgi_request_has_the_callers_trace_and_one_access_line(tmp_path: Path) -> None:
    out = lines.Logged(tmp_path)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        out.log.info("inside")
        await send({"type": "http.response.start", "status": 201, "headers": []})

    (answer,) = ask(ASGIMiddleware(app, out.log), [(b"traceparent", PARENT.encode()), (b"x-request-id", b"r-1")])
    inside, access = out.lines()
    for line in (inside, access):
        assert (line["trace_id"], line["request_id"]) == (TRACE, "r-1")
    assert access["context"] | {"duration_ms": 0} == {
        "method": "GET",
        "path": "/rooms",
        "status": 201,
        "duration_ms": 0,
    }
    assert answer["headers"] == [(b"x-request-id", b"r-1")]
    assert request_id_var.get() == ""


@pytest.mark.parametrize("given", [b"a b", b"x" * 129, b"", b'"}\n{', "ä".encode("latin-1")])
def test_a_request_id_that_is_no_word_is_replaced(tmp_path: Path, given: bytes) -> None:
    out = lines.Logged(tmp_path)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})

    ask(ASGIMiddleware(app, out.log), [(b"x-request-id", given)])
    found = out.line()
    assert len(found["request_id"]) == 32 and found["trace_id"] != ZEROS


def test_an_asgi_request_that_fails_is_an_error_and_a_500(tmp_path: Path) -> None:
    out = lines.Logged(tmp_path)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise KeyError("k")

    with pytest.raises(KeyError):
        ask(ASGIMiddleware(app, out.log), [])
    found = out.line()
    assert (found["level"], found["error_type"], found["context"]["status"]) == ("ERROR", "KeyError", 500)


def test_a_wsgi_request_has_the_callers_trace_and_one_access_line(tmp_path: Path) -> None:
    out, started = lines.Logged(tmp_path), []

    def app(environ: Any, start_response: Any) -> Any:
        start_response("404 Not Found", [])
        out.log.info("inside")
        yield b"x"

    environ: dict[str, Any] = {"HTTP_TRACEPARENT": PARENT, "HTTP_X_REQUEST_ID": "r-2", "PATH_INFO": "/a"}
    setup_testing_defaults(environ)
    answer = WSGIMiddleware(app, out.log)(environ, lambda *given: started.append(given))
    assert b"".join(answer) == b"x"
    inside, access = out.lines()
    assert inside["trace_id"] == access["trace_id"] == TRACE and access["request_id"] == "r-2"
    assert access["context"]["status"] == 404
    assert started == [("404 Not Found", [("X-Request-ID", "r-2")])]


def test_a_client_that_leaves_is_a_warning(tmp_path: Path) -> None:
    out = lines.Logged(tmp_path)

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        yield b"x"
        yield b"y"

    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    answer = WSGIMiddleware(app, out.log)(environ, lambda *_: None)
    assert next(answer) == b"x"
    answer.close()
    assert out.line()["level"] == "WARN"
