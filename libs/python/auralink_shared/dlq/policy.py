"""Try a message a few times, then let it die where a person finds it."""

from __future__ import annotations

import hashlib
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from ..logging.trace import ZEROS, current
from .errors import Conflict
from .keys import Keys
from .record import Record

if TYPE_CHECKING:
    from .queue import DeadLetters

T = TypeVar("T")


class Rejected(Exception):  # noqa: N818 - a verdict on a message, no failure of the program
    """Raised by work that knows that trying again is of no use: the message dies at once, with reason `rejected`."""


@dataclass(frozen=True)
class Died:
    """The message became a dead letter of this id."""

    id: str


@dataclass(frozen=True)
class RetryPolicy:
    """Exponential backoff with full jitter: before attempt n+1, between 0 and `base` * 2^(n-1) seconds, `cap` at most.

    (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.)
    """

    max_attempts: int = 3
    base: float = 0.5
    cap: float = 30.0

    def delay(self, attempt: int, uniform: Callable[[float, float], float] = random.uniform) -> float:
        """Seconds to wait after the failed attempt `attempt` (1, 2, …)."""
        return uniform(0.0, min(self.cap, self.base * 2.0 ** min(attempt - 1, 60)))


def handle(
    letters: DeadLetters,
    queue: str,
    payload: bytes,
    work: Callable[[bytes], T],
    *,
    policy: RetryPolicy | None = None,
    trace_id: str | None = None,
    sleep: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.time,
) -> T | Died:
    """What `work` returns, or the letter that the message became after `policy`'s attempts (the queue's own by default).

    A message that an operator had replayed keeps its id, its first attempt counted anew, and its replays, so that it is
    quarantined once it comes back too often. `trace_id`: that of the current span or unit of work, unless given. Raises
    what `DeadLetters.add` raises: then the message is nowhere but with the caller.
    """
    policy = policy or RetryPolicy(letters.settings.of(queue).max_attempts)
    first, attempt = clock(), 0
    while True:
        attempt += 1
        try:
            return work(payload)
        except Exception as error:
            rejected = isinstance(error, Rejected)
            if not rejected and attempt < policy.max_attempts:
                sleep(policy.delay(attempt))
                continue
            now, known = clock(), letters.known(queue, payload)
            record = Record(
                queue=queue,
                payload=payload,
                error=_said(error),
                error_type=type(error).__name__,
                reason="rejected" if rejected else "exhausted",
                attempts=attempt,
                first_attempt=first,
                last_attempt=now,
                created_at=now,
                trace_id=_trace() if trace_id is None else trace_id,
                # an id that may be another message's too: equal bytes would be taken for the same letter, added twice
                death=uuid.uuid4().hex if known else "",
                **known,
            )
            try:
                return Died(letters.add(record))
            except Conflict:  # two messages of one payload were replayed, and the other came back first
                return Died(letters.add(replace(record, id=str(uuid.uuid4()))))


def _trace() -> str:
    found = current().trace_id
    return "" if found == ZEROS else found


def _said(error: BaseException) -> str:
    try:
        return str(error) or type(error).__name__
    except Exception:  # an exception whose text can't be had is no reason to lose the message
        return type(error).__name__


def meta_key(queue: str, payload: bytes) -> str:
    """Where a retry has left word of which letter this payload was."""
    return Keys(queue).meta(hashlib.sha1(payload, usedforsecurity=False).hexdigest())
