"""Bulk work that runs on after the request that asked for it, in a thread of this process, seen and stopped from any."""

from __future__ import annotations

import contextvars
import json
import logging
import threading
import uuid
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import bulk, keys
from .bulk import Progress
from .errors import REDIS, Unknown
from .letter import Filter
from .timer import Repeated

if TYPE_CHECKING:
    from .queue import DeadLetters

BEAT_SECONDS = 1.0
LOST_SECONDS = 30.0  # without a beat: its process is gone
KEPT_SECONDS = 7 * 86400  # after its last beat
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """`state`: running | done | cancelled | failed | lost. `filter`: as Filter.as_dict has it. Times: seconds since 1970.

    `failed`: letters that were not done, by why; `error`: why the job failed.
    """

    id: str
    queue: str
    action: str
    filter: dict[str, Any]
    by: str
    state: str
    matched: int = 0
    done: int = 0
    ok: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    started: float = 0.0
    ended: float | None = None
    error: str = ""


class Jobs:
    """The bulk jobs of one Redis. Those that were started here end with this process, by `close` or as `lost`."""

    def __init__(self, letters: DeadLetters, *, beat: float = BEAT_SECONDS) -> None:
        self.letters, self.beat = letters, beat
        self._running: dict[str, _Running] = {}

    def start(
        self,
        queue: str,
        action: str,
        only: Filter,
        *,
        by: str,
        rate: float = 50.0,
        allow_all: bool = False,
        force: bool = False,
        limit: int | None = None,
        note: str = "",
    ) -> Job:
        """A job that runs; arguments and errors are those of DeadLetters.bulk, and a filter with `match` is a ValueError."""
        stop = threading.Event()
        bucket = bulk.Bucket(rate, sleep=stop.wait)
        steps = bulk.run(
            self.letters, queue, action, only, by=by, bucket=bucket, allow_all=allow_all, force=force, limit=limit,
            note=note,
        )  # fmt: skip
        now = self.letters.clock()
        job = Job(uuid.uuid4().hex, queue, action, only.as_dict(), by, "running", started=now)
        self.letters.client.zadd(keys.JOBS, {job.id: now})
        self._running = {id: one for id, one in self._running.items() if one.thread.is_alive()}
        self._running[job.id] = running = _Running(self.letters, job, steps, stop, self.beat)
        running.write()
        running.begin()
        return job

    def get(self, id: str) -> Job:
        """As its process has last told. Raises Unknown, for one that ended a week ago too."""
        fields = self.letters.client.hgetall(keys.job(id))
        if b"queue" not in fields:
            raise Unknown(f"no job {id}")
        return _read(id, {name.decode(): value.decode() for name, value in fields.items()}, self.letters.clock())

    def list(self) -> list[Job]:
        """All that are known, the newest first."""
        found: list[Job] = []
        client = self.letters.client
        for id in client.zrevrangebyscore(keys.JOBS, "+inf", "-inf"):
            try:
                found.append(self.get(id.decode()))
            except Unknown:
                client.zrem(keys.JOBS, id)
        return found

    def cancel(self, id: str) -> Job:
        """Asks it to stop, wherever it runs: after the letter that it is at, within a second. Raises Unknown."""
        job = self.get(id)
        if job.state == "running":
            self.letters.client.hset(keys.job(id), "cancel", 1)
            if id in self._running:
                self._running[id].stop.set()
        return job

    def wait(self, id: str, seconds: float | None = None) -> Job:
        """Returns once a job of this process has ended, or after `seconds`."""
        if id in self._running:
            self._running[id].thread.join(seconds)
        return self.get(id)

    def close(self) -> None:
        """Stops the jobs of this process and waits until they have said so."""
        for running in list(self._running.values()):
            running.stop.set()
        for running in list(self._running.values()):
            running.thread.join()


class _Running:
    """A job in this process: one thread works, another tells how far it is and looks whether it is to stop."""

    def __init__(
        self, letters: DeadLetters, job: Job, steps: Generator[Progress, None, None], stop: threading.Event, beat: float
    ) -> None:
        self.letters, self.job, self.steps, self.stop, self.beat = letters, job, steps, stop, beat
        self.progress, self.state, self.error = Progress(0), "running", ""
        work = contextvars.copy_context()  # the audit names the trace that the job was started in
        self.thread = threading.Thread(
            target=work.run, args=(self._work,), name=f"dead letter job {job.id}", daemon=True
        )

    def begin(self) -> None:
        self.thread.start()

    def _work(self) -> None:
        beats = Repeated(self._tell, self.beat, f"beat of dead letter job {self.job.id}")
        state = "done"
        try:
            for progress in self.steps:
                self.progress = progress
                if self.stop.is_set():
                    break
            if self.stop.is_set() and self.progress.done < self.progress.matched:
                state = "cancelled"
        except Exception as error:
            state, self.error = "failed", f"{type(error).__name__}: {error}"
            _LOG.warning("dead letter job %s: %s", self.job.id, self.error)
        finally:
            self.steps.close()
            beats.stop()
            self.state = state
            try:
                self.write()
            except REDIS as error:
                _LOG.error("dead letter job %s is %s, but Redis doesn't know: %s", self.job.id, state, error)

    def _tell(self) -> None:
        self.write()
        if self.letters.client.hget(keys.job(self.job.id), "cancel"):
            self.stop.set()

    def write(self) -> None:
        job, progress, now = self.job, self.progress, self.letters.clock()
        key = keys.job(job.id)
        fields: dict[str, Any] = {
            "queue": job.queue,
            "action": job.action,
            "filter": json.dumps(job.filter),
            "by": job.by,
            "state": self.state,
            "matched": progress.matched,
            "done": progress.done,
            "ok": progress.ok,
            "failed": json.dumps(progress.failed),
            "started": job.started,
            "beat": now,
            "error": self.error,
        }
        if self.state != "running":
            fields["ended"] = now
        self.letters.client.hset(key, mapping=fields)
        self.letters.client.pexpire(key, KEPT_SECONDS * 1000)


def _read(id: str, fields: dict[str, str], now: float) -> Job:
    state = fields["state"]
    if state == "running" and now - float(fields["beat"]) > LOST_SECONDS:
        state = "lost"
    return Job(
        id,
        fields["queue"],
        fields["action"],
        json.loads(fields["filter"]),
        fields["by"],
        state,
        int(fields["matched"]),
        int(fields["done"]),
        int(fields["ok"]),
        json.loads(fields["failed"]),
        float(fields["started"]),
        float(fields["ended"]) if "ended" in fields else None,
        fields.get("error", ""),
    )
