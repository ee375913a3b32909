"""A dead letter as it is read, and what is asked of many."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .record import fields_of, payload_of


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
    def pending(self) -> bool:
        """A retry into another slot was begun and not settled."""
        return "token" in self.state


@dataclass(frozen=True)
class Filter:
    """Which letters: every condition that is given holds. Letter case is ignored in `error` and `text`."""

    error: str = ""  # part of error or error_type
    text: str = ""  # part of the whole body
    min_attempts: int = 0
    since: float | None = None  # seconds since 1970, inclusive
    until: float | None = None
    match: Callable[[Letter], bool] | None = None

    def takes(self, letter: Letter) -> bool:
        """Whether the letter is meant; times are asked of the index instead."""
        fields = letter.fields
        if self.error:
            said = f"{fields.get('error', '')}\n{fields.get('error_type', '')}"
            if self.error.casefold() not in said.casefold():
                return False
        if self.text and self.text.casefold() not in letter.body.decode(errors="replace").casefold():
            return False
        attempts = fields.get("attempts")
        if self.min_attempts and not (isinstance(attempts, int) and attempts >= self.min_attempts):
            return False
        return self.match is None or self.match(letter)
