"""What services say of their own requests, gathered so that one query asks many of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from . import promql
from .model import Declaration, Requests

_TYPICAL = (
    "500",
    "503",
    "404",
    "5xx",
    "13",
    "INTERNAL",
    "error",
    "failed",
    "true",
    "200",
    "2xx",
    "0",
    "OK",
    "ok",
    "success",
    "false",
)


def totals(declaration: Declaration) -> list[dict[str, Any]]:
    """Services that count their requests, by the name of the counter: `total` and the `apps`."""
    asked: dict[str, list[str]] = {}
    for name, requests in _declared(declaration):
        asked.setdefault(requests.total, []).append(name)
    return [{"total": total, "apps": apps} for total, apps in sorted(asked.items())]


def errors(declaration: Declaration) -> list[dict[str, Any]]:
    """Services whose failed requests can be told, by metric and matchers: `total`, `errors`, the `apps`, and an `example`."""
    asked: dict[tuple[str, str], list[str]] = {}
    for name, requests in _declared(declaration):
        if requests.errors:
            asked.setdefault((requests.total, requests.errors), []).append(name)
    return [
        {"total": total, "errors": matchers, "apps": apps, "example": example(matchers)}
        for (total, matchers), apps in sorted(asked.items())
    ]


def latencies(declaration: Declaration) -> list[dict[str, Any]]:
    """Services with a histogram of their requests' seconds, by its name: `seconds` and the `apps`."""
    asked: dict[str, list[str]] = {}
    for name, requests in _declared(declaration):
        if requests.seconds:
            asked.setdefault(requests.seconds, []).append(name)
    return [{"seconds": seconds, "apps": apps} for seconds, apps in sorted(asked.items())]


def _declared(declaration: Declaration) -> Iterator[tuple[str, Requests]]:
    for name, service in sorted(declaration.services.items()):
        if service.metrics and service.metrics.requests:
            yield name, service.metrics.requests


def example(matchers: str) -> dict[str, str] | None:
    """Labels of a request that the matchers pick (`failed`) and of one that they don't (`passed`); None where none is known."""
    try:
        conditions = promql.matchers(promql.parse(f"requests{{{matchers}}}"))
        failed = {m.name: _value(m.name, conditions, picked=True) for m in conditions}
        passed = failed | {conditions[0].name: _value(conditions[0].name, conditions, picked=False)}
    except (promql.QueryError, LookupError, re.error):
        return None
    return {"failed": _labels(failed), "passed": _labels(passed)}


def _value(name: str, conditions: tuple[promql.Matcher, ...], *, picked: bool) -> str:
    """The first typical value of the label for which the conditions on it hold, or don't. LookupError where there is none."""
    on = [matcher for matcher in conditions if matcher.name == name]
    literal = [word for matcher in on for word in matcher.value.split("|") if re.fullmatch(r"[\w-]+", word)]
    for value in (*literal, *_TYPICAL):
        if all(_holds(matcher, value) for matcher in on) == picked:
            return value
    raise LookupError(name)


def _holds(matcher: promql.Matcher, value: str) -> bool:
    equal = bool(re.fullmatch(matcher.value, value, re.ASCII)) if "~" in matcher.op else matcher.value == value
    return equal != matcher.op.startswith("!")


def _labels(values: Mapping[str, str]) -> str:
    return ",".join(f'{name}="{value}"' for name, value in values.items())
