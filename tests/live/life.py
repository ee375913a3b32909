"""What happens in the services while the live tests look, so that there is something to find."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from .stage import Stage

TRACE, USER = "4bf92f3577b34da6a3ce929d0e0e4736", "user_123"


def happen(stage: Stage) -> None:
    """A minute in the life of a cluster's services."""
    minute(stage.order)


def minute(order: Callable[..., Any]) -> None:
    """A minute in the life of the services, each of which does what `order` has it do, as `Stage.order`."""
    board, brain = "dashboard-service", "ai-core-service"
    order(board, "request", code="200", count=3000, seconds=0.2)
    order(board, "request", code="500", count=30, seconds=1.5)
    words = {"trace_id": TRACE, "user_id": USER}
    order(board, "log", level="INFO", message="Room created", context={"duration_ms": 45}, count=3, **words)
    order(board, "log", level="WARN", message="Slow room", context={"duration_ms": 2300}, **words)
    letter = {"dlq_message_id": "01JB6V"}
    order(board, "log", level="ERROR", message="Operation moved to DLQ: dlq is told", context=letter, error="refused")
    breaker = {"state": "open", "duration_ms": 3000}
    for app in (board, brain):
        order(app, "log", level="FATAL", message="Circuit Breaker to the LLM", context=breaker, error="no answer")
        order(app, "log", level="INFO", message="a line of somebody who knows no standard", through="print")
    order(brain, "give_up", queue="agents:create", count=2)


def silence(stage: Stage) -> None:
    """Somebody silences an alert of a cluster before it comes."""
    silence_at(stage.pods("alertmanager")[0].address)


def silence_at(alertmanager: str) -> None:
    """Somebody silences an alert before it comes to an Alertmanager's host: it is active, and nobody is told of it."""
    name, now = "SilencedOnPurpose", datetime.now(UTC)
    ends = (now + timedelta(minutes=5)).isoformat()
    matcher = {"name": "alertname", "value": name, "isRegex": False, "isEqual": True}
    words = {"startsAt": now.isoformat(), "endsAt": ends, "createdBy": "nina", "comment": "for the graphs"}
    for path, body in (
        ("silences", {"matchers": [matcher], **words}),
        ("alerts", [{"labels": {"alertname": name, "severity": "info"}, "endsAt": ends}]),
    ):
        request = urllib.request.Request(
            f"http://{alertmanager}:9093/api/v2/{path}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=10).close()
