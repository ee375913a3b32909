"""A Redis Cluster of three nodes: a queue and its letters hash to different slots, so a retry takes three steps."""

from __future__ import annotations

from typing import Any

import pytest
from servers import Nodes

from auralink_shared.dlq import Conflict, DeadLetters, Filter, Record, Refused, Unknown, scripts
from conftest import OTHER, QUEUE, SETTINGS, Clock

pytestmark = pytest.mark.each_server


@pytest.fixture
def letters(nodes: Nodes, clock: Clock) -> DeadLetters:
    nodes.flush()
    return DeadLetters(nodes.connect(), settings=SETTINGS, clock=clock)


def queued(letters: DeadLetters, queue: str = QUEUE) -> list[bytes]:
    return list(iter(lambda: letters.client.rpop(queue), None))[::-1]


class Killed(BaseException):
    """The process is gone: nothing of it runs on."""


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ends the next retry after its n-th script."""
    run = scripts.run

    def arm(after: int) -> None:
        calls = 0

        def dying(client: Any, name: str, *rest: Any) -> Any:
            nonlocal calls
            answer = run(client, name, *rest)
            calls += name in ("take", "push", "settle", "release")
            if calls == after:
                monkeypatch.setattr(scripts, "run", run)
                raise Killed
            return answer

        monkeypatch.setattr(scripts, "run", dying)

    return arm


def add(letters: DeadLetters, id: str = "1") -> None:
    letters.add(Record(QUEUE, b'{"n":9007199254740993}', id=id))


def test_the_index_is_in_the_inbox_s_slot_and_the_queue_is_not(letters: DeadLetters) -> None:
    slot = letters.client.keyslot
    assert slot(f"dlq:{QUEUE}") == slot(f"{{dlq:{QUEUE}}}:m") != slot(QUEUE) == slot(f"{{{QUEUE}}}:dlqseen:1:2")


def test_d13_every_operation_works_on_every_queue(letters: DeadLetters) -> None:
    for queue in (QUEUE, OTHER, "agents:create"):
        for id in "123":
            letters.add(Record(queue, b"1", id=id))
        letters.client.lpush(f"dlq:{queue}", b'{"id":"4","payload":4}')
        letters.retry(queue, "1", by="ann")
        letters.retry(queue, "4", by="ann")
        letters.retry(queue, "2", by="ann", payload=b"2")
        letters.remove(queue, "3", by="ann")
        letters.restore(queue, "3", by="ann")
        letters.remove(queue, "3", by="ann")
        letters.purge(queue, "3", by="ann")
        assert queued(letters, queue) == [b"1", b"4", b"2"]
        stats = letters.stats(queue)
        assert (stats.depth, stats.trash, stats.inbox) == (0, 1, 0)
        assert stats.counters == {"arrived:exhausted": 3, "arrived:adopted": 1, "replayed:ok": 3, "removed:operator": 2}


@pytest.mark.parametrize("after", [1, 2, 3])
@pytest.mark.parametrize("edited", [None, b"edited"])
def test_a_client_killed_after_any_step_leaves_one_message(
    letters: DeadLetters, killed: Any, after: int, edited: bytes | None
) -> None:
    add(letters)
    killed(after)
    with pytest.raises(Killed):
        letters.retry(QUEUE, "1", by="ann", payload=edited)
    assert letters.sweep(QUEUE) == (0 if after == 3 else 1)
    assert letters.sweep(QUEUE) == 0
    assert queued(letters) == [edited or b'{"n":9007199254740993}']
    assert letters.stats(QUEUE).depth == 0
    assert letters.stats(QUEUE).trash == (1 if edited else 0)
    assert letters.stats(QUEUE).counters["replayed:ok"] == 1


def test_a_letter_on_its_way_is_neither_removed_nor_edited_nor_let_go(letters: DeadLetters, killed: Any) -> None:
    add(letters)
    killed(1)
    with pytest.raises(Killed):
        letters.retry(QUEUE, "1", by="ann")
    with pytest.raises(Conflict):
        letters.remove(QUEUE, "1", by="bob")
    with pytest.raises(Conflict):
        letters.retry(QUEUE, "1", by="bob", payload=b"other")
    assert letters.forget(QUEUE, "queue", 2**60, ["1"]) == 0
    letters.retry(QUEUE, "1", by="bob")
    assert queued(letters) == [b'{"n":9007199254740993}']


@pytest.mark.parametrize("what", ["cleanup", "bulk", "sweep"])
def test_a_retry_that_was_cut_off_is_finished_by(letters: DeadLetters, killed: Any, clock: Clock, what: str) -> None:
    add(letters)
    killed(1)
    with pytest.raises(Killed):
        letters.retry(QUEUE, "1", by="ann")
    clock.now += 365 * 86400
    if what == "bulk":
        assert [one.done for one in letters.bulk(QUEUE, "remove", Filter(), by="bob", allow_all=True)] == [0]
    else:
        getattr(letters, what)(QUEUE)
    assert queued(letters) == [b'{"n":9007199254740993}']


def test_two_operators_between_each_other_s_steps_send_it_once(letters: DeadLetters, killed: Any, nodes: Nodes) -> None:
    add(letters)
    killed(2)
    with pytest.raises(Killed):  # the first has pushed and is slow
        letters.retry(QUEUE, "1", by="ann")
    second = DeadLetters(nodes.connect(), settings=SETTINGS)
    second.retry(QUEUE, "1", by="bob")
    with pytest.raises(Unknown):
        letters.retry(QUEUE, "1", by="ann")
    assert len(queued(letters)) == 1


def test_a_queue_of_the_wrong_type_refuses_and_the_letter_can_be_edited_again(
    letters: DeadLetters, nodes: Nodes
) -> None:
    add(letters)
    node = nodes.root_of(QUEUE)
    node.set(QUEUE, "no list")
    with pytest.raises(Refused):
        letters.retry(QUEUE, "1", by="ann")
    assert letters.stats(QUEUE).counters["replayed:error"] == 1
    node.delete(QUEUE)
    letters.retry(QUEUE, "1", by="ann", payload=b"2")
    assert queued(letters) == [b"2"]
