"""The plan's own logger, as it was printed there, and a service that uses it: what `obsgen logs check` must say of its lines."""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import datetime
from typing import Any

trace_id_var: ContextVar[str] = ContextVar("trace_id", default="")
user_id_var: ContextVar[str] = ContextVar("user_id", default="")


class StructuredLogger:
    def __init__(self, service_name: str, level: str = "INFO"):
        self.service_name = service_name
        self.level = getattr(logging, level.upper())

    def _log(
        self, level: str, message: str, context: dict[str, Any] | None = None, error: Exception | None = None
    ) -> None:
        entry: dict[str, Any] = {
            "timestamp": datetime.utcnow().isoformat() + "Z",
            "level": level,
            "service": self.service_name,
            "message": message,
        }
        trace_id = trace_id_var.get()
        if trace_id:
            entry["trace_id"] = trace_id
        user_id = user_id_var.get()
        if user_id:
            entry["user_id"] = user_id
        if context:
            entry["context"] = context
        if error:
            entry["error"] = str(error)
            entry["error_type"] = type(error).__name__
        print(json.dumps(entry), file=sys.stdout, flush=True)

    def info(self, message: str, context: dict[str, Any] | None = None) -> None:
        self._log("INFO", message, context)

    def error(self, message: str, error: Exception | None = None, context: dict[str, Any] | None = None) -> None:
        self._log("ERROR", message, context, error)


def main() -> None:
    """100 lines: one in ten within a trace, one with NaN, one with a password, one of a library that prints."""
    logger = StructuredLogger("ai-core-service")
    for number in range(98):
        trace_id_var.set("4bf92f3577b34da6a3ce929d0e0e4736" if number % 10 == 0 else "")
        context: dict[str, Any] = {"agent_id": number}
        if number == 5:
            context["temperature"] = float("nan")
        if number == 6:
            context["password"] = "hunter2"
        logger.info("Agent created", context)
        if number % 50 == 49:
            print("INFO:     127.0.0.1:51234 - GET /health 200 OK")
    logger.error("LLM call failed")


if __name__ == "__main__":
    main()
