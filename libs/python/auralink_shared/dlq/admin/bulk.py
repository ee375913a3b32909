"""Many letters at once: a job that runs in one replica and is seen and stopped from all."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from pydantic import ConfigDict, Field
from starlette.responses import JSONResponse

from ..errors import NeedsAllowAll, Unknown
from ..jobs import Job
from ..record import rfc3339
from .asked import Filtering, QueueName, Reason, Strict, Who, stats_of, theirs
from .auth import Principal, require
from .problems import Problem, said
from .schemas import JOB
from .view import WHOLE

PATH = "/api/v1/admin/dlq/bulk"
router = APIRouter(prefix=PATH, tags=["bulk"])

JobId = Annotated[str, Path(pattern="^[0-9a-f]{1,64}$", description="Id of a job")]


class Bulk(Strict):
    """What is done to which letters."""

    model_config = ConfigDict(strict=True)

    queue: QueueName
    action: Literal["retry", "remove"]
    filter: Filtering = Filtering()
    rate: float = Field(default=50.0, gt=0, le=500, description="Letters a second")
    dry_run: bool = Field(default=False, description="Only counts")
    allow_all: bool = Field(
        default=False, description="Every letter, where the filter has no condition; needs the role admin"
    )
    force: bool = Field(default=False, description="Quarantined letters too; needs the role admin")
    reason: Reason = ""


@router.post(
    "",
    operation_id="startBulk",
    summary="Retry or remove all letters of a filter",
    dependencies=[require("operator")],
    status_code=202,
    response_class=JSONResponse,
    responses={
        200: {
            "description": "A dry run",
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["matched"],
                        "properties": {"matched": {"type": "integer"}},
                    }
                }
            },
        },
        202: {
            "description": "It runs",
            "content": {"application/json": {"schema": JOB}},
            "headers": {"Location": {"description": "The job", "schema": {"type": "string"}}},
            "links": {
                name: {"operationId": name, "parameters": {"job": "$response.body#/id"}}
                for name in ("getJob", "cancelJob")
            },
        },
        **said(400, 403, 404, 422, 503),
    },
)
def start_bulk(request: Request, who: Who, asked: Bulk) -> JSONResponse:
    """The oldest first, so that messages come back in their order."""
    state, queue, only = request.app.state, theirs(who, asked.queue), asked.filter.filter()
    for name in ("allow_all", "force"):
        if getattr(asked, name) and not who.may("admin"):
            raise Problem(403, "forbidden", f"{name} needs the role admin; {who.name} is {who.role}.")
    stats_of(request, queue)
    if asked.dry_run:
        return JSONResponse({"matched": state.letters.count(queue, only)})
    try:
        job = state.jobs.start(
            queue,
            asked.action,
            only,
            by=who.name,
            rate=asked.rate,
            allow_all=asked.allow_all,
            force=asked.force,
            note=asked.reason,
        )
    except NeedsAllowAll as error:
        raise Problem(422, "needs-allow-all", "The filter has no condition: give one, or allow_all.") from error
    return JSONResponse(
        shown(request, job, who), 202, {"Location": f"{request.scope.get('root_path', '')}{PATH}/{job.id}"}
    )


@router.get(
    "",
    operation_id="listJobs",
    summary="Jobs, the newest first",
    dependencies=[require("viewer")],
    response_class=JSONResponse,
    responses={
        200: {"description": "Jobs", "content": {"application/json": {"schema": {"type": "array", "items": JOB}}}},
        **said(503),
    },
)
def list_jobs(request: Request, who: Who) -> JSONResponse:
    """Those that run and those of the last 7 days, of the queues that are theirs."""
    return JSONResponse([shown(request, job, who) for job in request.app.state.jobs.list() if who.sees(job.queue)])


@router.get(
    "/{job}",
    operation_id="getJob",
    summary="How far a job is",
    dependencies=[require("viewer")],
    response_class=JSONResponse,
    responses={
        200: {"description": "The job", "content": {"application/json": {"schema": JOB}}},
        **said(404, 422, 503),
    },
)
def get_job(request: Request, who: Who, job: JobId) -> JSONResponse:
    """Whichever replica runs it. `lost`: it has not been heard of for 30 s, and does nothing more."""
    return JSONResponse(shown(request, _job(request, who, job), who))


@router.delete(
    "/{job}",
    operation_id="cancelJob",
    summary="Stop a job",
    dependencies=[require("operator")],
    status_code=202,
    response_class=JSONResponse,
    responses={
        202: {
            "description": "It stops after the letter that it is at",
            "content": {"application/json": {"schema": JOB}},
        },
        **said(404, 422, 503),
    },
)
def cancel_job(request: Request, who: Who, job: JobId) -> JSONResponse:
    """Whichever replica runs it. What it has done stays done; a job that has ended stays as it is."""
    _job(request, who, job)
    return JSONResponse(shown(request, request.app.state.jobs.cancel(job), who), 202)


def _job(request: Request, who: Principal, id: str) -> Job:
    try:
        job: Job | None = request.app.state.jobs.get(id)
    except Unknown:
        job = None
    if job is None or not who.sees(job.queue):
        raise Problem(404, "unknown-job", "No such job; they are kept for 7 days.")
    return job


def shown(request: Request, job: Job, who: Principal) -> dict[str, Any]:
    """As JSON; a viewer sees no secret in its filter either."""
    found = dataclasses.asdict(job) | {"started": rfc3339(job.started), "ended": job.ended and rfc3339(job.ended)}
    found["error"] = job.error.partition(":")[0]  # the class; the log has the words, which may name hosts
    found = {name: value for name, value in found.items() if value not in (None, "")}
    return found if who.may(WHOLE) else request.app.state.view.clean(found)
