"""A dead letter as it is read, and what is asked of many."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from .record import fields_of, payload_of
from .shape import fingerprint_of, text_of


@dataclass(frozen=True)
class Letter:
    """A body as it was written, and what the index knows of it. `age`: microseconds since 1970, of no two letters the same."""

    queue: str
    id: str
    age: int
    body: bytes
    state: dict[str, Any]
    place: str = "queue"
    edited: bytes | None = None

    @classmethod
    def read(
        cls, queue: str, id: bytes, age: bytes, state: bytes, body: bytes, place: str, edited: bytes | None = None
    ) -> Letter:
        """From the answers of get.lua and list.lua."""
        return cls(queue, id.decode(errors="replace"), int(float(age)), body, json.loads(state), place, edited)

    @cached_property
    def sha1(self) -> str:
        """Of the body: what an operator has seen."""
        return hashlib.sha1(self.body, usedforsecurity=False).hexdigest()

    @cached_property
    def payload(self) -> bytes | None:
        """What a retry gives back to the queue; None of a body that holds none."""
        return payload_of(self.body)

    @cached_property
    def fields(self) -> dict[str, Any]:
        """The body's fields as JSON has them; {} where it is no object."""
        return fields_of(self.body)

    @property
    def error(self) -> str:
        """What the service said when it gave up; "" of a body without."""
        return text_of(self.fields.get("error"))

    @property
    def error_type(self) -> str:
        """The exception's class; "" of a body without."""
        return text_of(self.fields.get("error_type"))

    @cached_property
    def fingerprint(self) -> str:
        """Of its error, whatever ids and numbers stand in it."""
        return fingerprint_of(self.error_type, self.error)

    @property
    def pending(self) -> bool:
        """A retry into another slot was begun and not settled."""
        return "token" in self.state

    @property
    def quarantined(self) -> bool:
        """It was replayed as often as allowed."""
        return bool(self.state.get("quarantined"))

    def as_json(self, payload: bool = True) -> dict[str, Any]:
        """The letter of docs/dead-letters.md: values that json.dumps takes, what is absent left out.

        A payload that JSON can't carry as a value (none, too long a number, 1e400) is `payload_base64`. Numbers
        may look otherwise than in the body (1.50 is 1.5): `Letter.payload` has the bytes.
        """
        found: dict[str, Any] = {
            "id": self.id,
            "queue": self.queue,
            "place": self.place,
            "age": _rfc3339(self.age),
            "error": self.error,
            "error_type": self.error_type,
            "reason": text_of(self.fields.get("reason")),
            "attempts": _attempts(self),
            **{name: text_of(self.fields.get(name)) for name in ("first_attempt", "last_attempt", "created_at")},
            "trace_id": text_of(self.fields.get("trace_id")),
        }
        if payload and self.payload is not None:
            found |= _as_value(self.payload)
        found |= {
            "edited": bool(self.state.get("edited")),
            "replays": self.state.get("replays"),
            "quarantined": self.quarantined,
            "pending": self.pending,
            "sha1": self.sha1,
            "fingerprint": self.fingerprint,
        }
        kept = ("payload",)  # null, "" and 0 are payloads
        return {name: value for name, value in found.items() if name in kept or value not in (None, "", False)}


def _rfc3339(age: int) -> str:
    seconds, microseconds = divmod(age, 1_000_000)
    when = datetime.fromtimestamp(seconds, UTC).replace(microsecond=microseconds)
    return when.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _attempts(letter: Letter) -> int | None:
    attempts = letter.fields.get("attempts")
    return attempts if isinstance(attempts, int) and not isinstance(attempts, bool) else None


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _as_value(payload: bytes) -> dict[str, Any]:
    try:
        value = json.loads(payload.decode(), parse_float=_finite, parse_constant=_finite)
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair has no UTF-8
        return {"payload": value}
    except (ValueError, RecursionError):
        return {"payload_base64": base64.b64encode(payload).decode()}


@dataclass(frozen=True)
class Filter:
    """Which letters: every condition that is given holds. Letter case is ignored in `error` and `text`."""

    error: str = ""  # part of error or error_type
    text: str = ""  # part of the whole body
    min_attempts: int = 0
    since: float | None = None  # seconds since 1970, inclusive
    until: float | None = None
    fingerprint: str = ""
    quarantined: bool | None = None
    match: Callable[[Letter], bool] | None = None

    @property
    def empty(self) -> bool:
        """No condition is given: it takes every letter."""
        return self == Filter()

    def takes(self, letter: Letter) -> bool:
        """Whether the letter is meant; times are asked of the index instead."""
        if self.error and self.error.casefold() not in f"{letter.error}\n{letter.error_type}".casefold():
            return False
        if self.text and self.text.casefold() not in letter.body.decode(errors="replace").casefold():
            return False
        if self.min_attempts and (_attempts(letter) or 0) < self.min_attempts:
            return False
        if self.fingerprint and letter.fingerprint != self.fingerprint:
            return False
        if self.quarantined is not None and letter.quarantined is not self.quarantined:
            return False
        return self.match is None or self.match(letter)

    def as_dict(self) -> dict[str, Any]:
        """The conditions that are given, as JSON values; times in seconds. Raises ValueError where one is a function."""
        if self.match is not None:
            raise ValueError("match is a function, which can't be written down")
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in given.items() if value != getattr(Filter, name)}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Filter:
        """As `as_dict` has it; a time may be RFC 3339 too. Raises ValueError that names a key that is none, or its bad value."""
        only = cls()
        for name, value in given.items():
            if name not in _READ:
                raise ValueError(f"{name!r} is no condition of a filter ({', '.join(_READ)})")
            try:
                only = replace(only, **{name: _READ[name](value)})
            except (ValueError, TypeError, OverflowError):
                raise ValueError(f"{name}: {value!r} is not {_WANTED[_READ[name]]}") from None
        return only


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise TypeError
    return value


def _boolean(value: Any) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise TypeError
    return value


def _seconds(value: Any) -> float | None:
    """Seconds since 1970, of a number or of RFC 3339; without a zone it is UTC."""
    if isinstance(value, bool):
        raise TypeError
    if isinstance(value, str):
        when = datetime.fromisoformat(value)
        value = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    return None if value is None else _finite(value)


_READ: dict[str, Callable[[Any], Any]] = {
    "error": _string,
    "text": _string,
    "min_attempts": _count,
    "since": _seconds,
    "until": _seconds,
    "fingerprint": _string,
    "quarantined": _boolean,
}
_WANTED: dict[Callable[[Any], Any], str] = {
    _string: "text",
    _count: "a whole number from 0",
    _seconds: "a time: seconds since 1970, or 2026-01-31T12:00:00Z",
    _boolean: "true or false",
}
