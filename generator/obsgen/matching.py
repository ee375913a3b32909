"""Which receivers an alert reaches, by the rules of Alertmanager's route tree."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

_MATCHER = re.compile(r'\s*"?([A-Za-z_][A-Za-z0-9_]*)"?\s*(=~|!~|!=|=)\s*(.*?)\s*', re.DOTALL)


def receivers(route: Mapping[str, Any], labels: Mapping[str, str]) -> list[str]:
    """Names of the receivers, in the tree's order.

    As Alertmanager 0.34 does: the first child that matches takes the alert, unless it says `continue`; where no child
    matches, the route itself does. A label that is missing equals the empty string. A receiver is inherited.
    """
    return _reached(route, labels, "")


def _reached(route: Mapping[str, Any], labels: Mapping[str, str], inherited: str) -> list[str]:
    receiver = route.get("receiver") or inherited
    found: list[str] = []
    for child in route.get("routes") or ():
        if all(matches(matcher, labels) for matcher in child.get("matchers") or ()):
            found += _reached(child, labels, receiver)
            if not child.get("continue"):
                break
    return found or [receiver]


def matches(matcher: str, labels: Mapping[str, str]) -> bool:
    """Does `name="value"`, `!=`, `=~` or `!~` hold? Regular expressions match the whole value. ValueError for anything else."""
    name, operator, wanted, pattern = _parsed(matcher)
    value = labels.get(name, "")
    if pattern is None:
        return (value == wanted) == (operator == "=")
    return bool(pattern.fullmatch(value)) == (operator == "=~")


@functools.lru_cache(maxsize=4096)
def _parsed(matcher: str) -> tuple[str, str, str, re.Pattern[str] | None]:
    found = _MATCHER.fullmatch(matcher)
    if not found:
        raise ValueError(f"not a matcher: {matcher}")
    name, operator, value = found.groups()
    if value.startswith('"') and value.endswith('"') and len(value) > 1:
        value = re.sub(r"\\(.)", lambda escape: "\n" if escape[1] == "n" else escape[1], value[1:-1])
    return name, operator, value, re.compile(value) if "~" in operator else None
