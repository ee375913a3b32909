"""What is done to many letters: groups, counts, bulk with its rate, jobs that go on by themselves."""

from __future__ import annotations

import threading
from itertools import pairwise
from typing import Any

import pytest

from auralink_shared.dlq import DeadLetters, Filter, Group, Jobs, NeedsAllowAll, Progress, Record, Unknown, bulk
from auralink_shared.dlq.bulk import Bucket
from conftest import QUEUE, Clock, Server

pytestmark = pytest.mark.each_server


def add(letters: DeadLetters, *ids: str, **more: Any) -> None:
    for at, id in enumerate(ids):
        letters.add(Record(QUEUE, id.encode(), **{"id": id, "created_at": 1000.0 + at, **more}))


def queued(letters: DeadLetters) -> list[bytes]:
    return list(iter(lambda: letters.client.rpop(QUEUE), None))[::-1]


def test_letters_are_grouped_by_their_error_the_most_frequent_first(letters: DeadLetters) -> None:
    add(letters, "1", error="room 7 is gone", error_type="KeyError", created_at=10.0)
    add(letters, "2", error="room 8 is gone", error_type="KeyError", created_at=20.0)
    add(letters, "3", error="timeout", created_at=30.0)
    first, second = letters.groups(QUEUE)
    assert first == Group(letters.get(QUEUE, "1").fingerprint, "room 8 is gone", "KeyError", 2, 10.0, 20.0)
    assert (second.error, second.count) == ("timeout", 1)
    assert [one.id for one in letters.each(QUEUE, only=Filter(fingerprint=first.fingerprint))] == ["2", "1"]
    assert [one.count for one in letters.groups(QUEUE, Filter(error="timeout"))] == [1]


def test_letters_are_counted_those_of_the_inbox_too(letters: DeadLetters) -> None:
    add(letters, "1", "2", error="timeout")
    letters.client.lpush(f"dlq:{QUEUE}", b"{}")
    assert letters.count(QUEUE) == letters.count(QUEUE, Filter()) == 3
    assert letters.count(QUEUE, Filter(error="timeout")) == 2


def test_a_bulk_retry_goes_from_the_oldest_and_tells_how_far_it_is(letters: DeadLetters) -> None:
    add(letters, *"abc")
    steps = list(letters.bulk(QUEUE, "retry", Filter(), by="ann", allow_all=True, rate=500))
    assert steps == [Progress(3, n, n) for n in range(4)]
    assert queued(letters) == [b"a", b"b", b"c"]


def test_a_bulk_removal_takes_what_the_filter_takes_and_counts_it_as_bulk(letters: DeadLetters) -> None:
    add(letters, "a", "b", error="timeout")
    add(letters, "c")
    *_, last = letters.bulk(QUEUE, "remove", Filter(error="TIMEOUT"), by="ann", rate=500)
    assert last == Progress(2, 2, 2)
    assert [one.id for one in letters.each(QUEUE)] == ["c"]
    assert letters.stats(QUEUE).counters["removed:bulk"] == 2


def test_a_dry_run_counts_and_changes_nothing(letters: DeadLetters) -> None:
    add(letters, *"abc")
    assert list(letters.bulk(QUEUE, "remove", Filter(), by="ann", dry_run=True)) == [Progress(3)]
    assert (letters.stats(QUEUE).depth, letters.audit()) == (3, [])


def test_a_filter_without_a_condition_must_be_meant(letters: DeadLetters) -> None:
    with pytest.raises(NeedsAllowAll):
        letters.bulk(QUEUE, "remove", Filter(), by="ann")
    assert next(letters.bulk(QUEUE, "remove", Filter(min_attempts=1), by="ann")) == Progress(0)


@pytest.mark.parametrize("wrong", [{"rate": 0}, {"rate": 500.1}, {"rate": -1}, {"rate": float("nan")}, {"limit": 0}])
def test_a_rate_or_limit_that_can_t_be_is_told_before_anything_is_done(letters: DeadLetters, wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"rate|limit"):
        letters.bulk(QUEUE, "retry", Filter(), by="ann", allow_all=True, **wrong)
    with pytest.raises(ValueError, match="purge"):
        letters.bulk(QUEUE, "purge", Filter(), by="ann", allow_all=True)


def test_a_limit_takes_the_oldest(letters: DeadLetters) -> None:
    add(letters, *"abc")
    *_, last = letters.bulk(QUEUE, "retry", Filter(), by="ann", allow_all=True, limit=2)
    assert (last, queued(letters)) == (Progress(2, 2, 2), [b"a", b"b"])


def test_what_can_t_be_done_is_counted_by_why_and_the_rest_goes_on(letters: DeadLetters) -> None:
    add(letters, "a", replays=5)
    letters.client.lpush(f"dlq:{QUEUE}", b"no letter")
    add(letters, "z")
    *_, last = letters.bulk(QUEUE, "retry", Filter(), by="ann", allow_all=True, rate=500)
    assert last == Progress(3, 3, 1, {"quarantined": 1, "no payload": 1})
    *_, forced = letters.bulk(QUEUE, "retry", Filter(quarantined=True), by="ann", force=True, rate=500)
    assert forced == Progress(1, 1, 1)
    assert queued(letters) == [b"z", b"a"]


def test_a_message_that_comes_back_meanwhile_is_not_sent_again(letters: DeadLetters, clock: Clock) -> None:
    add(letters, *(str(number) for number in range(110)))  # more than are read at once
    for progress in letters.bulk(QUEUE, "retry", Filter(), by="ann", allow_all=True, rate=500):
        if progress.done == 0:
            letters.remove(QUEUE, "109", by="bob")  # so that one of those that were counted is missing
        while (message := letters.client.rpop(QUEUE)) is not None:
            letters.add(Record(QUEUE, message, created_at=clock.now))
    assert progress == Progress(110, 109, 109)
    assert (letters.stats(QUEUE).depth, letters.stats(QUEUE).counters["replayed:ok"]) == (109, 109)


def test_closing_the_iterator_stops_it_and_the_audit_says_how_far_it_was(letters: DeadLetters) -> None:
    add(letters, *"abc")
    steps = letters.bulk(QUEUE, "retry", Filter(), by="ann", allow_all=True, rate=500, note="outage of tuesday")
    assert [next(steps).done, next(steps).done] == [0, 1]
    steps.close()
    whole, one = letters.audit()
    assert (whole.what, whole.result, whole.more["done"], whole.more["note"]) == (
        "bulk",
        "stopped",
        "1",
        "outage of tuesday",
    )
    assert (one.what, one.letter, one.result) == ("retry", "a", "ok")
    assert queued(letters) == [b"a"]


class Hand:
    """A clock that sleeping moves, by a little more than was asked for, as real ones do."""

    now = 100.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds + 0.0001


@pytest.mark.parametrize("rate", [0.5, 50, 500])
def test_no_second_sees_more_than_the_rate_and_a_pause_saves_nothing_up(rate: float) -> None:
    hand, taken = Hand(), []
    bucket = Bucket(rate, now=lambda: hand.now, sleep=hand.sleep)
    for turn in range(2000):
        bucket.take()
        taken.append(hand.now)
        if turn % 300 == 0:
            hand.now += 60
    window = max(1, int(rate))
    assert min(after - before for before, after in zip(taken, taken[window:], strict=False)) > (window - 0.2) / rate
    assert sorted(after - before for before, after in pairwise(taken))[1000] < 1.05 / rate + 0.0001


def jobs_of(letters: DeadLetters) -> Jobs:
    return Jobs(letters, beat=0.02)


def test_a_job_runs_on_its_own_and_another_process_sees_it(letters: DeadLetters, server: Server, clock: Clock) -> None:
    add(letters, *"abc", replays=5)
    add(letters, "d")
    jobs = jobs_of(letters)
    job = jobs.start(QUEUE, "retry", Filter(min_attempts=1), by="ann", rate=500)
    assert (job.state, job.filter) == ("running", {"min_attempts": 1})
    done = jobs.wait(job.id)
    other = Jobs(DeadLetters(server.connect(), settings=letters.settings, clock=clock))
    assert other.get(job.id) == done
    assert (done.state, done.matched, done.done, done.ok, done.failed) == ("done", 4, 4, 1, {"quarantined": 3})
    assert (done.started, done.ended, done.by) == (clock.now, clock.now, "ann")
    assert [one.id for one in other.list()] == [job.id]


def slow(letters: DeadLetters) -> tuple[Jobs, Any]:
    """A job whose second letter's turn comes in an hour."""
    jobs, begun = jobs_of(letters), threading.Event()
    discard = letters.discard
    letters.discard = lambda *a, **b: (discard(*a, **b), begun.set())  # type: ignore[method-assign]
    job = jobs.start(QUEUE, "remove", Filter(), by="ann", rate=1 / 3600, allow_all=True)
    assert begun.wait(30)
    return jobs, job


def test_a_job_is_cancelled_from_another_process(letters: DeadLetters, server: Server, clock: Clock) -> None:
    add(letters, *"abc")
    jobs, job = slow(letters)
    Jobs(DeadLetters(server.connect(), settings=letters.settings, clock=clock)).cancel(job.id)
    ended = jobs.wait(job.id, 30)
    assert (ended.state, ended.done, ended.matched) == ("cancelled", 1, 3)
    assert letters.audit()[0].result == "stopped"


def test_jobs_end_with_their_process(letters: DeadLetters) -> None:
    add(letters, *"abc")
    jobs, job = slow(letters)
    jobs.close()
    assert jobs.get(job.id).state == "cancelled"


def test_a_job_without_a_beat_is_lost_and_a_week_later_forgotten(
    letters: DeadLetters, clock: Clock, server: Server
) -> None:
    add(letters, "a")
    jobs = jobs_of(letters)
    job = jobs.start(QUEUE, "remove", Filter(), by="ann", allow_all=True)
    jobs.wait(job.id)
    key = f"{{dlq}}:job:{job.id}"
    letters.client.hset(key, "state", "running")  # as a process leaves it that was killed
    assert jobs.get(job.id).state == "running"
    clock.now += 31
    assert jobs.get(job.id).state == "lost"
    assert 6.9 * 86400 < server.root.ttl(key) <= 7 * 86400
    server.root.delete(key)
    assert jobs.list() == []
    assert server.root.zcard("{dlq}:jobs") == 0
    with pytest.raises(Unknown):
        jobs.get(job.id)


def test_a_job_that_redis_stops_says_why(letters: DeadLetters, monkeypatch: pytest.MonkeyPatch) -> None:
    add(letters, "a", "b")

    def breaks(*_: Any, **__: Any) -> None:
        raise ConnectionError("gone")

    monkeypatch.setattr(letters, "discard", breaks)
    jobs = jobs_of(letters)
    ended = jobs.wait(jobs.start(QUEUE, "remove", Filter(), by="ann", allow_all=True).id)
    assert (ended.state, ended.error) == ("failed", "ConnectionError: gone")


def test_a_job_that_can_t_be_is_no_job(letters: DeadLetters) -> None:
    jobs = jobs_of(letters)
    with pytest.raises(NeedsAllowAll):
        jobs.start(QUEUE, "remove", Filter(), by="ann")
    with pytest.raises(ValueError, match="function"):
        jobs.start(QUEUE, "remove", Filter(match=lambda _: True), by="ann")
    assert jobs.list() == []
    assert bulk.ACTIONS == ("retry", "remove")
