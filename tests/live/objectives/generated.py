"""A day's logs, generated and pushed: lines in the loggers' form, with the labels and the metadata that the rendered agents give.

Straight to Loki's push API, because an agent would take the time of reading for the time of a line; all else is as it comes from an agent.
"""

from __future__ import annotations

import random
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

LEVELS = (("INFO", 0.9), ("WARN", 0.07), ("ERROR", 0.03))
MESSAGES = {
    "INFO": "Room created successfully",
    "WARN": "Fallback activated, the circuit breaker of the model is open",
    "ERROR": "Database did not answer in time",
}
CONTAINER = "generated"  # streams of their own: Loki takes no line that is an hour behind the last of its stream
BATCH = 1_000_000  # bytes of lines, as the agents send at once
_encode = msgspec.json.Encoder().encode


@dataclass
class Day:
    """What was pushed: lines, bytes of them, and one line's ids to look for."""

    lines: int = 0
    bytes: int = 0
    trace_id: str = ""
    user_id: str = ""


def push_a_day(url: str, apps: tuple[str, ...], wanted: int, seconds: float = 86400, seed: int = 7) -> Day:
    """Pushes `wanted` bytes of lines, spread evenly over the `seconds` up to now, at the rate that Loki takes. Raises AssertionError."""
    day, chance, until = Day(), random.Random(seed), time.time()
    batch: dict[tuple[str, str], list[list[object]]] = {}
    held = 0
    for app, level, line, metadata in _lines(apps, chance):
        at = until - seconds + seconds * day.bytes / wanted
        batch.setdefault((app, level), []).append([str(int(at * 1e9)), line.replace("@", _stamp(at), 1), metadata])
        day.lines, day.bytes, held = day.lines + 1, day.bytes + len(line), held + len(line)
        if not day.trace_id and day.bytes > wanted / 2:
            day.trace_id, day.user_id = metadata["trace_id"], metadata["user_id"]
        if held >= BATCH or day.bytes >= wanted:
            push(url, batch)
            batch, held = {}, 0
            if day.bytes >= wanted:
                return day
    raise AssertionError("there are always more lines")


def _lines(apps: tuple[str, ...], chance: random.Random) -> Iterator[tuple[str, str, str, dict[str, str]]]:
    levels, weights = zip(*LEVELS, strict=True)
    while True:
        app = chance.choice(apps)
        (level,) = chance.choices(levels, weights)
        trace_id, user_id = f"{chance.getrandbits(128):032x}", f"user_{chance.randrange(20_000)}"
        state = "open" if level == "WARN" and chance.random() < 0.1 else "closed"
        line = (
            f'{{"timestamp":"@","level":"{level}","service":"{app}","trace_id":"{trace_id}","user_id":"{user_id}",'
            f'"message":"{MESSAGES[level]}","context":{{"room_id":"room_{chance.getrandbits(40):010x}","duration_ms":'
            f'{int(chance.expovariate(1 / 150))},"state":"{state}"}},"metadata":{{"instance_id":"{app}-1","version":"1.0.0",'
            f'"environment":"production"}}}}'
        )
        yield app, level, line, {"trace_id": trace_id, "user_id": user_id, "pod": f"shop-{app}-1", "stream": "stdout"}


def _stamp(at: float) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(at))}.{int(at % 1 * 1000):03d}Z"


def push(url: str, batch: dict[tuple[str, str], list[list[object]]]) -> None:
    """Lines by application and level, as Loki takes them: nanoseconds, line, structured metadata. Waits where it is too fast."""
    streams = [
        {
            "stream": {"cluster": "live", "namespace": "auralink", "app": app, "container": CONTAINER, "level": level},
            "values": values,
        }
        for (app, level), values in batch.items()
    ]
    body = _encode({"streams": streams})
    while True:
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        try:
            urllib.request.urlopen(request, timeout=60).close()
        except urllib.error.HTTPError as error:
            assert error.code == 429, f"{error.code} {error.read().decode()[:500]}"
            time.sleep(0.2)  # over the rate; what it took of this batch it knows the second time
        else:
            return
