"""Who did what to which letter. An operation is asked for, then done, then answered; what stays `asked` was cut off.

The entry that asks stands before the first change. Once the operation has ended, one entry with its result takes its
place, in one step (audit.lua). So no change is without an entry, and a client that died between the two is seen.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ..logging.trace import ZEROS, current
from . import scripts
from .errors import REDIS
from .keys import AUDIT

ASKED = "asked"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """`id`: of the stream, and the next page's `before`. `at`: seconds since 1970. `result`: `asked` where nobody knows how it ended.

    `letter` is "" of what is done to many. `more`: what else is known, as text.
    """

    id: str
    at: float
    what: str
    queue: str
    letter: str
    by: str
    result: str
    more: dict[str, str]


@dataclass
class Asked:
    """An operation under way. Who does it sets `result`, and may add to `more`."""

    id: str
    result: str = "ok"
    more: dict[str, Any] = field(default_factory=dict)


class Audit:
    """The stream `{dlq}:audit` of one Redis or Cluster."""

    def __init__(self, client: Any) -> None:
        self.client = client

    @contextmanager
    def asked(self, what: str, queue: str, letter: str, by: str, bulk: str = "", **more: Any) -> Iterator[Asked]:
        """Around an operation. `bulk`: the entry that asked for it together with others, so that it needs none of its own.

        Raises Redis' error where the entry can't be written, and then nothing was done. But where Redis is out of
        memory, what makes room must go on, and the log says who did it. An operation that raises leaves its entry
        `asked`, since nobody knows whether Redis did it.
        """
        trace = current().trace_id
        if trace != ZEROS:  # whose lines say more
            more = {"trace_id": trace, **more}
        said = {"what": what, "queue": queue, "id": letter, "by": by}
        try:
            id = "" if bulk else self._write("", {**said, "result": ASKED, **more})
        except REDIS as error:
            if "maxmemory" not in str(error):
                raise
            _LOG.warning("audit stream %s: %s", AUDIT, error)
            id = ""
        asked = Asked(id)
        yield asked
        self.tell(what, queue, letter, by, asked.result, answers=id, bulk=bulk, **more, **asked.more)

    def tell(self, what: str, queue: str, letter: str, by: str, result: str, *, answers: str = "", **more: Any) -> None:
        """An operation that has ended: a line in the log, and an entry in the place of the one that it `answers`."""
        entry = {"what": what, "queue": queue, "id": letter, "by": by, "result": result, **more}
        _LOG.info("dead letter: %s", json.dumps(entry))
        try:
            self._write(answers, entry)
        except REDIS as error:  # what happened has happened, and the line above says so
            _LOG.error("audit stream %s: %s", AUDIT, error)

    def _write(self, answers: str, entry: dict[str, Any]) -> str:
        pairs = [
            part
            for name, value in entry.items()
            if value != "" or name in ("queue", "id")
            for part in (name, str(value))
        ]
        return str(scripts.run(self.client, "audit", (AUDIT,), answers, *pairs).decode())

    def read(self, queue: str | None = None, *, limit: int = 100, before: str | None = None) -> list[Entry]:
        """The newest entries first, of one queue or of all; `before`: the id of the last one that was seen."""
        found: list[Entry] = []
        end = f"({before}" if before else "+"
        while True:
            answer = self.client.xrevrange(AUDIT, max=end, min="-", count=500)
            for id, fields in answer:
                entry = _entry(
                    id.decode(), {name.decode(): value.decode(errors="replace") for name, value in fields.items()}
                )
                end = f"({entry.id}"
                if queue in (None, entry.queue):
                    found.append(entry)
                    if len(found) == limit:
                        return found
            if len(answer) < 500:
                return found

    def trim(self, seconds: float, *, by: str) -> int:
        """Lets entries go that are older (`seconds` since 1970), and says so in one of its own; returns how many."""
        oldest = self.client.xrange(AUDIT, count=1)
        if not oldest or _at(oldest[0][0].decode()) >= seconds:
            return 0
        with self.asked("trim", "", "", by, before=int(seconds * 1000)) as asked:
            gone = int(self.client.xtrim(AUDIT, minid=int(seconds * 1000), approximate=False))
            asked.more["entries"] = gone
        return gone


def _at(id: str) -> float:
    return int(id.split("-")[0]) / 1000


def _entry(id: str, fields: dict[str, str]) -> Entry:
    what, queue, letter, by, result = (fields.pop(name, "") for name in ("what", "queue", "id", "by", "result"))
    return Entry(id, _at(id), what, queue, letter, by, result, fields)
