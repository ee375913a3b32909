"""Answers as the OpenAPI shows them."""

from __future__ import annotations

from typing import Any

_TEXT: dict[str, Any] = {"type": "string"}

LETTER: dict[str, Any] = {
    "type": "object",
    "description": "A dead letter; what is absent is left out. Viewers see it redacted.",
    "required": ["id", "queue", "place", "age", "fingerprint"],
    "properties": {
        "id": _TEXT,
        "queue": _TEXT,
        "place": {"type": "string", "enum": ["queue", "trash"]},
        "age": {"type": "string", "format": "date-time", "description": "When it died, of no two letters the same"},
        "error": _TEXT,
        "error_type": _TEXT,
        "reason": _TEXT,
        "attempts": {"type": "integer"},
        "first_attempt": _TEXT,
        "last_attempt": _TEXT,
        "created_at": _TEXT,
        "trace_id": _TEXT,
        "payload": {"description": "As it stands in the body"},
        "payload_base64": {"type": "string", "description": "Of a payload that is no JSON"},
        "edited": {"type": "boolean"},
        "replays": {"type": "integer", "description": "How often operators had sent it back"},
        "quarantined": {"type": "boolean"},
        "pending": {"type": "boolean", "description": "A retry is under way"},
        "sha1": {"type": "string", "pattern": "^[0-9a-f]{40}$", "description": "Of the body; not for viewers"},
        "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{12}$", "description": "Of the error's shape"},
    },
}

_TIME: dict[str, Any] = {"type": "string", "format": "date-time"}
_COUNT: dict[str, Any] = {"type": "integer"}
_COUNTS: dict[str, Any] = {"type": "object", "additionalProperties": _COUNT}

JOB: dict[str, Any] = {
    "type": "object",
    "required": ["id", "queue", "action", "filter", "by", "state", "matched", "done", "ok", "failed", "started"],
    "properties": {
        "id": _TEXT,
        "queue": _TEXT,
        "action": {"type": "string", "enum": ["retry", "remove"]},
        "filter": {"type": "object", "description": "Conditions that were given; times in seconds since 1970"},
        "by": _TEXT,
        "state": {"type": "string", "enum": ["running", "done", "cancelled", "failed", "lost"]},
        "matched": _COUNT,
        "done": {"type": "integer", "description": "Letters that were tried"},
        "ok": _COUNT,
        "failed": {**_COUNTS, "description": "Letters that stay, by why"},
        "started": _TIME,
        "ended": _TIME,
        "error": {"type": "string", "description": "Why the job failed"},
    },
}

QUEUE: dict[str, Any] = {
    "type": "object",
    "required": ["queue", "depth", "inbox", "trash", "max_attempts", "retention_seconds", "counters"],
    "properties": {
        "queue": _TEXT,
        "depth": {"type": "integer", "description": "Letters that wait, the inbox included"},
        "oldest": _TIME,
        "oldest_age_seconds": {"type": "number"},
        "inbox": {"type": "integer", "description": "Pushed by the plan's writers, not yet taken in"},
        "trash": _COUNT,
        "max_attempts": _COUNT,
        "retention_seconds": _COUNT,
        "counters": {**_COUNTS, "description": "arrived:REASON, replayed:OUTCOME, removed:REASON; absent is 0"},
    },
}

GROUP: dict[str, Any] = {
    "type": "object",
    "required": ["fingerprint", "error", "error_type", "count", "oldest", "newest"],
    "properties": {
        "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{12}$"},
        "error": {"type": "string", "description": "Of the newest letter"},
        "error_type": _TEXT,
        "count": _COUNT,
        "oldest": _TIME,
        "newest": _TIME,
    },
}

ENTRY: dict[str, Any] = {
    "type": "object",
    "required": ["id", "at", "what", "by", "result"],
    "properties": {
        "id": _TEXT,
        "at": _TIME,
        "what": {"type": "string", "description": "retry, edit, remove, restore, purge, bulk, cleanup, trim"},
        "queue": _TEXT,
        "letter": _TEXT,
        "by": _TEXT,
        "result": {"type": "string", "description": "`asked`: it was begun, and nobody knows how it ended"},
        "more": {"type": "object", "additionalProperties": _TEXT, "description": "note, trace_id, sha1, bulk, …"},
    },
}

READY: dict[str, Any] = {
    "type": "object",
    "required": ["ready", "findings"],
    "properties": {
        "ready": {"type": "boolean", "description": "Redis answers"},
        "durable": {"type": "boolean", "description": "Its settings keep what docs/dead-letters.md promises"},
        "findings": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "value", "ok", "meaning", "remedy", "promise"],
                "properties": {
                    "name": _TEXT,
                    "value": _TEXT,
                    "ok": {"type": "boolean"},
                    "meaning": _TEXT,
                    "remedy": _TEXT,
                    "promise": {"type": "boolean", "description": "Whether durability hangs on it"},
                },
            },
        },
    },
}
