"""Every error as RFC 9457 has it: what is so and what to do, nothing of how it is made."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from ...logging.trace import current
from .. import errors
from ..errors import REDIS

MEDIA = "application/problem+json"
TYPE = "urn:auralink:dlq:"

# What an operation met, as a status and the last word of the problem's type.
_MET: dict[type[errors.DeadLetterError], tuple[int, str, str]] = {
    errors.Unknown: (404, "unknown", "No such letter here: never there, sent, removed, or somebody was faster."),
    errors.Conflict: (409, "conflict", "The letter is not the one that was seen, or a retry of it is under way; read it again."),
    errors.Quarantined: (409, "quarantined", "It was sent back as often as allowed; an admin may force it."),
    errors.Refused: (409, "refused", "The queue's key in Redis holds something else than a list, so the letter stays."),
    errors.TooLarge: (413, "too-large", "The letter is over the limit."),
}  # fmt: skip


class Problem(Exception):  # noqa: N818 - it is an answer
    """An answer that is no success. `kind` ends the `type`, by which programs tell problems apart; `detail` is for a person."""

    def __init__(
        self, status: int, kind: str, detail: str, *, headers: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail = status, kind, detail
        self.headers, self.members = dict(headers or {}), members

    def response(self) -> Response:
        """As JSON, with the trace that the log's lines of this request carry."""
        said = {
            "type": TYPE + self.kind,
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "trace_id": current().trace_id,
            **self.members,
        }
        return Response(json.dumps(said), self.status, self.headers, MEDIA)


def problem_of(error: Exception) -> Problem:
    """Any exception as a problem. What was not expected is logged, and its answer names only the trace."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, errors.DeadLetterError) and type(error) in _MET:
        return Problem(*_MET[type(error)])
    if isinstance(error, REDIS):
        logging.getLogger(__name__).error("Redis did not do it", exc_info=error)
        return Problem(503, "redis", "Redis did not do it; the log has its words.", headers={"Retry-After": "5"})
    if isinstance(error, RequestValidationError):
        return invalid(error.errors())
    if isinstance(error, HTTPException):
        kind = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
        return Problem(error.status_code, kind, str(error.detail), headers=error.headers)
    logging.getLogger(__name__).error("A request failed", exc_info=error)
    return Problem(500, "internal", "This should not happen; the log says more under this trace.")


def invalid(found: Any) -> Problem:
    """What pydantic found, without the values: they may be somebody's data."""
    errors = [{"at": [str(part) for part in one["loc"]], "what": one["msg"]} for one in found]
    return Problem(422, "invalid", "The request can't be read; `errors` says where.", errors=errors)


def install(app: FastAPI) -> None:
    """Has `app` answer with problems where it would answer in its own form."""

    async def answer(request: Request, error: Exception) -> Response:
        return problem_of(error).response()

    for kind in (Problem, errors.DeadLetterError, *REDIS, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, answer)


_SAID = {
    400: "A body that is not what its Content-Type says",
    401: "No known token",
    403: "The role or the queues of the token don't allow it, or the API is read-only",
    404: "Not there",
    405: "Not with this method",
    408: "The body did not come in time",
    409: "Not as things are; `type` says why",
    413: "Too large",
    415: "A body of another type",
    422: "The request can't be read; `errors` says where",
    429: "Too many requests; Retry-After says when to come back",
    500: "A fault of ours; the log says more under `trace_id`",
    503: "Redis did not do it",
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457",
    "required": ["type", "title", "status", "detail", "trace_id"],
    "properties": {
        "type": {"type": "string", "description": f"{TYPE}KIND, by which programs tell problems apart"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "trace_id": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["at", "what"],
                "properties": {"at": {"type": "array", "items": {"type": "string"}}, "what": {"type": "string"}},
            },
        },
    },
}


def said(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Problems that a route may answer with, for its documentation."""
    content = {MEDIA: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _SAID[status], "content": content} for status in statuses}
