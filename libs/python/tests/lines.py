"""What the tests of log lines share: the rendered schema, a logger that writes to a file, the vectors of libs/fixtures.

`python libs/python/tests/lines.py` writes the lines of the vectors anew; look at the difference before committing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import jsonschema_rs

from auralink_shared import contract
from auralink_shared.logging import Entry, StructuredLogger, values
from auralink_shared.logging.failure import Failure
from auralink_shared.logging.trace import ZEROS, Identity

LIBS = Path(__file__).parents[2]
VECTORS = LIBS / "fixtures" / "log-lines.json"
RENDERED = LIBS.parent / "rendered" / "prod" / "contract"
SCHEMA = jsonschema_rs.validator_for(json.loads((RENDERED / "log-entry.schema.json").read_text()))
METADATA = {"instance_id": "pod-1", "version": "1.0.0", "environment": "production"}
AT = 1760570460000000000  # 2025-10-15T23:21:00.000Z, the plan's example


def entry(*, fast: bool = True) -> Entry:
    """`fast`: with the extra of that name, as the tests are run; else as if it were not installed."""
    with patch.object(values, "dumps", values.dumps if fast else None):
        return Entry("dashboard-service", contract.load(), METADATA)


def read(line: bytes) -> dict[str, Any]:
    """One line, held to what every line must be: one JSON object without NaN or double keys, valid by the rendered schema."""
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert len(line) <= 15360
    found: dict[str, Any] = json.loads(line, parse_constant=_refuse, object_pairs_hook=_once)
    SCHEMA.validate(found)
    return found


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len({key for key, _ in pairs}) == len(pairs), "a key twice"
    return dict(pairs)


class Logged:
    """A logger that writes into a file, and what it wrote."""

    def __init__(self, folder: Path, level: str = "INFO") -> None:
        self.path = folder / "out"
        self.fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.log = StructuredLogger("ai-core-service", level, output=self.fd, **METADATA)

    def lines(self) -> list[dict[str, Any]]:
        return [read(line) for line in self.path.read_bytes().splitlines(keepends=True)]

    def line(self) -> dict[str, Any]:
        (found,) = self.lines()
        return found


def native(value: Any) -> Any:
    """A vector's value: `{"$float": "NaN"}` is what JSON can't say, `{"$repeat": [TEXT, N]}` a long text."""
    if isinstance(value, dict):
        if set(value) == {"$float"}:
            return float(value["$float"])
        if set(value) == {"$repeat"}:
            return value["$repeat"][0] * value["$repeat"][1]
        return {key: native(item) for key, item in value.items()}
    return [native(item) for item in value] if isinstance(value, list) else value


def rendered(vector: Mapping[str, Any], by: Entry | None = None) -> str:
    given = native(vector["given"])
    who = Identity(**{"trace_id": ZEROS} | given.get("identity", {}))
    failed = {"failure": Failure(**given["failure"])} if "failure" in given else {}
    at = int(given.get("at", AT))
    return (by or entry()).line(given["level"], given["message"], given.get("context"), who, at=at, **failed).decode()


if __name__ == "__main__":
    vectors = json.loads(VECTORS.read_text())
    for vector in vectors["vectors"]:
        vector["line"] = rendered(vector)
    VECTORS.write_text(json.dumps(vectors, indent=2, ensure_ascii=False) + "\n")
