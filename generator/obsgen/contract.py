"""What running services read: the log standard and the queues, and the JSON Schema of one log line."""

from __future__ import annotations

from typing import Any

from .model import Declaration, Field, seconds

_TYPES = {"string": "string", "number": "number", "boolean": "boolean", "object": "object"}


def contract(declaration: Declaration) -> dict[str, Any]:
    """`contract.json`: levels, fields, redaction, services and queues; durations in seconds."""
    log, dlq = declaration.logging, declaration.dlq
    found: dict[str, Any] = {
        "version": 1,
        "name": declaration.name,
        "cluster": declaration.cluster,
        "namespace": declaration.namespace,
        "services": sorted(declaration.services),
        "logging": {
            "levels": list(log.levels),
            "required": [name for name, field in log.fields.items() if field.required],
            "fields": {name: {"path": path(name, field), "type": field.type} for name, field in log.fields.items()},
            "redact": sorted(name for name, on in log.redact.items() if on),
        },
    }
    if dlq:
        found["dlq"] = {
            "max_attempts": dlq.max_attempts,
            "retention_seconds": int(seconds(dlq.retention)),
            "queues": {
                name: {
                    "owner": queue.owner,
                    "max_attempts": queue.max_attempts or dlq.max_attempts,
                    "retention_seconds": int(seconds(queue.retention or dlq.retention)),
                }
                for name, queue in sorted(dlq.queues.items())
            },
        }
    return found


def path(name: str, field: Field) -> list[str]:
    """Where a field stands in a log line: its declared path, else the top-level key of its name."""
    return list(field.path) if field.path else [name]


def log_entry_schema(declaration: Declaration) -> dict[str, Any]:
    """JSON Schema of one log line: required fields there, types right, `context` and unknown keys open."""
    log = declaration.logging
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A log line of {declaration.name}",
        "type": "object",
        "required": [name for name, field in log.fields.items() if field.required and not field.path],
        "properties": {},
    }
    for name, field in log.fields.items():
        _place(schema["properties"], path(name, field), {"type": _TYPES[field.type]})
    properties = schema["properties"]
    if "level" in properties:
        properties["level"] = {"enum": list(log.levels)}
    if "timestamp" in properties:
        # UTC with three fraction digits: the one form that the loggers write
        properties["timestamp"] = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"}
    return schema


def _place(properties: dict[str, Any], where: list[str], schema: dict[str, Any]) -> None:
    for key in where[:-1]:
        properties = properties.setdefault(key, {"type": "object"}).setdefault("properties", {})
    properties[where[-1]] = properties.get(where[-1], {}) | schema
