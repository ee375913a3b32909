"""The letters of every queue, as they are found and read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from . import scripts
from .audit import Audit, Entry
from .errors import REDIS, Unknown
from .keys import Keys
from .letter import Filter, Letter
from .metrics import Local
from .settings import Settings

PAGE_BYTES = 1024 * 1024  # of bodies in one answer, and adopted in one call: Redis serves nobody else meanwhile
ADOPTED = 500
ADOPTIONS = 200  # calls in one operation: 100,000 letters, then the next operation goes on


@dataclass(frozen=True)
class Page:
    """Some letters, and where the next page begins; None after the last."""

    letters: list[Letter]
    cursor: str | None


@dataclass(frozen=True)
class Stats:
    """Numbers of one queue. `oldest`: when it died, seconds since 1970.

    `counters`: `arrived:REASON`, `replayed:OUTCOME`, `removed:REASON`; absent is 0.
    """

    depth: int
    oldest: float | None
    trash: int
    inbox: int
    counters: dict[str, int]


@dataclass(frozen=True)
class Group:
    """Letters of one error. `error` and `error_type` are those of the newest; times of death in seconds since 1970."""

    fingerprint: str
    error: str
    error_type: str
    count: int
    oldest: float
    newest: float


class Index:
    """What is asked of one Redis or one Cluster, and changes nothing but that the inbox's letters are taken in.

    `client`: redis.Redis or redis.RedisCluster that answers in bytes (ValueError for another). Every method may raise
    redis' errors, which are counted as `dlq_processing_errors_total`; what an operator runs into is a DeadLetterError.
    """

    def __init__(
        self, client: Any, *, settings: Settings | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        if client.get_encoder().decode_responses:
            raise ValueError("a client with decode_responses=True can't carry bodies byte for byte")
        self.client, self.clock = client, clock
        self.settings = settings if settings is not None else Settings.read()
        self.local = Local()
        self.trail = Audit(client)

    def adopt(self, queue: str) -> int:
        """Takes what the plan's writers pushed into the inbox; returns how many. Other operations do it by themselves."""
        adopted = 0
        with self._counted(queue, "adopt"):
            for _ in range(ADOPTIONS):
                took, left = self._run("adopt", queue, int(self.clock() * 1000), ADOPTED, PAGE_BYTES)
                adopted += took
                if not left:
                    break
        return adopted

    def get(self, queue: str, id: str) -> Letter:
        """One letter, in the queue or in the trash. Raises Unknown."""
        with self._counted(queue, "list"):
            found = self._run("get", queue, id) or (self.adopt(queue) and self._run("get", queue, id))
        if not found:
            raise Unknown(f"{queue} has no letter {id}")
        place, age, state, body, edited = found
        return Letter.read(queue, id.encode(), age, state, body, place.decode(), edited)

    def list(
        self,
        queue: str,
        *,
        limit: int = 50,
        cursor: str | None = None,
        order: str = "newest",
        place: str = "queue",
        only: Filter | None = None,
    ) -> Page:
        """The next `limit` (1 to 500) letters behind `cursor`: each once, whatever is added or removed between pages.

        `order`: newest | oldest; `place`: queue | trash, where the age is the time of removal. Raises ValueError for
        anything else.
        """
        if not 1 <= limit <= 500 or order not in ("newest", "oldest") or place not in ("queue", "trash"):
            raise ValueError("limit is 1 to 500, order newest or oldest, place queue or trash")
        if cursor is not None and not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 20):
            raise ValueError(f"{cursor!r} is no cursor of a page")
        only = only or Filter()
        least = "-inf" if only.since is None else str(round(only.since * 1e6))
        greatest = "+inf" if only.until is None else str(round(only.until * 1e6))
        if cursor is None:
            self.adopt(queue)
        letters: list[Letter] = []
        with self._counted(queue, "list"):
            while True:
                ends = (least, greatest)
                if cursor is not None:
                    ends = (least, f"({cursor}") if order == "newest" else (f"({cursor}", greatest)
                more, *answer = self._run("list", queue, place, order, *ends, limit, PAGE_BYTES)
                for at in range(0, len(answer), 4):
                    id, age, state, body = answer[at : at + 4]
                    letter = Letter.read(queue, id, age, state, body, place)
                    cursor = str(letter.age)
                    if only.takes(letter):
                        letters.append(letter)
                        if len(letters) == limit:
                            return Page(letters, cursor if more or at + 4 < len(answer) else None)
                if not more:
                    return Page(letters, None)

    def each(self, queue: str, **how: Any) -> Iterator[Letter]:
        """All letters of `list`, page after page."""
        page = self.list(queue, **how)
        yield from page.letters
        while page.cursor:
            page = self.list(queue, **{**how, "cursor": page.cursor})
            yield from page.letters

    def count(self, queue: str, only: Filter | None = None) -> int:
        """How many letters the filter takes. Without a condition Redis knows; else every body is read."""
        if only is None or only.empty:
            self.adopt(queue)
            return self.stats(queue).depth
        return sum(1 for _ in self.each(queue, limit=500, only=only))

    def groups(self, queue: str, only: Filter | None = None) -> Sequence[Group]:
        """The letters by their error, the most frequent first; every body is read."""
        found: dict[str, Group] = {}
        for letter in self.each(queue, limit=500, only=only):  # the newest first
            died, key = letter.age / 1e6, letter.fingerprint
            known = found.get(key) or Group(key, letter.error, letter.error_type, 0, died, died)
            found[key] = Group(key, known.error, known.error_type, known.count + 1, died, known.newest)
        return sorted(found.values(), key=lambda group: (-group.count, -group.newest, group.fingerprint))

    def stats(self, queue: str) -> Stats:
        """Depth, age of the oldest, trash, inbox, counters."""
        with self._counted(queue, "list"):
            depth, oldest, trash, inbox, _, pairs = self._run("stats", queue)
        counters = {pairs[at].decode(): int(pairs[at + 1]) for at in range(0, len(pairs), 2)}
        return Stats(depth, float(oldest) / 1e6 if oldest else None, trash, inbox, counters)

    def audit(self, queue: str | None = None, *, limit: int = 100, before: str | None = None) -> Sequence[Entry]:
        """Who did what, the newest first, of one queue or of all; `before`: the id of the last entry that was seen."""
        return self.trail.read(queue, limit=limit, before=before)

    def _run(self, name: str, queue: str, *arguments: str | bytes | int) -> Any:
        return scripts.run(self.client, name, Keys(queue).index, *arguments)

    @contextmanager
    def _counted(self, queue: str, operation: str) -> Iterator[None]:
        try:
            yield
        except REDIS:
            self.local.error(queue, operation)
            raise
