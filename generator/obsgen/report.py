"""Problems for people, editors and machines: text, JSON, GitHub annotations, SARIF."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote

from .problem import Problem


def as_text(problems: Sequence[Problem]) -> str:
    """One line a problem, and a last line that counts them."""
    if not problems:
        return ""
    lines = (f"{problem}\n{problem.excerpt}" if problem.excerpt else str(problem) for problem in problems)
    return "\n".join(lines) + "\n" + count(problems) + "\n"


def count(problems: Sequence[Problem]) -> str:
    """`2 errors, 1 warning`."""
    errors = sum(problem.severity == "error" for problem in problems)
    parts = [(errors, "error"), (len(problems) - errors, "warning")]
    return ", ".join(f"{number} {word}{'s' if number != 1 else ''}" for number, word in parts if number)


def as_json(problems: Sequence[Problem]) -> str:
    """A JSON array of objects, one a problem."""
    keys = ("file", "line", "column", "fact", "remedy", "rule", "severity")
    return json.dumps([{key: getattr(p, key) for key in keys} for p in problems], indent=2, ensure_ascii=False) + "\n"


def as_github(problems: Sequence[Problem]) -> str:
    """Workflow commands. GitHub shows ten errors and ten warnings a step, so errors come first."""
    ordered = sorted(problems, key=lambda p: (p.severity != "error", p))
    return "".join(
        f"::{p.severity} file={_property(p.file)}{_line(p)},title={_property(p.rule)}::"
        f"{_data(f'{p.fact} ({p.remedy})' if p.remedy else p.fact)}\n"
        for p in ordered
    )


def _line(problem: Problem) -> str:
    return f",line={problem.line},col={problem.column}" if problem.line else ""


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def as_sarif(problems: Sequence[Problem]) -> str:
    """SARIF 2.1.0, one run."""
    results = [
        {
            "ruleId": p.rule,
            "level": p.severity,
            "message": {"text": f"{p.fact} ({p.remedy})" if p.remedy else p.fact},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": quote(p.file)},
                        "region": {"startLine": max(p.line, 1), "startColumn": max(p.column, 1)},
                    }
                }
            ],
        }
        for p in problems
    ]
    rules = [{"id": rule} for rule in sorted({p.rule for p in problems})]
    run = {"tool": {"driver": {"name": "obsgen", "rules": rules}}, "results": results}
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False) + "\n"


FORMATS: Mapping[str, Callable[[Sequence[Problem]], str]] = {
    "text": as_text,
    "json": as_json,
    "github": as_github,
    "sarif": as_sarif,
}
