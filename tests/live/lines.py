"""What Loki has: lines with their stream's labels and their structured metadata apart, as a query gives them."""

from __future__ import annotations

import json
import math
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .stage import Stage

PAGE = 5000
"""limits_config.max_entries_limit_per_query, as rendered."""


@dataclass(frozen=True)
class Line:
    """One entry; `at` in nanoseconds since 1970."""

    at: int
    labels: Mapping[str, str]
    metadata: Mapping[str, str]
    text: str


def ask(stage: Stage, path: str, **query: Any) -> Any:
    """`data` of Loki's answer. Raises OSError."""
    found = stage.pods("loki")
    if not found:
        raise OSError("loki has no Pod")
    request = urllib.request.Request(
        f"http://{found[0].address}:3100/loki/api/v1/{path}?{urllib.parse.urlencode(query)}",
        # without it, structured metadata comes among the labels of the stream
        headers={"X-Loki-Response-Encoding-Flags": "categorize-labels"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["data"]


def lines(stage: Stage, logql: str, since: float, until: float | None = None) -> list[Line]:
    """All that a query finds from `since` on, both in seconds since 1970, oldest first; more than a page in pages."""
    start, found, last = int(since * 1e9), [], set[tuple[int, str, str]]()
    while True:
        window = {"end": int(until * 1e9)} if until else {}
        answer = ask(stage, "query_range", query=logql, start=start, **window, limit=PAGE, direction="forward")
        page = sorted(
            (
                Line(int(at), stream["stream"], more[0].get("structuredMetadata", {}) if more else {}, text)
                for stream in answer["result"]
                for at, text, *more in stream["values"]
            ),
            key=lambda line: line.at,
        )
        # a page begins with the moment at which the one before ended
        found += [line for line in page if (line.at, line.text, str(line.labels)) not in last]
        if len(page) < PAGE:
            return found
        start = page[-1].at
        last = {(line.at, line.text, str(line.labels)) for line in page if line.at == start}


def counted(stage: Stage, logql: str, since: float, until: float | None = None) -> tuple[int, int]:
    """How many lines a query counts in a time, and how many Loki took out as doubled while it counted.

    A line that is sent again is in neither number while it lies in the stream's newest block (256 KiB), later in one of the two (3.7.6).
    What a restarted Loki wrote to its store it also has from its write-ahead log, and takes out as doubled; a full chunk likewise.
    """
    end = until or time.time()
    seconds = math.ceil(end - since)
    answer = ask(stage, "query", query=f"sum(count_over_time({logql} [{seconds}s]))", time=end)
    lines = int(answer["result"][0]["value"][1]) if answer["result"] else 0
    doubled = (answer["stats"][part]["store"]["chunk"].get("totalDuplicates", 0) for part in ("ingester", "querier"))
    return lines, sum(doubled)


def flush(stage: Stage) -> None:
    """Loki moves what it holds in memory to its store."""
    request = urllib.request.Request(f"http://{stage.pods('loki')[0].address}:3100/flush", method="POST")
    urllib.request.urlopen(request, timeout=30).close()


def streams(stage: Stage, selector: str, since: float) -> list[Mapping[str, str]]:
    """The labels of each stream that has lines since then."""
    return list(ask(stage, "series", **{"match[]": selector}, start=int(since * 1e9)))


def counter(stage: Stage, app: str, port: int, name: str, **labels: str) -> float:
    """The sum of a metric's samples that have these labels, as an app exposes them; 0 where there is none. Raises OSError."""
    wanted = [f'{key}="{value}"' for key, value in labels.items()]
    return sum(
        float(row.rsplit(" ", 1)[1])
        for row in stage.get(app, port, "/metrics").decode().splitlines()
        if row.startswith((f"{name}{{", f"{name} ")) and all(one in row for one in wanted)
    )
