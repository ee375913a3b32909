"""What a check yields, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from ..document import Path
from ..road import Declared

Span = tuple[int, int] | None


class Finding(NamedTuple):
    """A fact about the value at `path` (with `key`, about its key), and the way out.

    `span` narrows it to a part of the text written there: offset and length.
    """

    path: Path
    fact: str
    remedy: str = ""
    key: bool = False
    span: Span = None


class Fault(NamedTuple):
    """What is wrong with a query, wherever it stands: the fact, the way out, and the word that it is about."""

    fact: str
    remedy: str
    word: str


Question = Callable[[Declared], Iterator[Finding]]


class Check(NamedTuple):
    """One row of the table: `id` is also the page `docs/checks/ID.md` and the word that silences it."""

    id: str
    severity: Literal["error", "warning"]
    ask: Question
