"""kill -9 between any two commands: of the client, in every operation, on one Redis and on a Cluster; and of Redis."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from interrupted import Killed, after, die, killed_after
from redis.exceptions import RedisError
from servers import Nodes, Server

from auralink_shared.dlq import DeadLetterError, DeadLetters, Filter, Record, Unknown
from conftest import QUEUE, SETTINGS, Clock

Place = Server | Nodes
MOST = 30  # commands of the longest operation here, and more

NEW = Record(QUEUE, b"new", id="new", first_attempt=1.0, last_attempt=2.0, created_at=1_779_000_000.0)
OPERATIONS: dict[str, Callable[[DeadLetters], object]] = {
    "add": lambda letters: letters.add(NEW),
    "adopt": lambda letters: letters.adopt(QUEUE),
    "retry": lambda letters: letters.retry(QUEUE, "a", by="ann"),
    "retry of the inbox": lambda letters: letters.retry(QUEUE, "inbox", by="ann"),
    "edit": lambda letters: letters.retry(QUEUE, "a", by="ann", payload=b"edited"),
    "remove": lambda letters: letters.remove(QUEUE, "a", by="ann"),
    "restore": lambda letters: letters.restore(QUEUE, "trash", by="ann"),
    "bulk retry": lambda letters: list(letters.bulk(QUEUE, "retry", Filter(), by="ann", allow_all=True, rate=500)),
    "bulk remove": lambda letters: list(letters.bulk(QUEUE, "remove", Filter(error="x"), by="ann", rate=500)),
    "sweep": lambda letters: letters.sweep(QUEUE),
    "cleanup": lambda letters: letters.cleanup(QUEUE),
    "give back": lambda letters: letters.give_back(QUEUE, by="ann"),
}
ALL = [b"a", b"b", b"inbox", b"pending", b"trash"]


CONNECTED: dict[Place, Any] = {}  # who looks at what the killed ones left


def letters_on(place: Place, clock: Clock) -> DeadLetters:
    if place not in CONNECTED:
        CONNECTED[place] = place.connect()
    return DeadLetters(CONNECTED[place], settings=SETTINGS, clock=clock)


def prepared(place: Place, clock: Clock) -> None:
    """Two letters, one in the inbox, one in the trash and, in a Cluster, one whose retry was cut off after its message was pushed."""
    place.flush()
    letters = letters_on(place, clock)
    for id in ("a", "b", "trash", "pending"):
        letters.add(Record(QUEUE, id.encode(), error="x", id=id, created_at=clock.now))
    letters.remove(QUEUE, "trash", by="ann")
    if isinstance(place, Nodes):
        with pytest.raises(Killed):  # get, audit, take, push
            DeadLetters(after(place.connect(), 4, die), settings=SETTINGS).retry(QUEUE, "pending", by="ann")
        assert letters.get(QUEUE, "pending").pending
    letters.client.lpush(f"dlq:{QUEUE}", b'{"id":"inbox","payload_base64":"aW5ib3g="}')


def whereabouts(place: Place, clock: Clock) -> Counter[bytes]:
    """Every message, wherever it is, once the retries that were cut off are finished."""
    letters = letters_on(place, clock)
    letters.sweep(QUEUE)
    letters.adopt(QUEUE)
    found = Counter(place.root_of(QUEUE).lrange(QUEUE, 0, -1))
    for where in ("queue", "trash"):
        found.update(letter.payload or b"" for letter in letters.each(QUEUE, place=where))
    depth = letters.stats(QUEUE)
    assert place.root_of(f"dlq:{QUEUE}").hlen(f"{{dlq:{QUEUE}}}:m") == depth.depth + depth.trash
    assert not [letter for letter in letters.each(QUEUE) if letter.pending]
    return found


def state(place: Place, clock: Clock) -> list[object]:
    letters = letters_on(place, clock)
    letters.adopt(QUEUE)
    found = [(one.id, one.state) for where in ("queue", "trash") for one in letters.each(QUEUE, place=where)]
    return [found, place.root_of(QUEUE).lrange(QUEUE, 0, -1)]


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_client_killed_after_any_command_loses_nothing_doubles_nothing_and_is_in_the_audit(
    place: Place, clock: Clock, name: str
) -> None:
    operation = OPERATIONS[name]

    def work(client: Any) -> None:
        operation(DeadLetters(client, settings=SETTINGS, clock=clock))

    extra = {"add": {b"new"}, "edit": {b"edited"}}.get(name, set())  # an edited message goes beside its old body
    letters = letters_on(place, clock)
    for number in range(1, MOST):
        prepared(place, clock)
        before, entries = state(place, clock), len(letters.audit())
        killed = killed_after(place.connect, number, work)
        assert state(place, clock) == before or name == "add" or len(letters.audit()) > entries, number
        found = whereabouts(place, clock)
        assert {message: times for message, times in found.items() if message not in extra} == dict.fromkeys(ALL, 1), (
            number
        )
        assert all(found[message] <= 1 for message in extra), number
        if not killed:
            assert number > (1 if name in ("add", "adopt", "sweep") else 2)
            return
        with suppress(Unknown):  # who comes next can do it still, or finds it done
            operation(letters)
        found = whereabouts(place, clock)
        assert set(found.values()) == {1} and set(ALL) <= set(found), number
    raise AssertionError("the operation never ended")


PAIRS: dict[str, Callable[[DeadLetters], object]] = {
    "retry": OPERATIONS["retry"],
    "edit": OPERATIONS["edit"],
    "edit otherwise": lambda letters: letters.retry(QUEUE, "a", by="bob", payload=b"otherwise"),
    "remove": OPERATIONS["remove"],
    "sweep": OPERATIONS["sweep"],
    "bulk retry": OPERATIONS["bulk retry"],
}


@pytest.mark.parametrize("second", PAIRS)
@pytest.mark.parametrize("first", ["retry", "edit", "remove"])
def test_two_operators_on_one_letter_move_it_once_whoever_comes_in_between(
    place: Place, clock: Clock, first: str, second: str
) -> None:
    for number in range(1, MOST):
        prepared(place, clock)
        told: list[str] = []

        def does(letters: DeadLetters, name: str, told: list[str] = told) -> None:
            try:
                PAIRS[name](letters)
                told.append("ok")
            except DeadLetterError as error:
                told.append(type(error).__name__)

        reached = []

        def interrupt(reached: list[bool] = reached, does: Any = does) -> None:
            reached.append(True)
            does(letters_on(place, clock), second)

        does(DeadLetters(after(place.connect(), number, interrupt), settings=SETTINGS, clock=clock), first)
        found = whereabouts(place, clock)
        assert found[b"a"] == 1, (number, told)
        assert found[b"edited"] + found[b"otherwise"] <= 1, (number, told)
        assert {message: found[message] for message in ALL} == dict.fromkeys(ALL, 1), (number, told)
        if not reached:
            return
    raise AssertionError("the operation never ended")


@pytest.mark.each_server
def test_what_a_killed_redis_acknowledged_is_there_when_it_comes_back(server: Server, clock: Clock) -> None:
    server.flush()
    acknowledged: list[str] = []
    sent: list[str] = []
    enough = threading.Event()

    def writes(name: str) -> None:
        letters = letters_on(server, clock)
        for number in range(100_000):
            id = f"{name}{number}"
            try:
                letters.add(Record(QUEUE, id.encode(), id=id))
                acknowledged.append(id)
                if number % 3 == 0:
                    letters.retry(QUEUE, id, by="ann")
                    sent.append(id)
            except RedisError:
                return
            if len(acknowledged) > 200:
                enough.set()

    for _ in range(3):
        enough.clear()
        begun = len(acknowledged)
        threads = [threading.Thread(target=writes, args=(f"{begun}-{name}-",)) for name in "xyz"]
        for thread in threads:
            thread.start()
        assert enough.wait(60)
        server.kill()
        for thread in threads:
            thread.join()
        server.start()
        found = whereabouts(server, clock)
        assert {id.encode() for id in acknowledged} <= set(found)
        assert set(found.values()) == {1}  # a retry is one script: it was done, or it was not
        assert {id.encode() for id in sent} <= set(server.root.lrange(QUEUE, 0, -1))
