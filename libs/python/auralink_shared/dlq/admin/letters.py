"""Letters, one and a page of them: the plan's three requests keep path and answer."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from .asked import Id, Listing, Queue, QueueAsked, Who, Why, stats_of, theirs
from .auth import require
from .edit import EditBody, Edited, Seen
from .problems import Problem, said
from .schemas import LETTER
from .view import WHOLE

router = APIRouter(prefix="/api/v1/admin/dlq", tags=["letters"])

_FORM = {"schema": {"type": "object", "properties": {"queue": {"type": "string"}, "reason": {"type": "string"}}}}
_FORMS = {"application/x-www-form-urlencoded": _FORM, "multipart/form-data": _FORM}
_EDIT = EditBody.model_json_schema()
for _name in ("payload", "payload_base64"):
    del _EDIT["properties"][_name]["default"]  # absent is no null, which is a payload too
_DONE: dict[int | str, dict[str, Any]] = {204: {"description": "Done"}}


@router.get(
    "",
    operation_id="listLetters",
    summary="A page of letters",
    dependencies=[require("viewer")],
    response_class=Response,
    responses={
        200: {
            "description": "The newest first, unless asked otherwise",
            "content": {"application/json": {"schema": {"type": "array", "items": LETTER}}},
            "headers": {
                "Link": {
                    "description": 'The next page, rel="next"; absent after the last',
                    "schema": {"type": "string"},
                },
                "X-Total-Count": {
                    "description": "Letters in the queue, or in its trash",
                    "schema": {"type": "integer"},
                },
            },
            "links": {
                name: {
                    "operationId": name,
                    "parameters": {"id": "$response.body#/0/id", "queue": "$request.query.queue"},
                }
                for name in ("getLetter", "retryLetter", "removeLetter", "restoreLetter", "purgeLetter")
            },
        },
        **said(403, 404, 422, 503),
    },
)
def list_letters(request: Request, who: Who, asked: Annotated[Listing, Query()]) -> Response:
    """A bare array, as the plan has it. Pages go on through `Link`, and skip nothing whatever is added or removed meanwhile."""
    state = request.app.state
    stats = stats_of(request, theirs(who, asked.queue))
    only = state.view.only(asked.filter(), who)
    page = state.letters.list(
        asked.queue, limit=asked.limit, cursor=asked.cursor, order=asked.order, place=asked.place, only=only
    )
    headers = {"X-Total-Count": str(stats.trash if asked.place == "trash" else stats.depth + stats.inbox)}
    if page.cursor:
        url = request.url.include_query_params(cursor=page.cursor)
        headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
    text = "[" + ", ".join(state.view.as_text(letter, who) for letter in page.letters) + "]"
    return Response(text, media_type="application/json", headers=headers)


@router.post(
    "/{id}/retry",
    operation_id="retryLetter",
    summary="Send it back to its queue",
    dependencies=[require("operator")],
    status_code=204,
    response_class=Response,
    responses={**_DONE, **said(400, 403, 404, 409, 413, 415, 422, 503)},
    openapi_extra={"requestBody": {"content": {"application/json": {"schema": _EDIT}, **_FORMS}}},
)
def retry_letter(request: Request, who: Who, queue: Queue, id: Id, edit: Edited, seen: Seen, reason: Why) -> Response:
    """At least once. With a payload that is sent instead, and the letter goes to the trash with its old body."""
    if edit.force and not who.may("admin"):
        raise Problem(403, "forbidden", f"force needs the role admin; {who.name} is {who.role}.")
    try:
        request.app.state.letters.retry(
            queue, id, by=who.name, seen=seen, payload=edit.payload, force=edit.force, note=edit.reason or reason
        )
    except ValueError as error:
        raise Problem(409, "no-payload", "The letter holds no payload: edit it, or remove it.") from error
    return Response(status_code=204)


@router.post(
    "/{id}/restore",
    operation_id="restoreLetter",
    summary="Bring it back from the trash",
    dependencies=[require("operator")],
    status_code=204,
    response_class=Response,
    responses={**_DONE, **said(400, 403, 404, 422, 503)},
    openapi_extra={"requestBody": {"content": _FORMS}},
)
def restore_letter(request: Request, who: Who, queue: Queue, id: Id, reason: Why) -> Response:
    """To its old age."""
    request.app.state.letters.restore(queue, id, by=who.name, note=reason)
    return Response(status_code=204)


@router.post(
    "/{id}/purge",
    operation_id="purgeLetter",
    summary="Take it out of the trash for good",
    dependencies=[require("admin")],
    status_code=204,
    response_class=Response,
    responses={**_DONE, **said(400, 403, 404, 422, 503)},
    openapi_extra={"requestBody": {"content": _FORMS}},
)
def purge_letter(request: Request, who: Who, queue: Queue, id: Id, reason: Why) -> Response:
    """A letter in the queue is removed first: 404."""
    request.app.state.letters.purge(queue, id, by=who.name, note=reason)
    return Response(status_code=204)


@router.get(
    "/{id}",
    operation_id="getLetter",
    summary="One letter, in the queue or in the trash",
    dependencies=[require("viewer")],
    response_class=Response,
    responses={
        200: {
            "description": "The letter",
            "content": {"application/json": {"schema": LETTER}},
            "headers": {"ETag": {"description": "SHA-1 of its body; not for viewers", "schema": {"type": "string"}}},
        },
        **said(403, 404, 422, 503),
    },
)
def get_letter(request: Request, who: Who, queue: QueueAsked, id: Id) -> Response:
    """Its ETag, as If-Match of a retry or a removal, makes sure that this is the one that goes."""
    letter = request.app.state.letters.get(queue, id)
    headers = {"ETag": f'"{letter.sha1}"'} if who.may(WHOLE) else {}
    return Response(request.app.state.view.as_text(letter, who), media_type="application/json", headers=headers)


@router.delete(
    "/{id}",
    operation_id="removeLetter",
    summary="Move it to the trash",
    dependencies=[require("operator")],
    status_code=204,
    response_class=Response,
    responses={**_DONE, **said(400, 403, 404, 409, 422, 503)},
)
def remove_letter(request: Request, who: Who, queue: Queue, id: Id, seen: Seen, reason: Why) -> Response:
    """For 7 days it can be restored."""
    request.app.state.letters.remove(queue, id, by=who.name, seen=seen, note=reason)
    return Response(status_code=204)
