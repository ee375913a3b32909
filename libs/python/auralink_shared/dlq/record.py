"""A dead letter as it is written: the plan's eight fields, and optional ones behind them."""

from __future__ import annotations

import base64
import json
import re
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any


def rfc3339(seconds: float) -> str:
    """UTC with three digits of a second, always: it sorts as text."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Record:
    """What a service knows when it gives up. `payload`: the message as its queue had it, byte for byte.

    Times are seconds since 1970. `error` is cut at 4 KiB (characters), the payload never. `death` tells two letters apart that
    would be the same bytes otherwise: messages of one payload that were sent back and die in one millisecond.
    """

    queue: str
    payload: bytes
    error: str = ""
    error_type: str = ""
    reason: str = "exhausted"
    attempts: int = 1
    first_attempt: float = field(default_factory=time.time)
    last_attempt: float = field(default_factory=time.time)
    created_at: float = field(default_factory=time.time)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    trace_id: str = ""
    replays: int = 0
    death: str = ""

    def encode(self) -> bytes:
        """The body. A payload that is no JSON, or has spaces around it, which JSON drops, stands as `payload_base64`."""
        head: dict[str, Any] = {"id": self.id, "original_queue": self.queue}
        tail: dict[str, Any] = {
            "error": self.error[:4096],
            "attempts": self.attempts,
            "first_attempt": rfc3339(self.first_attempt),
            "last_attempt": rfc3339(self.last_attempt),
            "created_at": rfc3339(self.created_at),
            "reason": self.reason,
        }
        tail |= {
            name: value for name in ("error_type", "trace_id", "replays", "death") if (value := getattr(self, name))
        }
        name, payload = b'"payload":', self.payload
        if not _is_json(payload):
            name, payload = b'"payload_base64":', json.dumps(base64.b64encode(payload).decode()).encode()
        return b",".join((_open(head)[:-1], name + payload, _open(tail)[1:]))


def _open(fields: dict[str, Any]) -> bytes:
    # escaped: an error's text may hold half a surrogate pair, which UTF-8 can't
    return json.dumps(fields, separators=(",", ":")).encode()


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _is_json(payload: bytes) -> bool:
    if payload != payload.strip(b" \t\n\r"):
        return False
    try:
        json.loads(payload.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


_SPACE = re.compile(r"[ \t\n\r]*")
# numbers stay text: only where a value ends is asked, and an int of 5,000 digits is one too
_END = json.JSONDecoder(parse_int=str, parse_float=str).raw_decode


def _slice(text: str, wanted: str) -> str | None:
    """The text of a field of the outermost object; of a name that stands twice the last, as Python and Go read it."""

    def skip(at: int) -> int:
        return _SPACE.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing too

    found, at = None, skip(0)
    if text[at : at + 1] != "{":
        return None
    while text[at : at + 1] in ("{", ","):
        name, at = _END(text, skip(at + 1))
        at = skip(at)
        if text[at : at + 1] != ":":
            return None
        start = skip(at + 1)
        _, end = _END(text, start)
        if name == wanted:
            found = text[start:end]
        at = skip(end)
    return found


def payload_of(body: bytes) -> bytes | None:
    """The bytes that a retry gives back to the queue, as they stand in the body; None where it holds none."""
    text = body.decode(errors="surrogateescape")
    try:
        payload = _slice(text, "payload")
        if payload is not None:
            return payload.encode(errors="surrogateescape")
        return base64.b64decode(json.loads(_slice(text, "payload_base64") or '""'), validate=True) or None
    except (ValueError, TypeError, RecursionError):
        return None


def fields_of(body: bytes) -> dict[str, Any]:
    """What a person wants to see of a body, whoever wrote it; {} where it is no JSON object. Bytes that are no UTF-8 are U+FFFD."""
    try:
        fields = json.loads(body.decode(errors="replace"))
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}
