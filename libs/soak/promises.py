"""What is in Redis after a crash, held against what was acknowledged before it."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auralink_shared.dlq.keys import Keys

from .workload import Workload


@dataclass
class Tally:
    """Of one workload or of many: letters acknowledged, lost, twice where once was asked; what else doesn't add up."""

    acknowledged: int = 0
    lost: int = 0
    twice: int = 0
    wrong: int = 0

    def __iadd__(self, other: Tally) -> Tally:
        self.acknowledged += other.acknowledged
        self.lost += other.lost
        self.twice += other.twice
        self.wrong += other.wrong
        return self


@dataclass(frozen=True)
class Found:
    """One queue as Redis has it, and the archive beside it. Ids only; `sent` and `archived` with repetitions."""

    waiting: set[int]
    trash: set[int]
    bodies: set[int]
    inbox: set[int]
    sent: Counter[int]
    archived: Counter[int]
    counters: Counter[str]

    @classmethod
    def read(cls, client: Any, work: Workload) -> Found:
        """Asks Redis itself, none of the scripts."""
        keys = Keys(work.queue)
        inbox, bodies, ages, _, trash, counters = keys.index
        return cls(
            _ids(client.zrange(ages, 0, -1)),
            _ids(client.zrange(trash, 0, -1)),
            _ids(client.hkeys(bodies)),
            {int(json.loads(body)["id"]) for body in client.lrange(inbox, 0, -1)},
            Counter(map(int, client.lrange(keys.queue, 0, -1))),
            Counter(_archived(work.archive)),
            Counter({name.decode(): int(value) for name, value in client.hgetall(counters).items()}),
        )

    @property
    def kept(self) -> set[int]:
        """Letters that an operator can still see."""
        return self.waiting | self.inbox

    @property
    def consistent(self) -> bool:
        """Index, bodies and counters agree: what arrived is there, or was counted when it went."""
        gone = sum(number for name, number in self.counters.items() if name.startswith("removed:"))
        arrived = sum(number for name, number in self.counters.items() if name.startswith("arrived:"))
        return (
            self.bodies == self.waiting | self.trash
            and not self.waiting & self.trash
            and arrived - gone - self.counters["replayed:ok"] == len(self.waiting)
        )


def judge(work: Workload, found: Found, *, settled: bool) -> Tally:
    """`lost`: letters that are nowhere, and acknowledgements without what they said. `twice`: messages more often than asked.

    `settled`: no retry is between two slots any more, so a message that was sent must not wait as well.
    """
    said, gone, sent = work.acknowledged, work.letters - found.kept, set(found.sent)
    again = sum(number - 1 for number in (found.sent + found.archived).values())
    again += len(found.waiting & sent) if settled else 0
    if work.kind.operation == "add":
        lost = len(said - found.waiting)
    elif work.kind.operation == "remove":
        lost = len((gone | said) - found.trash)
    elif work.kind.operation == "cleanup":
        lost = len(gone - set(found.archived)) + max(0, work.count - len(gone))
    else:
        lost = len((gone | said) - sent)
    return Tally(work.count, lost, again, int(not found.consistent))


def _ids(members: Iterable[bytes]) -> set[int]:
    return {int(member) for member in members}


def _archived(path: Path) -> Iterable[int]:
    """The letters that a reader of the archive finds: a line that is torn holds none."""
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            letter = json.loads(line)
            yield int(json.loads(base64.b64decode(letter["body"], validate=True))["id"])
        except (ValueError, KeyError, TypeError):
            continue
