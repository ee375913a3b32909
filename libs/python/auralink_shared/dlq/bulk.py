"""Many letters in one go, the oldest first, so that messages come back in the order in which they died."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from .errors import DeadLetterError, NeedsAllowAll
from .letter import Filter, Letter

if TYPE_CHECKING:
    from .queue import DeadLetters

ACTIONS = ("retry", "remove")
MOST_PER_SECOND = 500.0  # as SQS has it for redrives: consumers that failed once are not run over


@dataclass(frozen=True)
class Progress:
    """Of `matched` letters `done` were tried. `failed`: by why, in words of docs/dead-letters.md; they stay where they were."""

    matched: int
    done: int = 0
    ok: int = 0
    failed: dict[str, int] = field(default_factory=dict)


class Bucket:
    """`rate` tokens a second that can't be saved up: no burst after a pause. A sleep up to a tenth too long is made good."""

    def __init__(
        self,
        rate: float,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        if not 0 < rate <= MOST_PER_SECOND:
            raise ValueError(f"rate {rate:g} is not between 0 and {MOST_PER_SECOND:g} letters a second")
        self.rate, self.now, self.sleep = rate, now, sleep
        self._next = now()

    def take(self) -> bool:
        """True once the next letter's turn has come; False where `sleep` says that nobody goes on (as Event.wait does)."""
        while (wait := self._next - self.now()) > 0:
            if self.sleep(wait):
                return False
        self._next = max(self._next + 1 / self.rate, self.now() + 0.9 / self.rate)
        return True


def run(
    letters: DeadLetters,
    queue: str,
    action: str,
    only: Filter,
    *,
    by: str,
    bucket: Bucket,
    dry_run: bool = False,
    allow_all: bool = False,
    force: bool = False,
    limit: int | None = None,
    note: str = "",
) -> Generator[Progress, None, None]:
    """As DeadLetters.bulk; what it can't do it says at once, before the first letter is asked for."""
    if action not in ACTIONS:
        raise ValueError(f"{action!r} is nothing that is done to many (retry or remove)")
    if limit is not None and limit < 1:
        raise ValueError(f"limit {limit} is less than 1")
    if only.empty and not (allow_all or dry_run):
        raise NeedsAllowAll(f"no condition says which letters of {queue}: give one, or allow all")

    def steps() -> Generator[Progress, None, None]:
        if not dry_run:
            letters.sweep(queue, by=by)
        newest = letters.list(queue, limit=1).letters
        # what comes back meanwhile is younger than all that is here, and not meant
        last = newest[0].age / 1e6 if newest else 0.0
        meant = replace(only, until=last if only.until is None else min(last, only.until))
        matched = letters.count(queue, only if only.empty else meant)
        progress = Progress(min(matched, limit or matched))
        if dry_run or not matched:
            yield progress
            return
        written = only.as_dict() if only.match is None else {"match": "a function"}
        more = {"action": action, "filter": json.dumps(written), "rate": f"{bucket.rate:g}", "note": note}
        with letters.trail.asked("bulk", queue, "", by, **more) as asked:
            failed: Counter[str] = Counter()
            try:
                yield progress
                for letter in letters.each(queue, order="oldest", limit=100, only=meant):
                    if not bucket.take():
                        asked.result = "stopped"
                        break
                    why = _one(letters, action, letter, by=by, force=force, bulk=asked.id)
                    failed += Counter([why] if why else [])
                    done, wrong = progress.done + 1, sum(failed.values())
                    progress = Progress(progress.matched, done, done - wrong, dict(failed))
                    yield progress
                    if done == progress.matched:
                        break
            except GeneratorExit:
                asked.result = "stopped"
            asked.more.update(done=progress.done, ok=progress.ok, failed=json.dumps(progress.failed))

    return steps()


def _one(letters: DeadLetters, action: str, letter: Letter, *, by: str, force: bool, bulk: str) -> str:
    """Why it failed, or ""."""
    try:
        if action == "retry":
            letters.send(letter, by=by, force=force, bulk=bulk)
        else:
            letters.discard(letter, by=by, bulk=bulk)
    except DeadLetterError as error:
        return type(error).__name__.lower()
    except ValueError:
        return "no payload"
    return ""
