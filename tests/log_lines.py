"""What the tests of `obsgen logs check` share: a contract, and lines that conform to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from obsgen.conformance.checker import Checker
from obsgen.conformance.frames import lines, unframed
from obsgen.conformance.standard import read

ROOT = Path(__file__).parents[1]
CONTRACT = ROOT / "rendered" / "prod" / "contract" / "contract.json"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
GOOD: dict[str, Any] = {
    "timestamp": "2026-03-02T10:00:00.000Z",
    "level": "INFO",
    "service": "ai-core-service",
    "trace_id": TRACE,
    "message": "Agent created",
    "context": {},
}


def line(**changes: Any) -> str:
    """A line that conforms, with some of its fields changed, and those that are `...` left out; with its newline."""
    return json.dumps({key: value for key, value in (GOOD | changes).items() if value is not ...}) + "\n"


def found(text: str | bytes, **options: Any) -> dict[str, float]:
    """Rule → in how many lines, of a stream under the contract of prod."""
    checker = Checker(read(CONTRACT), **options)
    stream = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    for one in unframed(lines([stream])):
        checker.check(*one)
    return {rule.removeprefix("logs/"): count for rule, count in checker.tally.counts.items()}
