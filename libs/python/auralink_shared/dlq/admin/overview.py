"""Queues, groups of one error, and the audit."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import JSONResponse

from ..audit import Entry
from ..queue import Group
from ..record import rfc3339
from .asked import Absent, Conditions, QueueName, Strict, Who, stats_of, theirs
from .auth import Principal, require
from .problems import said
from .schemas import ENTRY, GROUP, QUEUE

router = APIRouter(prefix="/api/v1/admin/dlq", tags=["overview"])


def _array(of: dict[str, Any], description: str) -> dict[int | str, dict[str, Any]]:
    return {
        200: {"description": description, "content": {"application/json": {"schema": {"type": "array", "items": of}}}}
    }


@router.get(
    "/queues",
    operation_id="listQueues",
    summary="Declared queues",
    dependencies=[require("viewer")],
    response_class=JSONResponse,
    responses={**_array(QUEUE, "By name"), **said(503)},
)
def list_queues(request: Request, who: Who) -> JSONResponse:
    """With depth and age of the oldest letter, of the queues that are theirs."""
    return JSONResponse(queues(request, who))


def queues(request: Request, who: Principal) -> list[dict[str, Any]]:
    """Numbers of each queue."""
    letters = request.app.state.letters
    found = []
    for queue in sorted(letters.settings.queues):
        if not who.sees(queue):
            continue
        stats, settings = letters.stats(queue), letters.settings.of(queue)
        one = {
            "queue": queue,
            "depth": stats.depth + stats.inbox,
            "oldest": stats.oldest and rfc3339(stats.oldest),
            "oldest_age_seconds": stats.oldest and max(0.0, round(letters.clock() - stats.oldest, 3)),
            "inbox": stats.inbox,
            "trash": stats.trash,
            "max_attempts": settings.max_attempts,
            "retention_seconds": settings.retention_seconds,
            "counters": stats.counters,
        }
        found.append({name: value for name, value in one.items() if value is not None})
    return found


class Grouping(Conditions):
    """Which letters are grouped."""

    queue: QueueName


@router.get(
    "/groups",
    operation_id="listGroups",
    summary="Letters of one error, counted",
    dependencies=[require("viewer")],
    response_class=JSONResponse,
    responses={**_array(GROUP, "The largest first"), **said(403, 404, 422, 503)},
)
def list_groups(request: Request, who: Who, asked: Annotated[Grouping, Query()]) -> JSONResponse:
    """Errors that differ only in ids and numbers are one; `fingerprint` filters them in lists and bulk jobs."""
    stats_of(request, theirs(who, asked.queue))
    state = request.app.state
    groups = state.letters.groups(asked.queue, state.view.only(asked.filter(), who))
    return JSONResponse([group(request, one, who) for one in groups])


def group(request: Request, one: Group, who: Principal) -> dict[str, Any]:
    """As JSON."""
    view = request.app.state.view
    return {
        "fingerprint": one.fingerprint,
        "error": view.text(one.error, who),
        "error_type": view.text(one.error_type, who),
        "count": one.count,
        "oldest": rfc3339(one.oldest),
        "newest": rfc3339(one.newest),
    }


EntryId = Annotated[str, Field(pattern="^[1-9][0-9]{0,12}-[0-9]{1,10}$")]


class Auditing(Strict):
    """Which entries."""

    queue: QueueName | Absent = None
    limit: int = Field(default=100, ge=1, le=1000)
    before: EntryId | Absent = Field(default=None, description="From the Link of the page before")


@router.get(
    "/audit",
    operation_id="listAudit",
    summary="Who did what, the newest first",
    dependencies=[require("viewer")],
    response_class=JSONResponse,
    responses={**_array(ENTRY, "Entries; `Link` leads to the older ones"), **said(403, 404, 422, 503)},
)
def list_audit(request: Request, who: Who, asked: Annotated[Auditing, Query()]) -> JSONResponse:
    """Of the queues that are theirs. `result` is `asked` where nobody knows how it ended."""
    state = request.app.state
    if asked.queue:
        stats_of(request, theirs(who, asked.queue))
    entries = state.letters.audit(asked.queue, limit=asked.limit, before=asked.before)
    headers = {}
    if len(entries) == asked.limit:
        url = request.url.include_query_params(before=entries[-1].id)
        headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
    return JSONResponse([entry(request, one, who) for one in entries if _visible(one, who)], headers=headers)


def _visible(one: Entry, who: Principal) -> bool:
    return who.sees(one.queue) if one.queue else not who.queues


def entry(request: Request, one: Entry, who: Principal) -> dict[str, Any]:
    """As JSON."""
    found = {
        "id": one.id,
        "at": rfc3339(one.at),
        "what": one.what,
        "queue": one.queue,
        "letter": one.letter,
        "by": one.by,
        "result": one.result,
        "more": {name: request.app.state.view.text(value, who) for name, value in one.more.items()},
    }
    return {name: value for name, value in found.items() if value not in ("", {})}
