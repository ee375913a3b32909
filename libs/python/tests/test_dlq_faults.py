"""The faults of the plan's queue, D1 to D16 of its review, as they can't happen any more."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from auralink_shared.dlq import Conflict, DeadLetters, Quarantined, Record, Refused, Unknown, handle
from auralink_shared.dlq.policy import RetryPolicy
from conftest import OTHER, QUEUE, Clock, Server

pytestmark = pytest.mark.each_server

INBOX = f"dlq:{QUEUE}"

# What the plan's writers push, and what others do: each was lost, doubled or changed by the plan's Retry and Remove.
BODIES = {
    "int-over-2^53": b'{"id":"%s","payload":{"n":9007199254740993}}',
    "field-order": b'{"payload":{"b":1,"a":2},"id":"%s"}',
    "invalid-utf-8": b'{"id":"%s","error":"\xff\xfe","payload":{"a":1}}',
    "a-newer-field": b'{"id":"%s","payload":{},"trace_id":"00","since":"later"}',
    "trailing-zero": b'{"id":"%s","created_at":"2026-01-02T03:04:05.500Z","payload":{"a":[]}}',
    "spaces-of-python": b'{"id": "%s", "payload": {"a": "\\u00e9<b>&"}}',
    "payload-is-a-list": b'{"id":"%s","payload":[1,2.50,1e400]}',
    "no-zone": b'{"id":"%s","created_at":"2026-01-02T03:04:05.123456","payload":"text"}',
}
PAYLOADS = [
    b'{"n":9007199254740993}',
    b'{"b":1,"a":2}',
    b'{"a":1}',
    b"{}",
    b'{"a":[]}',
    b'{"a": "\\u00e9<b>&"}',
    b"[1,2.50,1e400]",
    b'"text"',
]


def dead(id: str, payload: bytes = b'{"a":1}', at: float = 1_780_000_000.0) -> Record:
    return Record(QUEUE, payload, error="database is down", id=id, created_at=at, first_attempt=at, last_attempt=at)


def queued(letters: DeadLetters, queue: str = QUEUE) -> list[bytes]:
    """What waits in the queue, oldest first; RPOP is all that `dlq` may do to it."""
    client, found = letters.client, []
    while (one := client.rpop(queue)) is not None:
        found.insert(0, one)
    return found


@pytest.mark.parametrize("name", BODIES)
def test_d1_any_body_is_removed_by_its_id_and_restored_byte_for_byte(letters: DeadLetters, name: str) -> None:
    body = BODIES[name] % name.encode()
    letters.client.lpush(INBOX, body)
    letters.remove(QUEUE, name, by="ann")
    assert letters.list(QUEUE).letters == []
    letters.restore(QUEUE, name, by="ann")
    assert [one.body for one in letters.list(QUEUE).letters] == [body]


def test_d2_d3_a_retry_moves_each_payload_once_and_byte_for_byte(letters: DeadLetters) -> None:
    for name, body in BODIES.items():
        letters.client.lpush(INBOX, body % name.encode())
    for name in BODIES:
        letters.retry(QUEUE, name, by="ann")
        with pytest.raises(Unknown):
            letters.retry(QUEUE, name, by="ann")
    assert queued(letters) == PAYLOADS
    assert letters.stats(QUEUE).depth == 0


def test_d4_a_queue_of_the_wrong_type_refuses_and_the_letter_stays(letters: DeadLetters, server: Server) -> None:
    letters.add(dead("1"))
    server.root.set(QUEUE, "no list")
    with pytest.raises(Refused):
        letters.retry(QUEUE, "1", by="ann")
    assert not letters.get(QUEUE, "1").pending
    server.root.delete(QUEUE)
    letters.retry(QUEUE, "1", by="ann")
    assert queued(letters) == [b'{"a":1}']


def test_d5_two_operators_at_once_send_it_once(server: Server, letters: DeadLetters) -> None:
    answers: list[str] = []

    def press(operator: DeadLetters, id: str, start: threading.Barrier) -> None:
        start.wait()
        try:
            operator.retry(QUEUE, id, by="ann")
            answers.append("ok")
        except Unknown:
            answers.append("unknown")

    both = [DeadLetters(server.connect(), settings=letters.settings) for _ in range(2)]
    for number in range(100):
        letters.add(dead(str(number)))
        start = threading.Barrier(2)
        threads = [threading.Thread(target=press, args=(one, str(number), start)) for one in both]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (answers.count("ok"), answers.count("unknown")) == (100, 100)
    assert len(queued(letters)) == 100


def test_d6_d15_the_oldest_of_many_is_retried_without_moving_the_others(letters: DeadLetters, server: Server) -> None:
    letters.client.lpush(INBOX, *(json.dumps({"id": str(n), "payload": "x" * 2000}) for n in range(1502)))
    letters.adopt(QUEUE)
    before = server.root.info("stats")
    letters.retry(QUEUE, "0", by="ann")
    after = server.root.info("stats")
    assert after["total_net_output_bytes"] - before["total_net_output_bytes"] < 20_000
    assert letters.stats(QUEUE).depth == 1501


def test_d7_an_unknown_letter_is_told(letters: DeadLetters) -> None:
    for operation in (letters.retry, letters.remove, letters.restore, letters.purge):
        with pytest.raises(Unknown):
            operation(QUEUE, "nobody", by="ann")
    with pytest.raises(Unknown):
        letters.get(QUEUE, "nobody")


def test_d8_what_no_one_can_decode_is_shown_and_can_be_removed(letters: DeadLetters) -> None:
    bodies = [
        b"not JSON",
        b"[1]",
        b'"text"',
        b"\xff\x00",
        b'{"no":"id"}',
        b'{"id":7}',
        b'{"id":""}',
        b'{"id":"a\\nb"}',
        b"[" * 2000,
    ]
    letters.client.lpush(INBOX, *bodies)
    found = letters.list(QUEUE, order="oldest").letters
    assert [one.body for one in found] == bodies
    assert all(one.id == f"bad-{one.sha1}" for one in found)
    for one in found:
        with pytest.raises(ValueError, match="holds no payload"):
            letters.retry(QUEUE, one.id, by="ann")
        letters.remove(QUEUE, one.id, by="ann")
    assert letters.stats(QUEUE).counters["arrived:bad"] == len(bodies)


def test_d9_the_oldest_first_gives_the_queue_its_order_back(letters: DeadLetters) -> None:
    letters.client.lpush(INBOX, *(json.dumps({"id": id, "payload": id}) for id in "zyxabc"))
    for one in list(letters.each(QUEUE, order="oldest")):
        letters.retry(QUEUE, one.id, by="ann")
    assert queued(letters) == [b'"z"', b'"y"', b'"x"', b'"a"', b'"b"', b'"c"']


def test_d10_a_replayed_message_keeps_its_identity_until_it_is_quarantined(letters: DeadLetters) -> None:
    def fails(payload: bytes) -> None:
        raise TimeoutError("no answer")

    policy = RetryPolicy(max_attempts=2)
    ids, payload = set(), b'{"room": 1}'
    for _ in range(6):
        died = handle(letters, QUEUE, payload, fails, policy=policy, sleep=lambda _: None)
        assert died
        ids.add(died.id)
        if letters.get(QUEUE, died.id).state.get("quarantined"):
            break
        letters.retry(QUEUE, died.id, by="ann")
        assert queued(letters) == [payload]
    (id,) = ids
    assert letters.get(QUEUE, id).state == {"replays": 5, "quarantined": True}
    with pytest.raises(Quarantined):
        letters.retry(QUEUE, id, by="ann")
    letters.retry(QUEUE, id, by="ann", force=True)
    assert queued(letters) == [payload]


def test_d11_one_id_is_one_letter_and_none_is_lost(letters: DeadLetters) -> None:
    for _ in range(2):
        letters.add(dead("1"))
    assert letters.stats(QUEUE).depth == 1
    with pytest.raises(Conflict):
        letters.add(dead("1", b'{"other":1}'))
    letters.client.lpush(INBOX, b'{"id":"1","payload":"pushed"}', b'{"id":"1","payload":"pushed"}')
    assert sorted(one.payload or b"" for one in letters.each(QUEUE)) == [b'"pushed"', b'{"a":1}']
    for queue in ("", "a{b}", "UPPER", "new\nline"):
        with pytest.raises(ValueError, match="no name of a queue"):
            letters.retry(queue, "1", by="ann")


def test_d12_letters_end_at_their_retention_and_the_trash_a_week_later(letters: DeadLetters, clock: Clock) -> None:
    letters.add(dead("old", at=clock.now - 31 * 86400))
    letters.add(dead("new", at=clock.now - 29 * 86400))
    assert letters.cleanup(QUEUE) == (1, 0)
    letters.remove(QUEUE, "new", by="ann")
    clock.now += 7 * 86400 - 1
    assert letters.cleanup(QUEUE) == (0, 0)
    clock.now += 2
    assert letters.cleanup(QUEUE) == (0, 1)
    assert letters.stats(QUEUE).counters == {"arrived:exhausted": 2, "removed:retention": 1, "removed:operator": 1}
    assert letters.client.hlen(f"{{{INBOX}}}:m") == letters.client.hlen(f"{{{INBOX}}}:s") == 0


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_d14_pages_show_each_letter_once_while_others_come_and_go(letters: DeadLetters, order: str) -> None:
    for number in range(2500):  # of one millisecond: more than it has ages
        letters.client.lpush(INBOX, b'{"id":"%d","created_at":"2026-05-01T00:00:00Z"}' % number)
    seen: list[str] = []
    page = letters.list(QUEUE, limit=100, order=order)
    while True:
        seen += [one.id for one in page.letters]
        letters.remove(QUEUE, page.letters[-1].id, by="ann")  # the very letter that the cursor stands at
        if not page.cursor:
            break
        page = letters.list(QUEUE, limit=100, order=order, cursor=page.cursor)
    wanted = [str(number) for number in range(2500)]
    assert seen == (wanted if order == "oldest" else wanted[::-1])
    for limit in (0, -1, 501):
        with pytest.raises(ValueError, match="limit"):
            letters.list(QUEUE, limit=limit)


def test_d16_while_redis_is_away_letters_wait_on_disk(
    letters: DeadLetters, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.kill()
    try:
        assert letters.add(dead("1", at=1_779_999_999.0)) == "1"
        letters.add(Record(OTHER, b"no JSON \xff", id="2"))
    finally:
        server.start()
    assert letters.spool and letters.spool.count() == 2
    assert letters.local.errors == {(QUEUE, "add"): 1, (OTHER, "add"): 1}
    letters.add(dead("3"))  # the first that Redis takes brings the others
    assert [one.id for one in letters.each(QUEUE)] == ["3", "1"]
    assert letters.get(OTHER, "2").payload == b"no JSON \xff"
    assert letters.spool.count() == 0
    assert letters.local.add_failures == 0


def test_d16_a_redis_out_of_memory_sends_letters_to_the_disk(letters: DeadLetters, server: Server) -> None:
    server.root.config_set("maxmemory", "1")
    letters.add(dead("1"))
    assert letters.spool and letters.spool.count() == 1
    server.root.config_set("maxmemory", "0")
    assert letters.replay_spool() == 1
    assert letters.get(QUEUE, "1").payload == b'{"a":1}'


def test_without_a_spool_the_caller_is_told_that_nobody_took_it(server: Server, letters: DeadLetters) -> None:
    bare: Any = DeadLetters(letters.client, settings=letters.settings)
    server.root.config_set("maxmemory", "1")
    with pytest.raises(Exception, match="maxmemory"):
        bare.add(dead("1"))
    assert bare.local.add_failures == 1
