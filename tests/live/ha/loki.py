"""Loki's API as agents and people use it, asked of one Pod at a time, and a writer that knows which lines were acknowledged."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
import urllib.parse
import urllib.request
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

from ..pod import Pod
from ..stage import Stage

PORT = 3100
BATCH = 5
PAUSE = 0.05  # seconds between pushes


def ask(pod: Pod, path: str, *, body: Any = None, method: str = "", seconds: float = 60, **query: str) -> bytes:
    """What a Pod answers. Raises OSError, an HTTPError where it says anything but 2xx."""
    words = f"?{urllib.parse.urlencode(query)}" if query else ""
    request = urllib.request.Request(
        f"http://{pod.address}:{PORT}{path}{words}", method=method or ("GET" if body is None else "POST"),
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "Accept": "application/json"},
    )  # fmt: skip
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            return bytes(answer.read())
    except http.client.HTTPException as error:  # cut off in the middle
        raise OSError(str(error)) from error


def stamped(*lines: str) -> list[tuple[str, str]]:
    """Lines of now, each of its own nanosecond."""
    return [(str(time.time_ns() + number), line) for number, line in enumerate(lines)]


def push(pod: Pod, values: list[tuple[str, str]], **labels: str) -> None:
    """Stamped lines. Raises OSError where they aren't acknowledged."""
    stream = {"app": "dashboard-service", "level": "INFO", "namespace": "auralink", **labels}
    ask(pod, "/loki/api/v1/push", body={"streams": [{"stream": stream, "values": values}]})


def lines(pod: Pod, query: str, since: float) -> Counter[str]:
    """How often each line is found that is younger than so many seconds since the epoch. Raises OSError."""
    found: Counter[str] = Counter()
    start = int(since * 1e9)
    while True:
        asked = {
            "query": query,
            "start": str(start),
            "end": str(time.time_ns()),
            "limit": "5000",
            "direction": "forward",
        }
        answer = ask(pod, "/loki/api/v1/query_range", **asked)
        values = [value for stream in json.loads(answer)["data"]["result"] for value in stream["values"]]
        found.update(line for _, line, *_ in values)
        if len(values) < 5000:
            return found
        start = max(int(at) for at, *_ in values) + 1  # the writer's lines have each their own nanosecond


def members(pod: Pod, ring: str = "/ring") -> Counter[str]:
    """How many instances of a ring are in which state, as this Pod sees it."""
    return Counter(one["state"] for one in json.loads(ask(pod, ring))["shards"])


class Writer:
    """Pushes lines of their own, a few at a time, to the Pods in turn, again and again until one of them acknowledges: as an agent does."""

    def __init__(self, pods: Callable[[], list[Pod]]) -> None:
        self.pods = pods
        self.mark, self.since = uuid.uuid4().hex, time.time()
        self.acknowledged: list[str] = []
        self.at: list[float] = []  # monotonic seconds of each acknowledged batch
        self.failed = 0
        self.changed = threading.Condition()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def more(self, count: int, seconds: float) -> None:
        """Until so many lines more are acknowledged."""
        wanted = len(self.acknowledged) + count
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.acknowledged) >= wanted, seconds), (
                f"not {count} lines in {seconds} s"
            )

    def _write(self) -> None:
        turns = itertools.count()
        while not self._ending.wait(PAUSE):
            batch = [f"{self.mark} {len(self.acknowledged) + one}" for one in range(BATCH)]
            values = stamped(*batch)  # the same at each try
            while not self._ending.is_set():
                pods = self.pods()
                try:
                    push(pods[next(turns) % len(pods)], values)
                    break
                except OSError:
                    self.failed += 1
                    self._ending.wait(PAUSE)
            else:
                return
            with self.changed:
                self.acknowledged += batch
                self.at.append(time.monotonic())
                self.changed.notify_all()


def await_whole(stage: Stage, pod: Pod, writer: Writer) -> None:
    """Until a Pod finds every line that was acknowledged up to now. Raises AssertionError where it finds one twice."""
    wanted = set(writer.acknowledged)

    def found() -> bool:
        seen = lines(pod, f'{{app="dashboard-service"}} |= "{writer.mark}"', writer.since)
        twice = sorted(line for line, count in seen.items() if count > 1)
        assert not twice, f"{pod.name} finds lines twice: {twice[:5]}"
        return wanted <= seen.keys()

    stage.await_(found, 60, f"{pod.name} does not find every acknowledged line")
