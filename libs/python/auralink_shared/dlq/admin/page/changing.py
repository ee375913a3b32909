"""What an operator does to one letter: retry, edit and retry, remove, restore, purge."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote_plus

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from ...errors import Conflict, Unknown
from ...letter import Letter
from ..asked import Who
from ..auth import Principal, require
from ..problems import Problem
from . import payloads
from .asked import Asked
from .reading import row, snapshot
from .render import page, paths, redirect
from .route import Form, Id, PageRoute, Queue, id_of

EDITABLE = (
    640 * 1024
)  # bytes as a form sends them, under the guard's 1 MiB; a payload that is longer laid out is edited as it came

router = APIRouter(prefix="/ui/queues/{queue}", route_class=PageRoute, include_in_schema=False)
OPERATOR = [require("operator")]


@router.post("/retry", dependencies=OPERATOR)
def retry(request: Request, who: Who, queue: Queue, form: Form) -> Response:
    """Sends a letter back, with another payload where the form has one. A conflict says what has changed."""
    id, seen, force = id_of(form.get("id", "")), form.get("seen") or None, form.get("force") == "1"
    if force and not who.may("admin"):
        raise Problem(403, "forbidden", f"Forcing a letter needs the role admin; {who.name} is {who.role}.")
    letters, payload = request.app.state.letters, None
    if "payload" in form:
        found: Letter = letters.get(queue, id)
        try:
            payload = _typed(request, found, form)
        except payloads.NotReadable as error:
            return _editor(request, who, found, form, wrong=str(error), status=422)
    try:
        letters.retry(queue, id, by=who.name, seen=seen, payload=payload, force=force, note=form.get("note", "")[:500])
    except Conflict:
        return _conflict(request, who, queue, id, form)
    except ValueError as error:
        raise Problem(409, "no-payload", "The letter holds no payload: edit it, or remove it.") from error
    return _back(request, queue, form, "retry" if payload is None else "edit", id)


@router.post("/remove", dependencies=OPERATOR)
def remove(request: Request, who: Who, queue: Queue, form: Form) -> Response:
    """Into the trash."""
    id = id_of(form.get("id", ""))
    try:
        request.app.state.letters.remove(queue, id, by=who.name, seen=form.get("seen") or None)
    except Conflict:
        return _conflict(request, who, queue, id, form)
    return _back(request, queue, form, "remove", id)


@router.post("/restore", dependencies=OPERATOR)
def restore(request: Request, who: Who, queue: Queue, form: Form) -> Response:
    """Out of the trash."""
    id = id_of(form.get("id", ""))
    request.app.state.letters.restore(queue, id, by=who.name)
    return _back(request, queue, form, "restore", id)


@router.post("/purge", dependencies=[require("admin")])
def purge(request: Request, who: Who, queue: Queue, form: Form) -> Response:
    """For good."""
    id = id_of(form.get("id", ""))
    request.app.state.letters.purge(queue, id, by=who.name)
    return _back(request, queue, form, "purge", id, place="trash")


@router.get("/edit", dependencies=OPERATOR)
def edit(request: Request, who: Who, queue: Queue, id: Id) -> Response:
    """An editor that begins with the payload as it is."""
    return _editor(request, who, request.app.state.letters.get(queue, id), {})


@router.post("/edit", dependencies=OPERATOR)
def compare(request: Request, who: Who, queue: Queue, form: Form) -> Response:
    """The editor with what was typed, and what that changes."""
    found: Letter = request.app.state.letters.get(queue, id_of(form.get("id", "")))
    try:
        lines = payloads.difference(found.payload or b"", payloads.read(form.get("kind", ""), form.get("payload", "")))
    except payloads.NotReadable as error:
        return _editor(request, who, found, form, wrong=str(error), status=422)
    return _editor(request, who, found, form, difference=lines)


@router.post("/difference", dependencies=OPERATOR)
def difference(request: Request, queue: Queue, form: Form) -> Response:
    """The same for the page's script: {lines: [[sign, text]], verdict}."""
    found: Letter = request.app.state.letters.get(queue, id_of(form.get("id", "")))
    try:
        lines = payloads.difference(found.payload or b"", payloads.read(form.get("kind", ""), form.get("payload", "")))
    except payloads.NotReadable as error:
        return JSONResponse({"lines": [], "verdict": str(error)})
    changed = sum(sign in "+-" for sign, _ in lines)
    return JSONResponse({"lines": lines, "verdict": f"{changed} lines differ" if changed else "Nothing is changed."})


def _typed(request: Request, letter: Letter, form: Form) -> bytes:
    payload = payloads.read(form.get("kind", ""), form["payload"])
    limit = request.app.state.letters.settings.body_limit
    if not payload:
        raise payloads.NotReadable("nothing is no payload")
    if len(payload) > limit:
        raise payloads.NotReadable(f"{len(payload):,} bytes, and {limit:,} at most")
    if letter.payload is not None and not payloads.difference(letter.payload, payload):
        raise payloads.NotReadable("the payload is the same; Retry on the letter's page sends it as it is")
    return payload


def _editor(
    request: Request,
    who: Principal,
    letter: Letter,
    form: dict[str, str],
    *,
    status: int = 200,
    wrong: str = "",
    conflict: str = "",
    difference: list[tuple[str, str]] | None = None,
) -> Response:
    view = payloads.view(letter.edited or letter.payload or letter.body)
    text = view.text
    if view.kind == "json" and len(quote_plus(text)) > EDITABLE:
        text = payloads.compact(text)
    return page(
        request,
        "edit.html",
        status,
        queue=letter.queue,
        letter=row(request, letter, who),
        kind=form.get("kind") or view.kind,
        text=form.get("payload", text).replace("\r\n", "\n"),
        then=json.dumps(snapshot(letter)),
        note=form.get("note", ""),
        wrong=wrong,
        conflict=conflict,
        changed=_changed(letter, form.get("then", "")) if conflict else [],
        difference=difference,
        section="Queues",
    )


def _conflict(request: Request, who: Principal, queue: str, id: str, form: dict[str, str]) -> Response:
    """409, with what is otherwise than the form had it: the editor keeps what was typed."""
    try:
        letter: Letter = request.app.state.letters.get(queue, id)
    except Unknown as error:
        raise Problem(409, "conflict", "The letter was sent, removed or let go since you opened it.") from error
    why = "A retry of it is under way." if letter.pending else "It is not the letter that you opened."
    if letter.place == "trash":
        why = "It is in the trash by now."
    if "payload" in form:
        try:
            lines = payloads.difference(letter.payload or b"", payloads.read(form.get("kind", ""), form["payload"]))
        except payloads.NotReadable:
            lines = []
        return _editor(request, who, letter, form, status=409, conflict=why, difference=lines)
    _, of = paths(request)
    return page(
        request,
        "problem.html",
        409,
        title="The letter has changed",
        detail=f"Nothing was done. {why}",
        changed=_changed(letter, form.get("then", "")),
        onward=[("Look at it as it is now", of(queue, "letter", id=id)), (f"Back to {queue}", of(queue))],
        trace_id="",
        section="Queues",
    )


def _changed(letter: Letter, then: str) -> list[tuple[str, str, str]]:
    """(field, then, now) of what a form had seen otherwise; [] where it does not say."""
    try:
        before: dict[str, Any] = json.loads(then)
        now = snapshot(letter)
        found = [(name, str(before[name]), now[name]) for name in now if str(before[name]) != now[name]]
    except (ValueError, KeyError, TypeError):
        return []
    return [(name, a[:12], b[:12]) if name == "payload" else (name.replace("_", " "), a, b) for name, a, b in found]


def _back(request: Request, queue: str, form: dict[str, str], what: str, id: str, **place: str) -> Response:
    """To the list that the letter was in, as it was filtered."""
    try:
        query = Asked.read(json.loads(form.get("back", "") or "{}")).query
    except (ValueError, AttributeError, Problem):
        query = {}
    _, of = paths(request)
    return redirect(request, of(queue, **(place | query)), what, id=id, queue=queue)
