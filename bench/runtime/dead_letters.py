"""Dead letters: an operation beside 1,000, 100,000 and 1,000,000 letters, and a redrive beside RQ's."""

from __future__ import annotations

import itertools
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any, NamedTuple

from auralink_shared.dlq import DeadLetters, Record
from auralink_shared.dlq import bulk as many
from auralink_shared.dlq.letter import Filter
from auralink_shared.dlq.record import rfc3339
from bench.table import table

from .redis_server import server

BORN = 1_760_000_000.0  # seconds; a letter a millisecond from then on
PAYLOAD = b'{"room_id":"room_%d","participants":[1,2,3,4],"options":{"record":true,"region":"eu-central-1"}}'
PAGE = 50


class Queue(NamedTuple):
    """A queue and what a client needs of it; `ids` are in no order."""

    name: str
    size: int
    ids: Iterator[str]
    middle: str


def report(quick: bool) -> str:
    """Seconds are those of the wall, since Redis and its disk do most of the work; each number is the median."""
    sizes, rounds, jobs = ((1_000, 3_000), 20, 200) if quick else ((1_000, 100_000, 1_000_000), 200, 5_000)
    with server() as client:
        letters = DeadLetters(client)
        queues = [_filled(letters, size) for size in sizes]
        flat = _operations(letters, queues, rounds)
        redriven = _redrives(letters, jobs, 1 if quick else 3)
    return "\n".join([_flat(flat, sizes), _beside(redriven, jobs)])


# One letter among many


def _filled(letters: DeadLetters, size: int) -> Queue:
    """By the inbox, without its file: what is asked is not how fast it fills."""
    name, client = f"bench:{size}", letters.client
    print(f"dead letters: {size:,} letters", file=sys.stderr)
    client.config_set("appendonly", "no")
    for first in range(0, size, 1000):
        client.lpush(f"dlq:{name}", *(_body(name, number) for number in range(first, min(first + 1000, size))))
    while letters.adopt(name):
        pass
    client.config_set("appendonly", "yes")
    while client.info("persistence")["aof_rewrite_in_progress"]:
        time.sleep(0.1)
    ids = random.Random(size).sample(range(size), min(size, 1000))
    return Queue(name, size, map(str, ids), str(int(BORN * 1e6) + size // 2 * 1000))


def _body(queue: str, number: int) -> bytes:
    at = rfc3339(BORN + number / 1000).encode()
    return (
        b'{"id":"%d","original_queue":"%s","payload":%s,"error":"timeout","attempts":3,"first_attempt":"%s",'
        b'"last_attempt":"%s","created_at":"%s"}' % (number, queue.encode(), PAYLOAD % number, at, at, at)
    )


def _operations(letters: DeadLetters, queues: list[Queue], rounds: int) -> dict[str, dict[int, float]]:
    """Each operation on each queue once a round: a slow minute meets all of them."""
    taken: dict[str, dict[int, list[float]]] = {}
    for number in range(rounds):
        for queue in queues:
            for name, work in _work(letters, queue, number):
                begun = time.perf_counter()
                work()
                taken.setdefault(name, {}).setdefault(queue.size, []).append(time.perf_counter() - begun)
    return {name: {size: median(times) for size, times in row.items()} for name, row in taken.items()}


def _work(letters: DeadLetters, queue: Queue, number: int) -> Iterator[tuple[str, Callable[[], object]]]:
    record = Record(queue.name, PAYLOAD % number, error="timeout", id=f"new-{number}")
    retried, removed = next(queue.ids), next(queue.ids)
    yield "`add`", lambda: letters.add(record)
    yield "`retry` by id", lambda: letters.retry(queue.name, retried, by="bench")
    yield "`remove` by id", lambda: letters.remove(queue.name, removed, by="bench")
    yield "`list`, the newest 50", lambda: letters.list(queue.name, limit=PAGE)
    yield "`list`, 50 in the middle", lambda: letters.list(queue.name, limit=PAGE, cursor=queue.middle)


def _flat(found: dict[str, dict[int, float]], sizes: tuple[int, ...]) -> str:
    small, *larger = sizes
    head = ["one operation", f"among {small:,}", *(f"among {size:,} ÷ that" for size in larger)]
    return table(
        head,
        (
            [name, f"{row[small] * 1e6:.0f} µs", *(f"{row[size] / row[small]:.2f}" for size in larger)]
            for name, row in found.items()
        ),
    )


# All letters, beside RQ


class Redrive(NamedTuple):
    """Seconds for all, of the wall and of the client's processor."""

    wall: float
    cpu: float


def _redrives(letters: DeadLetters, jobs: int, rounds: int) -> dict[str, Redrive]:
    ways: dict[str, Callable[[DeadLetters, int, str], Callable[[], int]]] = {"ours": _ours, "RQ": _rq}
    found: dict[str, list[Redrive]] = {}
    for number in range(rounds):
        for name, prepare in ways.items():
            print(f"dead letters: redrive, {name}, round {number + 1} of {rounds}", file=sys.stderr)
            work = prepare(letters, jobs, f"redrive:{number}")
            wall, cpu = time.perf_counter(), _cpu()
            done = work()
            found.setdefault(name, []).append(Redrive(time.perf_counter() - wall, _cpu() - cpu))
            if done != jobs:
                raise RuntimeError(f"{name} sent {done} of {jobs}")
    return {name: min(rows) for name, rows in found.items()}


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _ours(letters: DeadLetters, jobs: int, queue: str) -> Callable[[], int]:
    """`bulk` without its rate: a clock that runs a second at each look never makes it wait."""
    letters.client.lpush(f"dlq:{queue}", *(_body(queue, number) for number in range(jobs)))
    letters.adopt(queue)
    bucket = many.Bucket(many.MOST_PER_SECOND, now=itertools.count().__next__)

    def work() -> int:
        for _ in many.run(letters, queue, "retry", Filter(), by="bench", bucket=bucket, allow_all=True):
            pass
        return int(letters.client.llen(queue))

    return work


def _rq(letters: DeadLetters, jobs: int, queue: str) -> Callable[[], int]:
    """As `rq requeue --all` does it."""
    import rq
    from rq.job import Job, JobStatus

    client: Any = letters.client
    target = rq.Queue(queue, connection=client)
    registry = rq.registry.FailedJobRegistry(queue=target)
    with client.pipeline() as pipeline:
        for number in range(jobs):
            job = Job.create("builtins.print", (PAYLOAD % number,), connection=client, origin=queue)
            job.set_status(JobStatus.FAILED, pipeline=pipeline)
            job.save(pipeline=pipeline)
            registry.add(job, exc_string="timeout", pipeline=pipeline)
        pipeline.execute()

    def work() -> int:
        for id in registry.get_job_ids():
            registry.requeue(id)
        return len(target)

    return work


def _beside(found: dict[str, Redrive], jobs: int) -> str:
    rq = found["RQ"]
    return table(
        [f"redrive of {jobs:,}", "a second", "client's CPU each", "seconds ÷ RQ's", "CPU ÷ RQ's"],
        (
            [
                name,
                f"{jobs / one.wall:,.0f}",
                f"{one.cpu / jobs * 1e6:.0f} µs",
                f"{one.wall / rq.wall:.2f}",
                f"{one.cpu / rq.cpu:.2f}",
            ]
            for name, one in found.items()
        ),
    )
