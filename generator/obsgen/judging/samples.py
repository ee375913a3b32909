"""Log lines of the declared standard, and lines that break it: what an agent is given, and what it must make of each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .. import agent
from ..contract import path
from ..model import Declaration


@dataclass(frozen=True, slots=True)
class Sample:
    """A line as the container runtime writes it, the entry it must become, and the labels that entry must carry."""

    what: str
    line: str
    entry: str
    labels: Mapping[str, str]


def sample_lines(declaration: Declaration) -> Iterator[Sample]:
    """A line at each declared level and one in lower case; one cut in two; then a foreign level, none, and no JSON at all."""
    levels = declaration.logging.levels
    for level in levels:
        yield _sample(declaration, f"a line at {level}", level, level)
    yield _sample(declaration, "a level in lower case", levels[0].lower(), levels[0])
    yield _sample(declaration, "a line in two parts", levels[0], levels[0], cut=40)
    yield _sample(declaration, "a level that is not declared", "user 77", "UNKNOWN")
    yield _sample(declaration, "a line without a level", None, "UNKNOWN")
    no_json = "panic: runtime error"
    unknown = {"level": "UNKNOWN"} if "level" in agent.stored(declaration, "label") else {}
    yield Sample("a line that is no JSON", _framed(declaration, no_json), no_json, unknown)


def _sample(declaration: Declaration, what: str, level: str | None, expected: str, cut: int = 0) -> Sample:
    entry = _entry(declaration, level)
    fields = declaration.logging.fields
    values = {name: f"the-{name}" for name in agent.stored(declaration, "label") if fields[name].type == "string"}
    labels = {**values, **({"level": expected} if "level" in values else {})}
    return Sample(what, _framed(declaration, entry, cut), entry, labels)


def _entry(declaration: Declaration, level: str | None) -> str:
    line: dict[str, Any] = {}
    for name, field in declaration.logging.fields.items():
        value = {"level": level, "timestamp": "2025-10-01T02:03:04.000Z"}.get(name, _value(name, field.type))
        if value is not None:
            _place(line, path(name, field), value)
    return json.dumps(line)


def _value(name: str, of: str) -> Any:
    values: dict[str, Any] = {"number": 12.5, "boolean": True, "object": {}}
    return values.get(of, f"the-{name}")


def _place(line: dict[str, Any], where: list[str], value: Any) -> None:
    for key in where[:-1]:
        line = line.setdefault(key, {})
    line.setdefault(where[-1], value)


def _framed(declaration: Declaration, entry: str, cut: int = 0) -> str:
    """The runtime's lines of an entry; the agent of `output: compose` reads Docker's API, where lines arrive bare."""
    if declaration.output == "compose":
        return f"{entry}\n"
    parts = [("P", entry[:cut])] if cut else []
    return "".join(
        f"2025-10-01T02:03:04.000000005Z stdout {flag} {part}\n" for flag, part in [*parts, ("F", entry[cut:])]
    )
