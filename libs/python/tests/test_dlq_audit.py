"""The audit stream: each change has its entry, and one that was cut off is seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import RedisError

from auralink_shared.dlq import DeadLetters, Filter, Record, Unknown, scripts
from conftest import OTHER, QUEUE, Clock, Server

pytestmark = pytest.mark.each_server


def add(letters: DeadLetters, *ids: str, queue: str = QUEUE) -> None:
    for id in ids:
        letters.add(Record(queue, b"1", id=id))


def test_who_did_what_is_read_the_newest_first_by_queue_and_page(letters: DeadLetters) -> None:
    add(letters, "1", "2")
    add(letters, "3", queue=OTHER)
    letters.remove(QUEUE, "1", by="ann", note="a copy of 2")
    letters.remove(OTHER, "3", by="bob")
    letters.retry(QUEUE, "2", by="cat", payload=b"2")
    with pytest.raises(Unknown):
        letters.restore(QUEUE, "nobody", by="dan")

    def told(*arguments: Any, **more: Any) -> list[tuple[str, str, str, str, str]]:
        found = letters.audit(*arguments, **more)
        return [(one.what, one.queue, one.letter, one.by, one.result) for one in found]

    whole = [
        ("restore", QUEUE, "nobody", "dan", "unknown"),
        ("edit", QUEUE, "2", "cat", "ok"),
        ("remove", OTHER, "3", "bob", "ok"),
        ("remove", QUEUE, "1", "ann", "ok"),
    ]
    assert told() == whole
    assert told(OTHER) == whole[2:3]
    first = letters.audit(limit=2)
    assert told(limit=2) + told(before=first[-1].id) == whole
    assert letters.audit()[3].more == {"reason": "operator", "note": "a copy of 2"}
    assert abs(letters.audit()[0].at - float(letters.client.info("server")["server_time_usec"]) / 1e6) < 60


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("what", ["retry", "remove", "restore", "purge", "cleanup"])
def test_an_operation_whose_client_dies_in_it_stays_asked(
    letters: DeadLetters, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    add(letters, "1")
    if what in ("restore", "purge"):
        letters.remove(QUEUE, "1", by="ann")
    run = scripts.run

    def dying(client: Any, name: str, *rest: Any) -> Any:
        answer = run(client, name, *rest)
        if name in (what, "list"):
            raise Killed
        return answer

    monkeypatch.setattr(scripts, "run", dying)
    with pytest.raises(Killed):
        getattr(letters, what)(QUEUE, *([] if what == "cleanup" else ["1"]), by="ann")
    last = letters.audit()[0]
    assert (last.what, last.queue, last.by, last.result) == (what, QUEUE, "ann", "asked")


def test_without_its_entry_nothing_is_done(letters: DeadLetters, server: Server) -> None:
    add(letters, "1")
    server.root.set("{dlq}:audit", "no stream")
    for operation in (letters.retry, letters.remove):
        with pytest.raises(RedisError):
            operation(QUEUE, "1", by="ann")
    with pytest.raises(RedisError):
        list(letters.bulk(QUEUE, "remove", Filter(), by="ann", allow_all=True))
    assert letters.stats(QUEUE).depth == 1


def test_a_full_redis_lets_go_all_the_same(
    letters: DeadLetters, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    add(letters, "1")
    letters.remove(QUEUE, "1", by="ann")
    server.root.config_set("maxmemory", "1")
    letters.purge(QUEUE, "1", by="ann")
    assert letters.stats(QUEUE).trash == 0
    assert "audit stream" in caplog.text


def test_cleanup_lets_entries_go_after_a_year_and_says_so(letters: DeadLetters, clock: Clock, server: Server) -> None:
    clock.now = float(server.root.time()[0])
    add(letters, *"abc")
    for id in "abc":
        letters.remove(QUEUE, id, by="ann")
    clock.now += 364 * 86400
    letters.cleanup(QUEUE)
    assert [one.what for one in letters.audit()] == ["cleanup", "remove", "remove", "remove"]
    clock.now += 2 * 86400
    letters.cleanup(QUEUE, by="night")
    trim = letters.audit()[0]
    # its own question too, since the clock of Redis stands still
    assert (trim.what, trim.by, trim.result, trim.more["entries"]) == ("trim", "night", "ok", "6")
    assert len(letters.audit()) == 1


def test_the_archive_has_each_letter_and_what_is_purged_of_the_trash(
    letters: DeadLetters, clock: Clock, tmp_path: Path
) -> None:
    letters.add(Record(QUEUE, b"1", id="old", created_at=clock.now - 31 * 86400))
    letters.add(Record(QUEUE, b"1", id="removed", created_at=clock.now))
    letters.remove(QUEUE, "removed", by="ann")
    clock.now += 8 * 86400
    assert letters.cleanup(QUEUE, archived=tmp_path / "archive") == (1, 1)
    text = (tmp_path / "archive").read_text(encoding="utf-8")
    assert [line.split('"id": "')[1].split('"')[0] for line in text.splitlines()] == ["old", "removed"]
    assert letters.audit()[0].more == {"letters": "1", "purged": "1"}
