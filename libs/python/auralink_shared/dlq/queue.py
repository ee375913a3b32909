"""The dead letters of every queue: what services, operators and the cleanup do with them."""

from __future__ import annotations

import hashlib
import logging
import re
import time
import uuid
from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import bulk as many
from . import cleanup as old
from . import connection, scripts
from .bulk import Progress
from .errors import REDIS, Conflict, DeadLetterError, Quarantined, Refused, TooLarge, Unknown
from .index import Group, Index, Page, Stats
from .keys import Keys
from .letter import Filter, Letter
from .policy import meta_key
from .record import Record
from .settings import SEEN_SECONDS, Settings
from .spool import Spool, Spooled
from .timer import WhileNeeded

__all__ = ["DeadLetters", "Filter", "Group", "Letter", "Page", "Progress", "Stats"]

SPOOL_SECONDS = 5.0

_ID = re.compile(r"[!-~]{1,250}")
_EDITED = re.compile(r"~[0-9a-f]{8}$")  # what an earlier edit put behind an id
_ANSWERS: dict[str, type[DeadLetterError]] = {
    "unknown": Unknown,
    "conflict": Conflict,
    "quarantined": Quarantined,
    "refused": Refused,
    "too_large": TooLarge,
}


class DeadLetters(Index):
    """Every operation of docs/dead-letters.md on one Redis or one Cluster.

    `spool`: where letters wait while Redis refuses them; a thread brings them every `spool_seconds` for as long as any do.
    `by` is who asks, `note` why, both for the audit stream.
    """

    def __init__(
        self,
        client: Any,
        *,
        settings: Settings | None = None,
        spool: Spool | None = None,
        spool_seconds: float = SPOOL_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(client, settings=settings, clock=clock)
        self.spool = spool
        self._replays = spool and WhileNeeded(
            self.replay_spool, lambda: spool.waiting, spool_seconds, "dead letter spool"
        )
        if self._replays:
            self._replays.wake()  # what an earlier process has left

    @classmethod
    def from_env(cls, environ: Mapping[str, str], **more: Any) -> DeadLetters:
        """As the programs of the rendered workloads are told: DLQ_REDIS_URL, _PASSWORD, _CLUSTER, OBSGEN_CONTRACT.

        `more`: arguments of the constructor. Raises ValueError where a variable is wrong, ContractError, and for a
        Cluster that doesn't answer Redis' error.
        """
        settings = Settings.read(environ)
        return cls(connection.from_env(environ), settings=settings, **more)

    def close(self) -> None:
        """Ends the spool's thread; what waits in the spool waits for the next process."""
        if self._replays:
            self._replays.stop()

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
        except REDIS as refused:
            if not self.spool or not self._replays:
                self.local.add_failure()
                raise
            first = not self.spool.waiting
            try:
                self.spool.append(one)
            except OSError:
                self.local.add_failure()
                raise
            if first:  # a wrong password must not look like success; the number of letters is a metric
                log = logging.getLogger(__name__)
                log.warning("dead letters go to the spool %s: Redis said: %s", self.spool.path, refused)
            self._replays.wake()
            return record.id
        if answer not in ("added", "known"):
            self.local.add_failure()
            _raise(answer, record.queue, record.id)
        if self.spool and self.spool.waiting:
            try:
                self.replay_spool()
            except REDIS:
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
        except REDIS:
            return {}
        return {"id": meta[b"id"].decode(), "replays": int(meta[b"replays"])} if meta else {}

    # What operators do

    def retry(
        self,
        queue: str,
        id: str,
        *,
        by: str,
        seen: str | None = None,
        payload: bytes | None = None,
        force: bool = False,
        note: str = "",
    ) -> None:
        """Sends the message back to its queue, then takes the letter away; with `payload`, that instead, the letter going to the trash.

        `seen`: SHA-1 of the body that the operator looked at. Raises Unknown, Conflict (the letter is another by now),
        Quarantined (`force` sends it all the same), Refused, and ValueError where the body holds no payload.
        At least once: a crash between push and answer can leave the message in the queue and say nothing.
        """
        self.send(self.get(queue, id), by=by, seen=seen, payload=payload, force=force, note=note)

    def send(
        self,
        letter: Letter,
        *,
        by: str,
        seen: str | None = None,
        payload: bytes | None = None,
        force: bool = False,
        note: str = "",
        bulk: str = "",
    ) -> None:
        """`retry` of a letter as it was read. `bulk`: the audit entry that asked for many, so that this one needn't ask."""
        if letter.pending and letter.edited is None:  # a list doesn't say what an edited one was to be
            letter = self.get(letter.queue, letter.id)
        edited = payload is not None or letter.edited is not None
        sent = payload if payload is not None else letter.edited if letter.edited is not None else letter.payload
        if sent is None:
            raise ValueError(f"letter {letter.id} of {letter.queue} holds no payload: edit it, or remove it")
        what, digest = "edit" if edited else "retry", hashlib.sha1(sent, usedforsecurity=False).hexdigest()
        more = {"sha1": digest, "note": note, "bulk": bulk}
        with self.trail.asked(what, letter.queue, letter.id, by, **more) as asked, self._counted(letter.queue, "retry"):
            asked.result = self._retry(letter, seen or letter.sha1, sent, edited=edited, force=force)
        _raise(asked.result, letter.queue, letter.id)

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
        settled = str(self._run("settle", letter.queue, letter.id, token, now).decode())
        # it was we who sent it; the client asked twice, or a sweep was faster with the rest
        return "ok" if (pushed, settled) == (b"pushed", "unknown") else settled

    def _elsewhere(self, keys: Keys) -> bool:
        slot = getattr(self.client, "keyslot", None)  # a Cluster's client has it
        return slot is not None and slot(keys.queue) != slot(keys.index[0])

    def sweep(self, queue: str, *, by: str = "sweep") -> int:
        """Finishes retries that were cut off between two slots; returns how many. Each message arrives once within a day.

        `cleanup` and `bulk` begin with it, and `auralink-dlq serve` does it every minute.
        """
        with self._counted(queue, "retry"):
            states = dict(self.client.hscan_iter(Keys(queue).states, count=500))
        pending = [id.decode() for id, state in states.items() if b"\n" not in id and b'"token"' in state]
        done = 0
        for id in pending:
            try:
                self.retry(queue, id, by=by, force=True)
                done += 1
            except DeadLetterError as error:  # somebody else has finished it, or the queue refuses
                logging.getLogger(__name__).info("sweep: %s", error)
        return done

    def remove(
        self, queue: str, id: str, *, by: str, seen: str | None = None, reason: str = "operator", note: str = ""
    ) -> None:
        """Into the trash, from where `restore` brings it back. Raises Unknown, Conflict."""
        arguments = (seen or "", int(self.clock() * 1e6), reason)
        self._change("remove", queue, id, *arguments, by=by, reason=reason, note=note)

    def discard(self, letter: Letter, *, by: str, bulk: str = "") -> None:
        """`remove` of a letter as it was read, as one of many."""
        arguments = (letter.sha1, int(self.clock() * 1e6), "bulk")
        self._change("remove", letter.queue, letter.id, *arguments, by=by, reason="bulk", bulk=bulk)

    def restore(self, queue: str, id: str, *, by: str, note: str = "") -> None:
        """Out of the trash, to its old age. Raises Unknown."""
        self._change("restore", queue, id, by=by, note=note)

    def purge(self, queue: str, id: str, *, by: str, note: str = "") -> None:
        """Out of the trash for good. Raises Unknown, of a letter in the queue too: it is removed first."""
        self._change("purge", queue, id, by=by, note=note)

    def _change(self, name: str, queue: str, id: str, *arguments: str | int, by: str, **more: str) -> None:
        with self.trail.asked(name, queue, id, by, **more) as asked, self._counted(queue, name):
            answer: bytes = self._run(name, queue, id, *arguments)
            if answer == b"unknown" and name == "remove" and self.adopt(queue):
                answer = self._run(name, queue, id, *arguments)
            asked.result = answer.decode()
        _raise(asked.result, queue, id)

    def bulk(
        self,
        queue: str,
        action: str,
        only: Filter,
        *,
        by: str,
        rate: float = 50.0,
        dry_run: bool = False,
        allow_all: bool = False,
        force: bool = False,
        limit: int | None = None,
        note: str = "",
    ) -> Generator[Progress, None, None]:
        """Retries or removes what the filter takes, the oldest first; yields after each letter, and stops when it is closed.

        `rate`: letters a second, 500 at most. `dry_run` yields one Progress that says how many are meant. Raises at once
        ValueError for another rate or action, NeedsAllowAll for a filter without a condition.
        """
        bucket = many.Bucket(rate)
        return many.run(
            self, queue, action, only, by=by, bucket=bucket, dry_run=dry_run, allow_all=allow_all, force=force,
            limit=limit, note=note,
        )  # fmt: skip

    def cleanup(self, queue: str, *, by: str = "cleanup", archived: Path | None = None) -> tuple[int, int]:
        """Lets go of letters older than the queue's retention and of old trash: (letters, purged), both counted and audited.

        `archived`: a file of JSON lines that has each letter on disk before Redis forgets it; after a crash one may
        stand in it twice. Retries that were cut off are finished first; audit entries older than a year go last.
        """
        return old.run(self, queue, by=by, archived=archived)

    def give_back(self, queue: str, *, by: str) -> int:
        """All letters of a queue out of the index and into the plan's list, as its writers would have pushed them; returns how many.

        For going back to readers that know the list only. The next operation of this library takes them in again; replays and
        quarantine are forgotten. A letter whose retry was cut off is finished first, and stays where that can't be.
        """
        self.sweep(queue, by=by)
        self.adopt(queue)
        moved = 0
        with self.trail.asked("give back", queue, "", by) as asked, self._counted(queue, "remove"):
            for letter in self.each(queue, order="newest", limit=100):
                moved += self._run("giveback", queue, letter.id)
            asked.more["letters"] = moved
        return moved

    def forget(self, queue: str, place: str, oldest: int, ids: list[str]) -> int:
        """The letters of `place` that are older (microseconds), for good; `cleanup` alone asks for it. Returns how many."""
        with self._counted(queue, "cleanup"):
            return int(self._run("cleanup", queue, place, oldest, *ids))


def _raise(answer: str, queue: str, id: str) -> None:
    failure = _ANSWERS.get(answer)
    if failure:
        raise failure(f"letter {id} of {queue}: {answer.replace('_', ' ')}")
