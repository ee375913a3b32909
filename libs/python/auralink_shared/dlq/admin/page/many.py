"""Many letters at once: counted, confirmed, begun; then watched and stopped."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.responses import JSONResponse, Response

from ...bulk import MOST_PER_SECOND
from ...errors import Unknown
from ...jobs import Job
from ..asked import Who, stats_of
from ..auth import Principal, require
from ..problems import Problem
from . import words
from .asked import Asked
from .render import page, paths, redirect
from .route import Form, PageRoute, Queue

TYPED_OVER = 100  # letters; more are confirmed by typing
RATE = "50"

router = APIRouter(prefix="/ui", route_class=PageRoute, include_in_schema=False)
_TONES = {"running": "busy", "done": "good", "cancelled": "warn", "failed": "bad", "lost": "bad"}
JobId = Annotated[str, Path(pattern="^[0-9a-f]{1,64}$")]


@router.get("/queues/{queue}/bulk", dependencies=[require("operator")])
def ask(request: Request, who: Who, queue: Queue, action: str = "") -> Response:
    """A dry run: how many letters are meant. Does nothing."""
    stats_of(request, queue)
    return _ask(request, queue, action, Asked.read(request.query_params), {})


@router.post("/queues/{queue}/bulk", dependencies=[require("operator")])
def begin(request: Request, who: Who, queue: Queue, form: Form) -> Response:
    """Starts the job that was counted, where it was confirmed."""
    asked, force = Asked.read(form), form.get("force") == "1"
    action, matched = form.get("action", ""), form.get("matched", "")
    if not asked.narrow and not who.may("admin"):
        raise Problem(403, "forbidden", f"Everything at once needs the role admin; {who.name} is {who.role}.")
    if force and not who.may("admin"):
        raise Problem(403, "forbidden", f"Forcing letters needs the role admin; {who.name} is {who.role}.")
    counted = Asked.read({"until": form.get("counted", "")}).until
    if counted is None or not re.fullmatch("[0-9]{1,9}", matched):
        return _ask(request, queue, action, asked, form, wrong="it has not been counted yet; this is the count.")
    if int(matched) > TYPED_OVER and form.get("confirm", "").strip().replace(",", "") not in (matched, queue):
        return _ask(request, queue, action, asked, form, wrong=f"type {matched} or {queue} to confirm.")
    only = replace(asked.only, until=counted if asked.until is None else min(counted, asked.until))
    try:
        job = request.app.state.jobs.start(
            queue, action, only, by=who.name, rate=float(form.get("rate") or RATE), force=force,
            note=form.get("note", "")[:500],
        )  # fmt: skip
    except ValueError as error:
        return _ask(request, queue, action, asked, form, wrong=f"{error}.")
    return redirect(request, paths(request)[0]("jobs", job.id))


@router.get("/jobs", dependencies=[require("viewer")])
def jobs(request: Request, who: Who) -> Response:
    """Those that run, and those of the last 7 days."""
    found = [job for job in request.app.state.jobs.list() if who.sees(job.queue)]
    shown = [(job, _TONES[job.state], sum(job.failed.values())) for job in found]
    return page(request, "jobs.html", jobs=shown, section="Jobs")


@router.get("/jobs/{job}", dependencies=[require("viewer")])
def watch(request: Request, who: Who, job: JobId) -> Response:
    """How far it is."""
    found = _job(request, who, job)
    return page(
        request,
        "job.html",
        job=found,
        chips=Asked.of(found.filter).chips(),
        section="Jobs",
        **_progress(request, found),
    )


@router.get("/jobs/{job}/progress", dependencies=[require("viewer")])
def progress(request: Request, who: Who, job: JobId) -> Response:
    """The same for the page's script."""
    found = _job(request, who, job)
    numbers = {name: getattr(found, name) for name in ("state", "matched", "done", "ok")}
    ended = words.utc(found.ended) if found.ended else "not yet"
    return JSONResponse({**numbers, "ended": ended, "reasons": list(found.failed.items()), **_progress(request, found)})


@router.post("/jobs/{job}/cancel", dependencies=[require("operator")])
def cancel(request: Request, who: Who, job: JobId) -> Response:
    """It stops after the letter that it is at; what it has done stays done."""
    _job(request, who, job)
    request.app.state.jobs.cancel(job)
    return redirect(request, paths(request)[0]("jobs", job), "cancel")


def _ask(
    request: Request, queue: str, action: str, asked: Asked, form: Mapping[str, str], *, wrong: str = ""
) -> Response:
    if action not in ("retry", "remove"):
        raise Problem(422, "invalid", "Many letters are retried or removed.")
    letters = request.app.state.letters
    # the index keeps microseconds: a letter of this very one is counted, a later one is not meant
    counted = letters.clock()
    only = replace(asked.only, until=counted if asked.until is None else min(counted, asked.until))
    matched = letters.count(queue, only)
    rate = form.get("rate") or RATE
    try:
        seconds = matched / min(max(float(rate), 0.01), MOST_PER_SECOND)
    except ValueError:
        seconds = matched / float(RATE)
    return page(
        request,
        "bulk.html",
        422 if wrong else 200,
        queue=queue,
        action=action,
        asked=asked,
        chips=asked.chips(),
        everything=not asked.narrow,
        matched=matched,
        counted=counted,
        rate=rate,
        note=form.get("note", ""),
        force=form.get("force") == "1",
        seconds=seconds,
        typed_over=TYPED_OVER,
        trash_seconds=letters.settings.trash_seconds,
        wrong=wrong,
        section="Queues",
    )


def _job(request: Request, who: Principal, id: str) -> Job:
    try:
        job: Job = request.app.state.jobs.get(id)
    except Unknown as error:
        raise Problem(404, "unknown-job", "No such job; they are kept for 7 days.") from error
    if not who.sees(job.queue):
        raise Problem(404, "unknown-job", "No such job; they are kept for 7 days.")
    return job


def _progress(request: Request, job: Job) -> dict[str, Any]:
    """`tone`, `failed` and one sentence, `said`."""
    passed = max(0.0, (job.ended or request.app.state.letters.clock()) - job.started)
    left = (job.matched - job.done) * passed / job.done if job.done else 0.0
    said = {
        "running": f"{job.done:,} of {job.matched:,}"
        + (f", about {words.span(left)} left" if job.done and left >= 1 else ""),
        "done": f"All {job.done:,} were tried, in {words.span(passed)}.",
        "cancelled": f"Stopped after {job.done:,}; the others are where they were.",
        "failed": f"It broke off after {job.done:,}; the others are where they were. Begin again for the rest.",
        "lost": f"The process that did it has gone. {job.done:,} are known to be done; begin again for the rest.",
    }[job.state]
    return {"tone": _TONES[job.state], "failed": sum(job.failed.values()), "said": said}
