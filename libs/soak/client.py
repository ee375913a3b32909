"""The client in Python, as README.md says what a client is: `python -m soak.client --redis URL --queue QUEUE --op add`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import redis

from auralink_shared.dlq import DeadLetterError, DeadLetters, Record, Spool
from auralink_shared.dlq.letter import Filter, Letter

BIRTH = 1_577_836_800.0  # 2020-01-01T00:00:00Z
BY = "soak"


def main(arguments: Sequence[str]) -> int:
    """Prints what was acknowledged; 1 where Redis or the network failed."""
    options = _options(arguments)
    letters = _letters(options)
    try:
        for line in _acknowledged(letters, options):
            print(line, flush=True)
    except (redis.RedisError, OSError) as error:
        print(f"{options.op} in {options.queue}: {error!r}", file=sys.stderr)
        return 1
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--redis", required=True)
    parser.add_argument("--cluster", action="store_true")
    parser.add_argument("--queue", required=True)
    parser.add_argument("--op", required=True, choices=["add", "retry", "remove", "bulk", "cleanup"])
    parser.add_argument("--spool", type=Path)
    parser.add_argument("--archive", type=Path)
    parser.add_argument("--die-after", type=int)
    return parser.parse_args(arguments)


def _letters(options: argparse.Namespace) -> DeadLetters:
    client: Any = (redis.RedisCluster if options.cluster else redis.Redis).from_url(options.redis)
    if options.die_after:
        client.execute_command = _dying(client.execute_command, options.die_after)
    return DeadLetters(client, spool=Spool(options.spool) if options.spool else None)


def _dying(execute: Callable[..., Any], left: int) -> Callable[..., Any]:
    def counted(*command: Any, **how: Any) -> Any:
        nonlocal left
        try:
            return execute(*command, **how)
        finally:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return counted


def _acknowledged(letters: DeadLetters, options: argparse.Namespace) -> Iterator[int]:
    queue = options.queue
    if options.op == "bulk":
        yield from _bulk(letters, queue)
    elif options.op == "cleanup":
        yield letters.cleanup(queue, by=BY, archived=options.archive)[0]
    else:
        yield from _one_by_one(letters, queue, options.op, map(int, sys.stdin))


def _bulk(letters: DeadLetters, queue: str) -> Iterator[int]:
    """Which letters were sent: a redrive tells how many, and takes them in the order in which it asked the filter."""
    asked: list[int] = []

    def every(letter: Letter) -> bool:
        asked.append(int(letter.id))
        return True

    running = letters.bulk(queue, "retry", Filter(match=every), by=BY, rate=500.0)
    ok = next(running).ok
    asked.clear()  # those it had counted
    for progress in running:
        if progress.ok > ok:
            yield asked[progress.done - 1]
        ok = progress.ok


def _one_by_one(letters: DeadLetters, queue: str, operation: str, ids: Iterable[int]) -> Iterator[int]:
    for id in ids:
        try:
            if operation == "add":
                letters.add(_record(queue, id))
            elif operation == "retry":
                letters.retry(queue, str(id), by=BY)
            else:
                letters.remove(queue, str(id), by=BY)
        except DeadLetterError:  # no acknowledgement: somebody was faster
            continue
        yield id


def _record(queue: str, id: int) -> Record:
    at = BIRTH + id / 1000
    return Record(
        queue,
        str(id).encode(),
        error="soak",
        attempts=3,
        created_at=at,
        first_attempt=at,
        last_attempt=at,
        id=str(id),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
