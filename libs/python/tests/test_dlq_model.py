"""The queue against a plain model: whatever is done in whatever order, and wherever its client dies, nothing is lost or there twice."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import pytest
import queue_model as model
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from interrupted import Killed, after, die
from queue_model import Kept, Plan, State
from servers import Nodes, Server

from auralink_shared.dlq import DeadLetterError, DeadLetters, Died, Filter, Record, RetryPolicy, handle
from conftest import QUEUE, SETTINGS, Clock

IDS = st.sampled_from("abcde")
DAYS = st.integers(0, 20)
CUT = st.none() | st.integers(1, 9)  # its client dies after so many commands, if it needs as many


class Machine(RuleBasedStateMachine):
    """Each rule does an operation, on a client that may die in it, and says what the model makes of it."""

    place: ClassVar[Server | Nodes]
    client: ClassVar[Any]

    def __init__(self) -> None:
        super().__init__()
        self.place.flush()
        self.clock, self.state, self.serial = Clock(), State(), 0
        capped = replace(SETTINGS, replay_cap=model.CAP)
        self.letters = DeadLetters(self.client, settings=capped, clock=self.clock)
        self.elsewhere = isinstance(self.place, Nodes)

    def payload(self) -> bytes:
        self.serial += 1
        return b"%d" % self.serial

    def found(self) -> tuple[object, ...]:
        letters, live, trash = self.letters, {}, {}
        for one in letters.each(QUEUE, limit=2):
            assert one.id not in live
            live[one.id] = (one.payload, one.state.get("replays", 0), one.quarantined, one.pending)
        for one in letters.each(QUEUE, limit=2, place="trash"):
            assert one.id not in trash
            trash[one.id] = one.payload
        return live, trash, self.place.root_of(QUEUE).lrange(QUEUE, 0, -1)

    def does(self, plan: Plan, operation: Callable[[], object], cut: int | None) -> bool:
        """Whether it came to its end. One that was cut off left one of the plan's states."""
        if cut is not None:
            after(self.client, cut, die)
        try:
            operation()
        except Killed:
            found = self.found()
            fitting = [state for state in plan.states if state.shown() == found]
            assert fitting, (found, [state.shown() for state in plan.states])
            self.state = fitting[0]
            return False
        except DeadLetterError as error:
            assert plan.error is type(error)
            return True
        finally:
            vars(self.client).pop("execute_command", None)
        assert plan.error is None
        self.state = plan.last
        return True

    def some(self, data: Any) -> str:
        return str(data.draw(st.sampled_from(sorted({*self.state.live, *self.state.trash, "nobody"}))))

    @property
    def pending(self) -> bool:
        return any(one.sent for one in self.state.live.values())

    @rule(id=IDS, cut=CUT)
    def add(self, id: str, cut: int | None) -> None:
        record = Record(QUEUE, self.payload(), id=id, created_at=self.clock.now)
        plan = model.add(self.state, id, Kept(record.payload, self.clock.now))
        if not self.does(plan, lambda: self.letters.add(record), cut):
            again = model.add(self.state, id, Kept(record.payload, self.clock.now))
            known = id in self.state.live and self.state.live[id].payload == record.payload
            self.does(model.nothing(self.state) if known else again, lambda: self.letters.add(record), None)

    @rule(cut=CUT)
    def push_into_the_inbox(self, cut: int | None) -> None:
        payload = self.payload()
        id = f"pushed-{payload.decode()}"
        self.place.root_of(f"dlq:{QUEUE}").lpush(f"dlq:{QUEUE}", json.dumps({"id": id, "payload": int(payload)}))
        plan = model.add(self.state, id, Kept(payload, self.clock.now))
        plan.states.pop(0)  # whoever looks adopts it
        self.does(plan, lambda: self.letters.adopt(QUEUE), cut)

    @rule(data=st.data(), edit=st.booleans(), force=st.booleans(), cut=CUT)
    def retry(self, data: Any, edit: bool, force: bool, cut: int | None) -> None:
        id = self.some(data)
        payload = self.payload() if edit else None
        if id in self.state.trash:
            return
        plan = model.retry(self.state, id, self.clock.now, elsewhere=self.elsewhere, edited=payload, force=force)
        # one that is cut off at a time: of several, nobody says which a sweep finishes first
        cut = None if self.pending else cut
        self.does(plan, lambda: self.letters.retry(QUEUE, id, by="model", payload=payload, force=force), cut)

    @rule(data=st.data(), what=st.sampled_from(["remove", "restore", "purge"]), cut=CUT)
    def change(self, data: Any, what: str, cut: int | None) -> None:
        id = self.some(data)
        plan = {
            "remove": lambda: model.remove(self.state, id, self.clock.now),
            "restore": lambda: model.restore(self.state, id),
            "purge": lambda: model.purge(self.state, id),
        }[what]()
        self.does(plan, lambda: getattr(self.letters, what)(QUEUE, id, by="model"), cut)

    @rule(days=DAYS, cut=CUT)
    def clean_up_later(self, days: int, cut: int | None) -> None:
        self.clock.now += days * 86400 + 1
        self.does(model.cleanup(self.state, self.clock.now), lambda: self.letters.cleanup(QUEUE), cut)

    @rule(cut=CUT)
    def retry_all(self, cut: int | None) -> None:
        order = [one.id for one in self.letters.each(QUEUE, order="oldest")]
        plan = model.bulk_retry(self.state, order, self.clock.now, elsewhere=self.elsewhere)
        many = self.letters.bulk(QUEUE, "retry", Filter(), by="model", allow_all=True, rate=500)
        self.does(plan, lambda: list(many), cut)

    @precondition(lambda self: self.pending)
    @rule(cut=CUT)
    def sweep(self, cut: int | None) -> None:
        self.does(model.sweep(self.state, self.clock.now), lambda: self.letters.sweep(QUEUE), cut)

    @precondition(lambda self: self.state.queue)
    @rule(fails=st.booleans())
    def serve(self, fails: bool) -> None:
        self.serve_a_message(fails)

    def serve_a_message(self, fails: bool) -> None:
        message = self.place.root_of(QUEUE).lpop(QUEUE)
        assert message == self.state.queue.pop(0)

        def work(payload: bytes) -> None:
            if fails:
                raise TimeoutError

        died = handle(self.letters, QUEUE, message, work, policy=RetryPolicy(1), clock=self.clock)
        if not fails:
            return
        assert isinstance(died, Died)
        id, replays = self.state.known[message]
        if id in self.state.live or id in self.state.trash:
            uuid.UUID(died.id)  # its own id is another's by now
        else:
            assert died.id == id
        self.state.live[died.id] = Kept(message, self.clock.now, replays)

    @precondition(lambda self: self.state.live)
    @rule(data=st.data())
    def fail_again_and_again(self, data: Any) -> None:
        id = str(data.draw(st.sampled_from(sorted(self.state.live))))
        for _ in range(model.CAP):
            plan = model.retry(self.state, id, self.clock.now, elsewhere=self.elsewhere)
            self.does(plan, lambda: self.letters.retry(QUEUE, id, by="model"), None)
            while self.state.queue:
                self.serve_a_message(True)
            if id not in self.state.live:
                return

    @invariant()
    def redis_holds_what_the_model_holds(self) -> None:
        assert self.found() == self.state.shown()
        stats = self.letters.stats(QUEUE)
        assert (stats.depth, stats.trash, stats.inbox) == (len(self.state.live), len(self.state.trash), 0)
        root = self.place.root_of(f"dlq:{QUEUE}")
        assert root.hlen(f"{{dlq:{QUEUE}}}:m") == stats.depth + stats.trash
        assert set(root.hkeys(f"{{dlq:{QUEUE}}}:s")) <= {
            name.encode() for id in [*self.state.live, *self.state.trash] for name in (id, f"{id}\nedited")
        }


SLOW = settings(stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck))


def run(place: Server | Nodes, examples: int) -> None:
    Machine.place, Machine.client = place, place.connect()
    run_state_machine_as_test(Machine, settings=settings(SLOW, max_examples=examples))


@pytest.mark.each_server
def test_every_sequence_of_operations_and_crashes_does_what_the_model_does(server: Server) -> None:
    run(server, 25)


def test_in_a_cluster_too_where_a_retry_can_be_cut_off_between_two_slots(nodes: Nodes) -> None:
    run(nodes, 25)
