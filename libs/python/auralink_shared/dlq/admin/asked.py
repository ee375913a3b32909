"""What requests are made of, in names that several routes share."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import unquote

from fastapi import Depends, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, field_validator
from pydantic.json_schema import SkipJsonSchema
from starlette.datastructures import FormData

from ..letter import Filter
from ..queue import Stats
from .auth import Principal, principal
from .problems import Problem, invalid

QUEUE = "[a-z0-9][a-z0-9:_.-]{0,99}"  # as keys.Keys takes it
QueueName = Annotated[str, Field(pattern=f"^{QUEUE}$", description="Name of a queue", examples=["rooms:create"])]
Who = Annotated[Principal, Depends(principal)]
# The guard leaves paths as they were sent, so that `a%2Fb` is one id.
Id = Annotated[
    str,
    Field(pattern="^[!-~]{1,250}$"),
    BeforeValidator(unquote),
    Path(description="Id of a letter, percent-encoded", examples=["7b0c9a52"]),
]
Absent = SkipJsonSchema[None]  # may be left out, which is no `null`
Cursor = Annotated[str, Field(pattern="^[0-9]{1,16}$")]
LONGEST = 500
Reason = Annotated[str, Field(max_length=LONGEST, description="Why, for the audit", examples=["the database is back"])]


def _rfc3339(value: object) -> object:
    """Not seconds, which pydantic takes too."""
    if not (isinstance(value, datetime) or (isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d[Tt]", value))):
        raise ValueError("RFC 3339 with a zone is needed: 2026-01-31T12:00:00Z")
    return value


def _whole(value: object) -> object:
    """3.0 is an integer in JSON."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Time = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_rfc3339)]


class Strict(BaseModel):
    """A misspelt name is an error: a condition that is not understood would mean more letters, not fewer."""

    model_config = ConfigDict(extra="forbid")


class Conditions(Strict):
    """Which letters: every condition that is given holds."""

    error: str = Field(default="", max_length=500, description="Part of error or error_type, in any letter case")
    text: str = Field(default="", max_length=500, description="Part of the whole letter, in any letter case")
    min_attempts: Annotated[int, Field(ge=0, le=1_000_000), BeforeValidator(_whole)] = 0
    since: Time | Absent = Field(default=None, description="RFC 3339, inclusive", examples=["2026-01-31T12:00:00Z"])
    until: Time | Absent = Field(default=None, description="RFC 3339, inclusive", examples=["2026-01-31T13:00:00Z"])
    fingerprint: str = Field(default="", pattern="^([0-9a-f]{12})?$", description="A group of /groups")
    quarantined: bool | Absent = None

    def filter(self) -> Filter:
        """For the queue."""
        given = {name: getattr(self, name) for name in Conditions.model_fields}
        times = {name: one.timestamp() for name, one in given.items() if isinstance(one, datetime)}
        return Filter(**{**given, **times})


class Filtering(Conditions):
    """Which letters: every condition that is given holds. As JSON, where no number is text."""

    model_config = ConfigDict(strict=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_null(cls, value: object) -> object:
        """A condition that is null would be none, and mean more letters."""
        if value is None:
            raise ValueError("null is no condition; leave it out")
        return value


class Listing(Conditions):
    """A page of letters."""

    queue: QueueName
    limit: int = Field(default=50, ge=1, le=500)
    cursor: Cursor | Absent = Field(default=None, description="From the Link of the page before")
    order: Literal["newest", "oldest"] = "newest"
    place: Literal["queue", "trash"] = "queue"


async def form_of(request: Request) -> FormData:
    """A form's fields; of another body there are none. Raises HTTPException 400 for one that can't be read."""
    await request.body()  # kept by it, for whoever reads next; form() alone would use it up
    return await request.form()


Form = Annotated[FormData, Depends(form_of)]


async def queue_of(
    who: Who,
    form: Form,
    queue: Annotated[QueueName | Absent, Query(description="Name of a queue; a form may carry it instead")] = None,
) -> str:
    """The queue of a letter, from the query or from a form. Raises Problem 422 without one, 403 for one that isn't theirs."""
    if queue is None:
        named = form.get("queue")
        if not isinstance(named, str) or not re.fullmatch(QUEUE, named):
            raise invalid([{"loc": ("query", "queue"), "msg": "a name of a queue is needed"}])
        queue = named
    return theirs(who, queue)


async def reason_of(
    form: Form,
    reason: Annotated[Reason | Absent, Query(description="Why, for the audit; a form may carry it instead")] = None,
) -> str:
    """Raises Problem 422 for one that is too long."""
    if reason is None:
        reason = str(form.get("reason", ""))
        if len(reason) > LONGEST:
            raise invalid([{"loc": ("body", "reason"), "msg": f"at most {LONGEST} characters"}])
    return reason


def queue_asked(who: Who, queue: Annotated[QueueName, Query()]) -> str:
    """The queue of a letter, from the query alone. Raises Problem 403."""
    return theirs(who, queue)


def theirs(who: Principal, queue: str) -> str:
    """The queue, where the principal may see it. Raises Problem 403."""
    if not who.sees(queue):
        raise Problem(403, "forbidden", f"{who.name} is limited to other queues.")
    return queue


Queue = Annotated[str, Depends(queue_of)]
QueueAsked = Annotated[str, Depends(queue_asked)]
Why = Annotated[str, Depends(reason_of)]


def stats_of(request: Request, queue: str) -> Stats:
    """Its numbers. Raises Problem 404 for one that is not declared and has never had a letter: a misspelt name is no empty queue."""
    letters = request.app.state.letters
    stats: Stats = letters.stats(queue)
    if queue not in letters.settings.queues and not (stats.depth or stats.inbox or stats.trash or stats.counters):
        raise Problem(404, "unknown-queue", "No such queue is declared, and none has had a letter.")
    return stats
