"""Pages that change nothing: queues, letters, errors, one letter, the audit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from ....logging.redaction import MARK
from ... import DeadLetters, Stats, doctor
from ...errors import REDIS
from ...letter import Letter
from ..asked import Who, stats_of, theirs
from ..auth import Principal, require
from ..view import WHOLE
from . import payloads
from .asked import Asked
from .render import page, paths
from .route import Id, PageRoute, Queue

LIMIT = 50
LOOKED = 500  # newest entries of a queue's audit in which a letter's history is looked for
ENDING = 0.1  # of the retention: a letter that has no more left is about to be let go, which a list says

router = APIRouter(prefix="/ui", route_class=PageRoute, dependencies=[require("viewer")], include_in_schema=False)


@router.get("/")
def queues(request: Request, who: Who) -> Response:
    """Every declared queue with its numbers, and what doctor has against this Redis."""
    letters = request.app.state.letters
    names = [name for name in sorted(letters.settings.queues) if who.sees(name)]
    found = [(name, _stats(letters, name), letters.settings.of(name)) for name in names]
    if names and not any(stats for _, stats, _ in found):
        letters.client.ping()  # nobody answers, and this says so
    findings = [one for one in doctor.examine(letters.client) if one.promise and not one.ok]
    return page(request, "queues.html", queues=found, findings=findings, section="Queues")


@router.get("/queues/{queue}")
def letters(request: Request, who: Who, queue: Queue) -> Response:
    """A page of letters."""
    state, asked = request.app.state, Asked.read(request.query_params)
    _, of = paths(request)
    stats_of(request, queue)
    found = state.letters.list(
        queue,
        limit=LIMIT,
        cursor=asked.cursor,
        order=asked.order,
        place=asked.place,
        only=state.view.only(asked.only, who),
    )
    return page(
        request,
        "letters.html",
        queue=queue,
        asked=asked,
        stats=state.letters.stats(queue),  # once more: the list has taken the inbox in
        letters=[row(request, letter, who) for letter in found.letters],
        chips=asked.chips(lambda **query: of(queue, **query)),
        back=json.dumps(asked.query) if asked.query else "",
        first=of(queue, **asked.query) if asked.cursor else "",
        next=of(queue, **asked.query, cursor=found.cursor) if found.cursor else "",
        limit=LIMIT,
        section="Queues",
    )


@router.get("/queues/{queue}/groups")
def groups(request: Request, who: Who, queue: Queue) -> Response:
    """Letters of one error, counted."""
    stats, state = stats_of(request, queue), request.app.state
    found = [
        {**vars(one), **seen(request, {"error": one.error, "error_type": one.error_type}, who)}
        for one in state.letters.groups(queue)
    ]
    total = sum(one["count"] for one in found)
    return page(request, "groups.html", queue=queue, stats=stats, groups=found, total=total, section="Queues")


@router.get("/queues/{queue}/letter")
def letter(request: Request, who: Who, queue: Queue, id: Id) -> Response:
    """One letter: what it holds, what is known of it, what was done to it."""
    state = request.app.state
    found: Letter = state.letters.get(queue, id)
    payload = payload_of(request, found, who)
    view = payloads.view(payload or b"")
    shown, more = payloads.cut(view.text, view.kind)
    entries = state.letters.audit(queue, limit=LOOKED)
    return page(
        request,
        "letter.html",
        queue=queue,
        letter=row(request, found, who),
        has_payload=payload is not None,
        size=len(payload or b""),
        kind=view.kind,
        redacted=not who.may(WHOLE),
        shown=shown,
        more=more,
        body=found.body[: payloads.SHOWN].decode(errors="replace") if who.may(WHOLE) else MARK,
        facts=facts(request, found, who),
        then=json.dumps(snapshot(found)),
        history=[one for one in entries if one.letter == id],
        history_whole=len(entries) < LOOKED,
        looked=LOOKED,
        section="Queues",
    )


@router.get("/queues/{queue}/payload")
def payload(request: Request, who: Who, queue: Queue, id: Id) -> Response:
    """A payload as a file: its bytes, or for a viewer what may be seen of them."""
    found: Letter = request.app.state.letters.get(queue, id)
    octets = payload_of(request, found, who) or b""
    name = "json" if payloads.view(octets).kind == "json" else "bin"
    headers = {
        "content-disposition": f'attachment; filename="{found.sha1[:12] if who.may(WHOLE) else "payload"}.{name}"'
    }
    return Response(octets, media_type="application/octet-stream", headers=headers)


@router.get("/audit")
def audit(
    request: Request,
    who: Who,
    queue: str = "",
    before: Annotated[str | None, Query(pattern="^[0-9]{1,20}-[0-9]{1,20}$")] = None,
) -> Response:
    """Who did what, of one queue or of all that are theirs."""
    letters = request.app.state.letters
    at, _ = paths(request)
    if queue:
        theirs(who, queue)
    found = letters.audit(queue or None, limit=LIMIT, before=before)
    return page(
        request,
        "audit.html",
        queue=queue,
        queues=[name for name in sorted(letters.settings.queues) if who.sees(name)],
        entries=[one for one in found if who.sees(one.queue) or (not one.queue and not who.queues)],
        first=at("audit", queue=queue) if before else "",
        next=at("audit", queue=queue, before=found[-1].id) if len(found) == LIMIT else "",
        section="Audit",
    )


def _stats(letters: DeadLetters, queue: str) -> Stats | None:
    """None where Redis does not say: of a Cluster one part may be away, and the other queues are shown all the same."""
    try:
        return letters.stats(queue)
    except REDIS:
        return None


def row(request: Request, letter: Letter, who: Principal) -> Mapping[str, Any]:
    """What templates ask of a letter, as this principal may see it."""
    letters = request.app.state.letters
    said = seen(
        request, {"error": letter.error, "error_type": letter.error_type, "reason": letter.fields.get("reason")}, who
    )
    left = letter.age / 1e6 + letters.settings.of(letter.queue).retention_seconds
    retention = letters.settings.of(letter.queue).retention_seconds
    return {
        "id": letter.id,
        "place": letter.place,
        **said,
        "attempts": letter.fields.get("attempts"),
        "at": letter.age / 1e6,
        "goes": left if left - letters.clock() < ENDING * retention else None,
        "quarantined": letter.quarantined,
        "pending": letter.pending,
        "edited": letter.edited is not None or bool(letter.state.get("edited")),
        "replays": letter.state.get("replays"),
        "sendable": letter.payload is not None or letter.edited is not None,
        "sha1": letter.sha1,
    }


def seen(request: Request, value: dict[str, Any], who: Principal) -> dict[str, Any]:
    """Of a letter's fields what this principal may see."""
    found: dict[str, Any] = value if who.may(WHOLE) else request.app.state.view.clean(value)
    return found


def payload_of(request: Request, letter: Letter, who: Principal) -> bytes | None:
    """The payload's bytes; for a viewer what the view leaves of them; None of a body without."""
    if letter.payload is None or who.may(WHOLE):
        return letter.payload
    redacted = request.app.state.view.letter(letter, who)
    if "payload" in redacted:
        return json.dumps(redacted["payload"], ensure_ascii=False).encode()
    return str(redacted["payload_base64"]).encode()


def snapshot(letter: Letter) -> dict[str, str]:
    """What a conflict is explained by: a message that was sent back and died again has the same id and another story."""
    names = ("error_type", "error", "attempts", "last_attempt", "reason")
    said = {name: str(letter.fields.get(name, ""))[:500] for name in names}
    return said | {
        "replays": str(letter.state.get("replays", 0)),
        "payload": hashlib.sha1(letter.payload or b"", usedforsecurity=False).hexdigest(),
        "place": letter.place,
    }


def facts(request: Request, letter: Letter, who: Principal) -> list[tuple[str, str, str]]:
    """(name, value, link) of everything else that the body and the index say."""
    _, of = paths(request)
    fields, shown = letter.fields, seen(request, letter.fields, who)
    found = [
        ("queue", letter.queue, of(letter.queue)),
        ("error", letter.fingerprint, of(letter.queue, fingerprint=letter.fingerprint)),
    ]
    known = ("reason", "attempts", "first_attempt", "last_attempt", "created_at", "trace_id")
    found += [(name.replace("_", " "), str(shown[name]), "") for name in known if name in fields]
    hidden = {*known, "payload", "payload_base64", "error", "error_type", "id", "replays"}
    if letter.queue == fields.get("original_queue"):
        hidden.add("original_queue")
    found += [(name[:100], _short(value), "") for name, value in shown.items() if name not in hidden]
    found.append(("replays", str(letter.state.get("replays", 0)), ""))
    return found + ([("SHA-1", letter.sha1, "")] if who.may(WHOLE) else [])


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 500 else text[:500] + "…"
