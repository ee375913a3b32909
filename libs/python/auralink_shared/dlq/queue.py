"""The dead letters of every queue: what services, operators and the cleanup do with them."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from redis.exceptions import RedisError

from . import archive, scripts
from .errors import Conflict, DeadLetterError, Quarantined, Refused, TooLarge, Unknown
from .keys import AUDIT, Keys
from .letter import Filter, Letter
from .metrics import Local
from .policy import meta_key
from .record import Record
from .settings import SEEN_SECONDS, Settings
from .spool import Spool, Spooled

__all__ = ["DeadLetters", "Filter", "Letter", "Page", "Stats"]

PAGE_BYTES = 1024 * 1024  # of bodies in one answer, and adopted in one call: Redis serves nobody else meanwhile
ADOPTED = 500
ADOPTIONS = 200  # calls in one operation: 100,000 letters, then the next operation goes on

_ID = re.compile(r"[!-~]{1,250}")
_EDITED = re.compile(r"~[0-9a-f]{8}$")  # what an earlier edit put behind an id
_ANSWERS: dict[str, type[DeadLetterError]] = {
    "unknown": Unknown,
    "conflict": Conflict,
    "quarantined": Quarantined,
    "refused": Refused,
    "too_large": TooLarge,
}


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


class DeadLetters:
    """Every operation of docs/dead-letters.md on one Redis or one Cluster.

    `client`: redis.Redis or redis.RedisCluster that answers in bytes (ValueError for another). Every method may raise
    redis' errors, which are counted as `dlq_processing_errors_total`; what an operator runs into is a DeadLetterError.
    """

    def __init__(
        self,
        client: Any,
        *,
        settings: Settings | None = None,
        spool: Spool | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if client.get_encoder().decode_responses:
            raise ValueError("a client with decode_responses=True can't carry bodies byte for byte")
        self.client, self.spool, self.clock = client, spool, clock
        self.settings = settings if settings is not None else Settings.read()
        self.local = Local()

    # What services do

    def add(self, record: Record) -> str:
        """Keeps a letter and returns its id once Redis has acknowledged it, or else the spool's disk.

        Adding the same record again changes nothing. Raises Conflict where another letter has the id, TooLarge, and
        Redis' error where neither Redis nor a spool took it.
        """
        one = Spooled(
            record.queue, record.id, record.encode(), int(record.created_at * 1000), record.reason, record.replays
        )
        if not _ID.fullmatch(record.id):
            raise ValueError(f"{record.id!r} is no id: 1 to 250 printable ASCII characters")
        if len(one.body) > self.settings.body_limit:  # before a spool takes what Redis would refuse for ever
            self.local.add_failure()
            raise TooLarge(
                f"letter {record.id} of {record.queue}: {len(one.body)} bytes, {self.settings.body_limit} at most"
            )
        try:
            with self._counted(record.queue, "add"):
                answer = self._store(one)
        except RedisError:
            if not self.spool:
                self.local.add_failure()
                raise
            try:
                self.spool.append(one)
            except OSError:
                self.local.add_failure()
                raise
            return record.id
        if answer not in ("added", "known"):
            self.local.add_failure()
            _raise(answer, record.queue, record.id)
        if self.spool and self.spool.waiting:
            try:
                self.replay_spool()
            except RedisError:
                logging.getLogger(__name__).warning("the spool %s waits on: Redis has gone again", self.spool.path)
        return record.id

    def _store(self, one: Spooled) -> str:
        settings = self.settings
        answer = self._run(
            "add",
            one.queue,
            one.id,
            one.body,
            one.milliseconds,
            one.reason,
            one.replays,
            settings.replay_cap,
            max(settings.body_limit, len(one.body)),  # a limit that was lowered must not hold up the spool
        )
        return str(answer.decode())

    def replay_spool(self) -> int:
        """Gives Redis what the spool kept for it; returns how many. Stops at Redis' first error, and raises it.

        A letter whose id another one has by now is kept as ID~HASH.
        """

        def add(one: Spooled) -> None:
            answer = self._store(one)
            if answer == "conflict":
                digest = hashlib.sha1(one.body, usedforsecurity=False).hexdigest()
                answer = self._store(replace(one, id=f"{one.id}~{digest[:8]}"))
            _raise(answer, one.queue, one.id)

        return self.spool.replay(add) if self.spool else 0

    def known(self, queue: str, payload: bytes) -> dict[str, Any]:
        """`id` and `replays` of a message that an operator had sent back; {} of any other, or while Redis is away."""
        try:
            meta = self.client.hgetall(meta_key(queue, payload))
        except RedisError:
            return {}
        return {"id": meta[b"id"].decode(), "replays": int(meta[b"replays"])} if meta else {}

    # What operators do

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

        `order`: newest | oldest; `place`: queue | trash. Raises ValueError for anything else.
        """
        if not 1 <= limit <= 500 or order not in ("newest", "oldest") or place not in ("queue", "trash"):
            raise ValueError("limit is 1 to 500, order newest or oldest, place queue or trash")
        if cursor is not None and not cursor.isdigit():
            raise ValueError(f"{cursor!r} is no cursor of a page")
        only = only or Filter()
        least = "-inf" if only.since is None else str(int(only.since * 1e6))
        greatest = "+inf" if only.until is None else str(int(only.until * 1e6))
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

    def retry(
        self,
        queue: str,
        id: str,
        *,
        by: str,
        seen: str | None = None,
        payload: bytes | None = None,
        force: bool = False,
    ) -> None:
        """Sends the message back to its queue, then takes the letter away; with `payload`, that instead, the letter going to the trash.

        `seen`: SHA-1 of the body that the operator looked at. Raises Unknown, Conflict (the letter is another by now),
        Quarantined (`force` sends it all the same), Refused, and ValueError where the body holds no payload.
        At least once: a crash between push and answer can leave the message in the queue and say nothing.
        """
        letter = self.get(queue, id)
        edited = payload is not None or letter.edited is not None
        sent = payload if payload is not None else letter.edited if letter.edited is not None else letter.payload
        if sent is None:
            raise ValueError(f"letter {id} of {queue} holds no payload: edit it, or remove it")
        with self._counted(queue, "retry"):
            answer = self._retry(letter, seen or letter.sha1, sent, edited=edited, force=force)
        what = "edit" if edited else "retry"
        self._audit(what, queue, id, by, answer, sha1=hashlib.sha1(sent, usedforsecurity=False).hexdigest())
        if answer != "ok":
            _raise(answer, queue, id)

    def _retry(self, letter: Letter, seen: str, sent: bytes, *, edited: bool, force: bool) -> str:
        keys, token = Keys(letter.queue), uuid.uuid4().hex
        digest = hashlib.sha1(sent, usedforsecurity=False).hexdigest()
        known_as = f"{_EDITED.sub('', letter.id)}~{digest[:8]}" if edited else letter.id
        take = (letter.id, seen, token, int(force), sent, int(edited))
        now = int(self.clock() * 1e6)
        if not self._elsewhere(keys):
            places = (*keys.index, keys.queue, keys.seen(letter.id, token), keys.meta(digest))
            answer = scripts.run(self.client, "retry", places, *take, known_as, now, SEEN_SECONDS)
            return str(answer.decode())
        taken = self._run("take", letter.queue, *take)
        if taken[0] != b"taken":
            return str(taken[0].decode())
        token, replays = taken[1].decode(), taken[2] + 1
        places = (keys.queue, keys.seen(letter.id, token), keys.meta(digest))
        pushed = scripts.run(self.client, "push", places, sent, known_as, replays, SEEN_SECONDS)
        if pushed == b"refused":
            self._run("release", letter.queue, letter.id, token)
            return "refused"
        return str(self._run("settle", letter.queue, letter.id, token, now).decode())

    def _elsewhere(self, keys: Keys) -> bool:
        slot = getattr(self.client, "keyslot", None)  # a Cluster's client has it
        return slot is not None and slot(keys.queue) != slot(keys.index[0])

    def sweep(self, queue: str, *, by: str = "sweep") -> int:
        """Finishes retries that were cut off between two slots; returns how many. Each message arrives once within a day."""
        pending = [letter for letter in self.each(queue, order="oldest") if letter.pending]
        for letter in pending:
            self.retry(queue, letter.id, by=by, force=True)
        return len(pending)

    def remove(self, queue: str, id: str, *, by: str, seen: str | None = None, reason: str = "operator") -> None:
        """Into the trash, from where `restore` brings it back. Raises Unknown, Conflict."""
        answer = self._change("remove", queue, id, seen or "", int(self.clock() * 1e6), reason)
        self._audit("remove", queue, id, by, answer, reason=reason)
        _raise(answer, queue, id)

    def restore(self, queue: str, id: str, *, by: str) -> None:
        """Out of the trash, to its old age. Raises Unknown."""
        answer = self._change("restore", queue, id)
        self._audit("restore", queue, id, by, answer)
        _raise(answer, queue, id)

    def purge(self, queue: str, id: str, *, by: str) -> None:
        """Out of the trash for good. Raises Unknown, of a letter in the queue too: it is removed first."""
        answer = self._change("purge", queue, id)
        self._audit("purge", queue, id, by, answer)
        _raise(answer, queue, id)

    def _change(self, name: str, queue: str, id: str, *arguments: str | int) -> str:
        with self._counted(queue, name):
            answer: bytes = self._run(name, queue, id, *arguments)
            if answer == b"unknown" and name == "remove" and self.adopt(queue):
                answer = self._run(name, queue, id, *arguments)
        return answer.decode()

    def cleanup(self, queue: str, *, by: str = "cleanup", archived: Path | None = None) -> tuple[int, int]:
        """Lets go of letters older than the queue's retention and empties old trash: (letters, purged), both counted.

        `archived`: a file of JSON lines that has each letter on disk before Redis forgets it.
        """
        self.adopt(queue)
        now = self.clock()
        oldest = int((now - self.settings.of(queue).retention_seconds) * 1e6)
        trash = int((now - self.settings.trash_seconds) * 1e6)
        gone = purged = 0
        cursor: str | None = None
        while True:
            page = self.list(queue, order="oldest", limit=500, cursor=cursor, only=Filter(until=oldest / 1e6))
            if archived and page.letters:
                archive.append(archived, page.letters)
            with self._counted(queue, "cleanup"):
                ids = (letter.id for letter in page.letters)
                let_go, emptied = self._run("cleanup", queue, oldest, trash, 500, *ids)
            gone, purged, cursor = gone + let_go, purged + emptied, page.cursor
            if cursor is None and emptied < 500:
                break
        if gone or purged:
            self._audit("cleanup", queue, "", by, "ok", letters=str(gone), purged=str(purged))
        return gone, purged

    def stats(self, queue: str) -> Stats:
        """Depth, age of the oldest, trash, inbox, counters."""
        with self._counted(queue, "list"):
            depth, oldest, trash, inbox, _, pairs = self._run("stats", queue)
        counters = {pairs[at].decode(): int(pairs[at + 1]) for at in range(0, len(pairs), 2)}
        return Stats(depth, float(oldest) / 1e6 if oldest else None, trash, inbox, counters)

    def _run(self, name: str, queue: str, *arguments: str | bytes | int) -> Any:
        return scripts.run(self.client, name, Keys(queue).index, *arguments)

    @contextmanager
    def _counted(self, queue: str, operation: str) -> Iterator[None]:
        try:
            yield
        except RedisError:
            self.local.error(queue, operation)
            raise

    def _audit(self, what: str, queue: str, id: str, by: str, result: str, **more: str) -> None:
        entry = {"what": what, "queue": queue, "id": id, "by": by, "result": result, **more}
        logging.getLogger(__name__).info("dead letter: %s", json.dumps(entry))
        try:
            self.client.xadd(AUDIT, entry)
        except RedisError as error:  # what happened has happened, and the line above says so
            logging.getLogger(__name__).error("audit stream %s: %s", AUDIT, error)


def _raise(answer: str, queue: str, id: str) -> None:
    failure = _ANSWERS.get(answer)
    if failure:
        raise failure(f"letter {id} of {queue}: {answer.replace('_', ' ')}")
