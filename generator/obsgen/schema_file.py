"""A schema as a file that somebody edits: what is wrong with it is told with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .problem import Problem, ProblemsError


def read(file: Path) -> Any:
    """A JSON Schema. Raises ProblemsError, exit 2, where the file is no JSON."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        remedy = "look for a comma too many or too few before this"
        problem = Problem(
            f"{file.parent.name}/{file.name}", error.lineno, error.colno, error.msg, remedy, "schema/json"
        )
        raise ProblemsError([problem], could_not_run=True) from error
