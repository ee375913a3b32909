"""Where the letters of a queue are in Redis. **[contract]**: Go, the exporter's arguments and the ACL name the same keys."""

from __future__ import annotations

import re
from dataclasses import dataclass

AUDIT = "{dlq}:audit"
JOBS = "{dlq}:jobs"
# As `queue` in observability.schema.json. A brace would move the index into another slot than the inbox.
_QUEUE = re.compile(r"[a-z0-9][a-z0-9:_.-]{0,99}")


@dataclass(frozen=True)
class Keys:
    """Keys of one queue. `index` is the six that every script takes, all in the slot of the inbox.

    The tag of `{dlq:QUEUE}` is the inbox's whole name, so both hash alike; the queue itself is in another slot.
    Raises ValueError for a name that no declaration could hold.
    """

    queue: str

    def __post_init__(self) -> None:
        if not _QUEUE.fullmatch(self.queue):
            raise ValueError(f"{self.queue!r} is no name of a queue (lower case letters, digits and : _ . -)")

    @property
    def index(self) -> tuple[str, ...]:
        """Inbox, bodies, ages, states, trash, counters."""
        inbox = f"dlq:{self.queue}"
        return (inbox, *(f"{{{inbox}}}:{part}" for part in "mzstc"))

    @property
    def states(self) -> str:
        """Id to state, of those that have one."""
        return self.index[3]

    def seen(self, letter: str, token: str) -> str:
        """Says that the retry of this token has reached the queue."""
        return f"{{{self.queue}}}:dlqseen:{letter}:{token}"

    def meta(self, digest: str) -> str:
        """Says which letter a payload was, by its SHA-1: a queue carries payloads only."""
        return f"{{{self.queue}}}:dlqmeta:{digest}"


def job(id: str) -> str:
    """A bulk job's hash, in the slot of JOBS."""
    return f"{{dlq}}:job:{id}"
