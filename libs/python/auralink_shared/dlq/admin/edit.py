"""The body of a retry, which may bring another payload: its bytes are sent as they stand in the request."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from pydantic import ConfigDict, Field, ValidationError

from ..record import payload_of
from .asked import Absent, Reason, Strict
from .problems import Problem, invalid

_BASE64 = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)$"


class EditBody(Strict):
    """What a retry may say."""

    model_config = ConfigDict(json_schema_extra={"not": {"required": ["payload", "payload_base64"]}})

    payload: Any = Field(
        default=None, description="Any JSON value: sent instead of the letter's, byte for byte as it stands here"
    )
    payload_base64: Annotated[str, Field(pattern=_BASE64)] | Absent = Field(
        default=None, description="The same for bytes that are no JSON"
    )
    force: bool = Field(default=False, description="Send a quarantined letter too; needs the role admin")
    reason: Reason = ""


@dataclass(frozen=True)
class Edit:
    """`payload` None: the letter's own."""

    payload: bytes | None = None
    force: bool = False
    reason: str = ""


async def edit_of(request: Request) -> Edit:
    """From JSON; a form, or no body at all, brings none. Raises Problem 415, 422, 413 for a payload over the queue's limit."""
    body = await request.body()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not body or kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
        return Edit()
    if kind != "application/json" and not kind.endswith("+json"):
        raise Problem(415, "unsupported-media-type", "A body is JSON, or a form.")
    try:
        found = json.loads(body.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise invalid([{"loc": ("body",), "msg": "no JSON that can be read (numbers up to 4,300 digits)"}]) from error
    if not isinstance(found, dict):
        raise invalid([{"loc": ("body",), "msg": "a JSON object is needed"}])
    said = _valid(found)
    given = [name for name in ("payload", "payload_base64") if name in said.model_fields_set]
    if not given:
        return Edit(force=said.force, reason=said.reason)
    payload = payload_of(body)
    if len(given) == 2 or payload is None:
        raise invalid(
            [{"loc": ("body", given[-1]), "msg": "one payload is needed: any JSON, or base64 of one byte or more"}]
        )
    limit = request.app.state.letters.settings.body_limit
    if len(payload) > limit:
        raise Problem(413, "too-large", f"A payload has at most {limit} bytes.")
    return Edit(payload, said.force, said.reason)


def seen_of(
    if_match: Annotated[
        Annotated[str, Field(pattern=r'^(\*|(W/)?"?[0-9a-f]{40}"?)$')] | Absent,
        Header(alias="If-Match", description="ETag of the letter that was seen"),
    ] = None,
) -> str | None:
    """The SHA-1 of the body that was seen; None of `*`, and where nothing is said."""
    found = re.search("[0-9a-f]{40}", if_match or "")
    return found and found[0]


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _valid(found: Any) -> EditBody:
    try:
        return EditBody.model_validate(found, strict=True)
    except ValidationError as error:
        raise invalid([{**one, "loc": ("body", *one["loc"])} for one in error.errors()]) from error


Edited = Annotated[Edit, Depends(edit_of)]
Seen = Annotated[str | None, Depends(seen_of)]
