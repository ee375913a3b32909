"""One round: clients at work, some of them dying; then the event, the restart, and the count."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from auralink_shared.dlq import DeadLetters

from .promises import Found, Tally, judge
from .servers import Node, Servers
from .workload import Kind, Operator, Workload, mortality

LETTERS = {"cleanup": 5_000}  # for each round: more than its clients get through
USUAL_LETTERS = 1500
AFTERWARDS = 20  # of those left, worked on when Redis is back
BEGIN_SECONDS = 60.0
REWRITE_KEY_MICROSECONDS = (
    0,
    50,
    200,
    1000,
)  # draws out a rewrite of the append-only file, so that events fall into it


@dataclass
class Cell:
    """What the rounds of one event on one topology found, for each kind of client."""

    rounds: int = 0
    tallies: dict[Kind, Tally] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)

    def count(self, kind: Kind, tally: Tally) -> None:
        """Adds one more count of a kind."""
        known = self.tallies.setdefault(kind, Tally())
        known += tally

    @property
    def lost(self) -> int:
        """Over all kinds."""
        return sum(tally.lost for tally in self.tallies.values())

    @property
    def wrong(self) -> int:
        """Over all kinds."""
        return sum(tally.wrong for tally in self.tallies.values())


class Round:
    """The `number`-th round on running servers, for each kind a queue of its own."""

    def __init__(
        self, servers: Servers, kinds: Sequence[Kind], folder: Path, number: int, chance: random.Random, cell: Cell
    ) -> None:
        self.servers, self.chance, self.cell = servers, chance, cell
        self.works = [
            Workload(kind, folder / f"{number}-{at}", str(number), LETTERS.get(kind.operation, USUAL_LETTERS))
            for at, kind in enumerate(kinds)
        ]

    def run(self, event: str) -> None:
        """`event`: kill or cut."""
        self._begin()
        self._live()
        victims = self._victims()
        self._rewrite(victims)
        for node in victims:
            self.cell.seen["in a rewrite"] += node.rewriting
            node.kill()  # all at once, before any file is cut
        if event == "cut":
            self.cell.seen["bytes cut off"] += sum(node.cut() for node in victims)
        under_clients = self.chance.random() < 0.5  # those that live on see Redis come back, and ask again
        if not under_clients:
            self._end_clients()
        for node in victims:
            node.start()
        self.servers.await_ready()
        if under_clients:
            time.sleep(self.chance.uniform(0, 0.3))
            self._end_clients()
        at_once = self._judge(settled=not self.servers.clustered)
        self._go_on()
        for work, before, after in zip(self.works, at_once, self._judge(settled=True), strict=True):
            if work.kind.operation == "add":  # what lies in a spool is in Redis once somebody adds again
                before.lost = 0
            after.lost, after.wrong = max(before.lost, after.lost), max(before.wrong, after.wrong)
            self.cell.count(work.kind, after)
        self.cell.rounds += 1

    def _begin(self) -> None:
        client = self.servers.client()
        for node in self.servers.nodes:
            node.client().flushall()
        for work in self.works:
            work.seed(client)
            for _ in range(2):
                self._work_on(work, sorted(work.letters), mortality(self.chance))

    def _live(self) -> None:
        """Until every kind has something acknowledged, and a little longer; who has died comes back."""
        end = time.monotonic() + BEGIN_SECONDS
        while not all(work.count or work.kind.operation == "cleanup" for work in self.works):
            if time.monotonic() > end:
                raise RuntimeError("\n".join(self._idle()))
            self._revive()
            time.sleep(0.01)
        until = time.monotonic() + self.chance.uniform(0.2, 1.2)
        while time.monotonic() < until:
            self._revive()
            time.sleep(0.01)

    def _idle(self) -> list[str]:
        errors = (path for work in self.works if not work.count for path in work.folder.glob("*.err"))
        return ["nothing was acknowledged:", *(path.read_text(encoding="utf-8")[-1000:] for path in errors)]

    def _revive(self) -> None:
        for work in self.works:
            for one in work.operators:
                if one.process.poll() not in (None, 0, -9):
                    raise RuntimeError(f"a client failed while all was well:\n{one.errors}")
                if one.suicide and not one.replaced:
                    one.replaced = True
                    self.cell.seen["clients died"] += 1
                    self._work_on(work, sorted(work.letters - work.acknowledged), mortality(self.chance))

    def _work_on(self, work: Workload, ids: Sequence[int], die_after: int | None = None) -> Operator:
        return work.operator(self.servers.url, self.servers.clustered, ids, die_after)

    def _victims(self) -> list[Node]:
        """All nodes, or one of a Cluster."""
        nodes = self.servers.nodes
        return nodes if self.chance.random() < 0.5 else [self.chance.choice(nodes)]

    def _rewrite(self, victims: Sequence[Node]) -> None:
        """In half of the rounds the event comes while the append-only file is rewritten, or just after."""
        if self.chance.random() < 0.5:
            return
        delay = self.chance.choice(REWRITE_KEY_MICROSECONDS)
        for node in victims:
            node.client().config_set("rdb-key-save-delay", delay)
            node.client().bgrewriteaof()
        time.sleep(self.chance.uniform(0, 0.1))

    def _end_clients(self) -> None:
        for work in self.works:
            for one in work.operators:
                one.kill()

    def _judge(self, *, settled: bool) -> list[Tally]:
        client = self.servers.client()
        return [judge(work, Found.read(client, work), settled=settled) for work in self.works]

    def _go_on(self) -> None:
        """Redis is back: everybody can work, spools are replayed, retries that were cut off are finished."""
        last = [self._work_on(work, sorted(work.letters - work.acknowledged)[-AFTERWARDS:]) for work in self.works]
        for work, one in zip(self.works, last, strict=True):
            if work.kind.operation != "bulk" and one.process.wait(BEGIN_SECONDS) != 0:
                raise RuntimeError(f"a client failed after the restart:\n{one.errors}")
        self._end_clients()
        letters = DeadLetters(self.servers.client())
        for work in self.works:
            if work.kind.operation in ("retry", "bulk"):
                letters.sweep(work.queue)
