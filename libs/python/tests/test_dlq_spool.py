"""The spool: what it took is there after any crash, in its order, once."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from servers import Nodes, free_port

from auralink_shared.dlq import DeadLetters, Record, Spool, TooLarge
from auralink_shared.dlq.spool import Spooled
from conftest import QUEUE, SETTINGS, Server


def letter(id: str, body: bytes = b"\xff{}") -> Spooled:
    return Spooled(QUEUE, id, body, 1000, "exhausted", 0)


def replayed(spool: Spool) -> list[Spooled]:
    found: list[Spooled] = []
    spool.replay(found.append)
    return found


def test_letters_come_back_in_order_byte_for_byte_and_once(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "not" / "there" / "spool")
    assert (spool.count(), spool.waiting, replayed(spool)) == (0, False, [])
    for id in "123":
        spool.append(letter(id))
    assert replayed(spool) == [letter(id) for id in "123"]
    assert (spool.count(), spool.waiting) == (0, False)


def test_the_first_letter_of_a_spool_is_a_warning_with_what_redis_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = redis.Redis(port=free_port(), retry=None)
    letters = DeadLetters(client, settings=SETTINGS, spool=Spool(tmp_path / "spool"))
    for id in "ab":
        letters.add(Record(QUEUE, b"{}", id=id))
    letters.close()
    said = [one.getMessage() for one in caplog.records if "go to the spool" in one.getMessage()]
    assert len(said) == 1 and "refused" in said[0]


def test_a_line_that_a_crash_cut_off_hides_no_other_and_is_put_aside(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.append(letter("1"))
    with spool.path.open("ab") as file:
        file.write(b'{"queue": "rooms:cr')
    spool.append(letter("2"))
    assert replayed(spool) == [letter("1"), letter("2")]
    assert (tmp_path / "spool.bad").read_bytes() == b'{"queue": "rooms:cr\n'


def test_a_replay_that_stops_keeps_the_rest(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    for id in "123":
        spool.append(letter(id))

    def add(one: Spooled) -> None:
        if one.id == "2":
            raise ConnectionError

    with pytest.raises(ConnectionError):
        spool.replay(add)
    assert replayed(spool) == [letter("2"), letter("3")]


def _append(path: Path, name: str) -> None:
    for number in range(50):
        Spool(path).append(letter(f"{name}{number}", b"x" * 5000))


def test_processes_share_a_spool(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    processes = [multiprocessing.get_context("spawn").Process(target=_append, args=(path, name)) for name in "abc"]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert sorted(one.id for one in replayed(Spool(path))) == sorted(f"{name}{n}" for name in "abc" for n in range(50))


def test_the_spool_takes_nothing_that_redis_would_refuse_for_ever(letters: DeadLetters, server: Server) -> None:
    server.root.config_set("maxmemory", "1")
    with pytest.raises(TooLarge):
        letters.add(Record(QUEUE, b'"%s"' % (b"x" * 300_000)))
    assert letters.spool is not None and letters.spool.count() == 0


def test_a_letter_whose_id_was_taken_meanwhile_is_kept_under_another(letters: DeadLetters) -> None:
    assert letters.spool is not None
    letters.spool.append(letter("1", b'{"payload":"spooled"}'))
    letters.add(Record(QUEUE, b"1", id="1"))
    assert sorted(one.payload or b"" for one in letters.each(QUEUE)) == [b'"spooled"', b"1"]


def until(condition: Callable[[], bool]) -> None:
    """What a thread does by itself has no event to wait for."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_cluster_of_which_no_node_answers_is_a_redis_that_is_away(tmp_path: Path) -> None:
    """Not for redis-py: what it raises then is no RedisError (8.1)."""
    (tmp_path / "nodes").mkdir()
    cluster = Nodes(tmp_path / "nodes")
    letters = DeadLetters(cluster.connect(), settings=SETTINGS, spool=Spool(tmp_path / "spool"), spool_seconds=0.02)
    cluster.kill()
    try:
        letters.add(Record(QUEUE, b"1", id="1"))
        assert letters.spool and letters.spool.waiting == 1
        for node in cluster.nodes:
            node.start()
        until(lambda: not letters.spool.waiting)
        assert [one.id for one in letters.each(QUEUE)] == ["1"]
    finally:
        cluster.kill()


def test_the_spool_empties_by_itself_once_redis_is_back(server: Server, redis: Any, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    letters = DeadLetters(redis, settings=SETTINGS, spool=spool, spool_seconds=0.02)
    server.kill()
    try:
        letters.add(Record(QUEUE, b"1", id="1"))
        assert spool.count() == 1
    finally:
        server.start()
    until(lambda: not spool.waiting)
    assert letters.get(QUEUE, "1").payload == b"1"
    until(lambda: not [one for one in threading.enumerate() if one.name == "dead letter spool"])


def test_what_an_earlier_process_left_in_the_spool_is_brought_without_an_add(redis: Any, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.append(letter("1", b'{"payload":1}'))
    letters = DeadLetters(redis, settings=SETTINGS, spool=spool, spool_seconds=0.02)
    until(lambda: not spool.waiting)
    assert letters.get(QUEUE, "1").payload == b"1"
    letters.close()
