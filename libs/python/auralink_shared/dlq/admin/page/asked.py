"""Which letters a page shows: its query string, both ways."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ...letter import Filter
from ..problems import Problem
from . import words

_NAMES = {
    "error": "error contains",
    "text": "text contains",
    "min_attempts": "attempts ≥",
    "since": "since",
    "until": "until",
    "fingerprint": "one error",
    "quarantined": "quarantined",
}


@dataclass(frozen=True)
class Asked:
    """The conditions of `Filter` that a form offers, and how they are laid out. Times are seconds since 1970."""

    error: str = ""
    text: str = ""
    min_attempts: int = 0
    since: float | None = None
    until: float | None = None
    fingerprint: str = ""
    quarantined: bool | None = None
    order: str = "newest"
    place: str = "queue"
    cursor: str | None = None

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Asked:
        """From a query or a form; fields that are empty are absent, names of others are left to others. Raises Problem 422."""
        asked = cls()
        for name, reader in _READ.items():
            value = str(given.get(name) or "").strip()
            if not value:
                continue
            try:
                asked = replace(asked, **{name: reader(value)})
            except (ValueError, OverflowError) as error:
                raise Problem(
                    422,
                    "invalid",
                    f"The filter can't be read: {_NAMES.get(name, name)} {value[:100]!r} is not {_WANTED[name]}.",
                ) from error
        return asked

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Asked:
        """Of a filter as a job keeps it."""
        return cls(**{name: given[name] for name in _NAMES if name in given})

    @property
    def only(self) -> Filter:
        """For the queue."""
        return Filter(**{name: getattr(self, name) for name in _NAMES})

    @property
    def narrow(self) -> bool:
        """Whether any condition is given."""
        return bool(self.conditions)

    @property
    def conditions(self) -> dict[str, str]:
        """As a query has them."""
        return self._given(_NAMES)

    @property
    def layout(self) -> dict[str, str]:
        """Order and place; with `conditions` all but the page."""
        return self._given(("order", "place"))

    def _given(self, names: Iterable[str]) -> dict[str, str]:
        """What is not as usual, of those."""
        return {name: _written(value) for name in names if (value := getattr(self, name)) != getattr(Asked, name)}

    @property
    def query(self) -> dict[str, str]:
        """All of it but the page."""
        return self.conditions | self.layout

    def chips(self, href: Callable[..., str] | None = None) -> list[tuple[str, str, str]]:
        """(name, value, link to the same without it) of each condition; without `href` no links."""
        found = []
        for name in self.conditions:
            value = getattr(self, name)
            shown = words.utc(value) if name in ("since", "until") else _written(value)
            found.append(
                (_NAMES[name], shown, href(**replace(self, **{name: getattr(Asked, name)}).query) if href else "")
            )
        return found


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return words.rfc3339(value) if isinstance(value, float) else str(value)


def _seconds(text: str) -> float:
    when = datetime.fromisoformat(text)
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def _one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError
        return text

    return read


def _shape(pattern: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError
        return text

    return read


def _count(text: str) -> int:
    return int(_shape("[0-9]{1,7}")(text))


_READ: dict[str, Callable[[str], Any]] = {
    "error": _shape("(?s).{1,500}"),
    "text": _shape("(?s).{1,500}"),
    "min_attempts": _count,
    "since": _seconds,
    "until": _seconds,
    "fingerprint": _shape("[0-9a-f]{12}"),
    "quarantined": lambda text: _one_of("true", "false")(text) == "true",
    "order": _one_of("newest", "oldest"),
    "place": _one_of("queue", "trash"),
    "cursor": _shape("[0-9]{1,16}"),
}
_WANTED = {
    "error": "a text of up to 500 characters",
    "text": "a text of up to 500 characters",
    "min_attempts": "a whole number",
    "since": "a time like 2026-01-31T12:00",
    "until": "a time like 2026-01-31T12:00",
    "fingerprint": "a group's name",
    "quarantined": "true or false",
    "order": "newest or oldest",
    "place": "queue or trash",
    "cursor": "a page's cursor",
}
