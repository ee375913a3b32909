"""A dead letter as it is written: the plan's eight fields, and optional ones behind them."""

from __future__ import annotations

import base64
import json
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec


def rfc3339(seconds: float) -> str:
    """UTC with three digits of a second, always: it sorts as text."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Record:
    """What a service knows when it gives up. `payload`: the message as its queue had it, byte for byte.

    Times are seconds since 1970. `error` is cut at 4 KiB (characters), the payload never.
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

    def encode(self) -> bytes:
        """The body. A payload that is no JSON stands as `payload_base64`."""
        head: dict[str, Any] = {"id": self.id, "original_queue": self.queue}
        tail: dict[str, Any] = {
            "error": self.error[:4096],
            "attempts": self.attempts,
            "first_attempt": rfc3339(self.first_attempt),
            "last_attempt": rfc3339(self.last_attempt),
            "created_at": rfc3339(self.created_at),
            "reason": self.reason,
        }
        tail |= {name: value for name in ("error_type", "trace_id", "replays") if (value := getattr(self, name))}
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
    try:
        json.loads(payload.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


class _Sent(msgspec.Struct):
    payload: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    payload_base64: str = ""


def payload_of(body: bytes) -> bytes | None:
    """The bytes that a retry gives back to the queue, as they stand in the body; None where it holds none."""
    try:
        sent = msgspec.json.decode(body, type=_Sent)
        if sent.payload is not msgspec.UNSET:
            return bytes(sent.payload)
        return base64.b64decode(sent.payload_base64, validate=True) or None
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


def fields_of(body: bytes) -> dict[str, Any]:
    """What a person wants to see of a body, whoever wrote it; {} where it is no JSON object."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}
