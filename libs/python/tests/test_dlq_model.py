"""The queue against a plain model: whatever is done in whatever order, nothing is lost and nothing is there twice."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from auralink_shared.dlq import Conflict, DeadLetters, Record, Unknown
from conftest import QUEUE, SETTINGS, Clock, Server

IDS = st.sampled_from("abcde")
DAYS = st.integers(0, 20)


class Model(RuleBasedStateMachine):
    """`live`: id to (payload, created at, edited); `trash`: the same and the time of removal; `sent`: the queue."""

    server: Server

    def __init__(self) -> None:
        super().__init__()
        self.server.root.flushall()
        self.server.root.config_set("maxmemory", "0")
        self.clock = Clock()
        self.letters = DeadLetters(self.server.connect(), settings=SETTINGS, clock=self.clock)
        self.live: dict[str, tuple[bytes, float]] = {}
        self.trash: dict[str, tuple[bytes, float, float]] = {}
        self.sent: list[bytes] = []
        self.serial = 0

    def payload(self) -> bytes:
        self.serial += 1
        return b"%d" % self.serial

    def told(self, known: bool, operation: Any, *arguments: Any, **more: Any) -> bool:
        """Whether it was done; an operation on what isn't there must say so."""
        try:
            operation(QUEUE, *arguments, by="model", **more)
        except Unknown:
            assert not known
            return False
        assert known
        return True

    @rule(id=IDS)
    def add(self, id: str) -> None:
        payload = self.payload()
        try:
            self.letters.add(Record(QUEUE, payload, id=id, created_at=self.clock.now))
        except Conflict:
            assert id in self.live or id in self.trash
        else:
            assert id not in self.live and id not in self.trash
            self.live[id] = payload, self.clock.now

    @rule()
    def push_into_the_inbox(self) -> None:
        payload = self.payload()
        id = f"pushed-{payload.decode()}"
        self.letters.client.lpush(f"dlq:{QUEUE}", json.dumps({"id": id, "payload": int(payload)}))
        self.letters.adopt(QUEUE)
        self.live[id] = payload, self.clock.now

    @rule(data=st.data(), edit=st.booleans())
    def retry(self, data: Any, edit: bool) -> None:
        id = data.draw(st.sampled_from(sorted({*self.live, *self.trash, "nobody"})))
        payload = self.payload() if edit else None
        if id in self.trash:
            return
        if self.told(id in self.live, self.letters.retry, id, payload=payload):
            old, created = self.live.pop(id)
            self.sent.append(payload or old)
            if edit:
                self.trash[id] = old, created, self.clock.now

    @rule(data=st.data())
    def remove(self, data: Any) -> None:
        id = data.draw(st.sampled_from(sorted({*self.live, *self.trash, "nobody"})))
        if self.told(id in self.live, self.letters.remove, id):
            self.trash[id] = (*self.live.pop(id), self.clock.now)

    @rule(data=st.data())
    def restore(self, data: Any) -> None:
        id = data.draw(st.sampled_from(sorted({*self.live, *self.trash, "nobody"})))
        if self.told(id in self.trash, self.letters.restore, id):
            self.live[id] = self.trash.pop(id)[:2]

    @rule(data=st.data())
    def purge(self, data: Any) -> None:
        id = data.draw(st.sampled_from(sorted({*self.live, *self.trash, "nobody"})))
        if self.told(id in self.trash, self.letters.purge, id):
            del self.trash[id]

    @rule(days=DAYS)
    def clean_up_later(self, days: int) -> None:
        self.clock.now += days * 86400 + 1
        gone = [id for id, (_, created) in self.live.items() if created < self.clock.now - 30 * 86400]
        purged = [id for id, (*_, removed) in self.trash.items() if removed < self.clock.now - 7 * 86400]
        assert self.letters.cleanup(QUEUE) == (len(gone), len(purged))
        for id in gone:
            del self.live[id]
        for id in purged:
            del self.trash[id]

    @rule()
    def serve_the_queue(self) -> None:
        found = list(iter(lambda: self.letters.client.rpop(QUEUE), None))[::-1]
        assert found == self.sent
        self.sent = []

    @invariant()
    def redis_holds_what_the_model_holds(self) -> None:
        for place, model in (("queue", self.live), ("trash", self.trash)):
            found = list(self.letters.each(QUEUE, limit=2, place=place))
            assert {one.id: one.payload for one in found} == {id: value[0] for id, value in model.items()}
            assert len(found) == len(model)
        stats = self.letters.stats(QUEUE)
        assert (stats.depth, stats.trash) == (len(self.live), len(self.trash))
        assert self.letters.client.hlen(f"{{dlq:{QUEUE}}}:m") == stats.depth + stats.trash


@pytest.mark.each_server
def test_every_sequence_of_operations_does_what_the_model_does(server: Server) -> None:
    Model.server = server
    slow = settings(max_examples=20, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Model, settings=slow)
