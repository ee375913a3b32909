"""What servers export, as Prometheus stores it, and where that is written down: `upstream/SERVER/metrics.yaml`.

The checks "metric that nobody exports" and "label that it hasn't" read those files (obsgen/checks/metrics.py). A run adds what it sees
(`--record`): such a row says no `provoked` of its own, the file's says how to see it again. What no run has shown keeps its own words.
"""

from __future__ import annotations

import contextlib
import json
import re
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from prometheus_client.parser import text_string_to_metric_families

from obsgen import agent, upstream
from obsgen.assets import UPSTREAM

from . import beside, images
from .stage import Stage

SERVERS = {
    "alertmanager": ("alertmanager", ("alertmanager_",)),
    "ai-core-service": ("dlq", ("dlq_",)),
    "alloy": ("alloy", ("alloy_", "loki_")),
    "dlq-api": ("dlq", ("dlq_",)),
    "loki": ("loki", ("loki_",)),
    "prometheus": ("prometheus", ("prometheus_",)),
    "promtail": ("promtail", ("promtail_", "logentry_")),
    "redis-exporter": ("redis_exporter", ("redis_",)),
}
"""Label `app` of the Pods → folder in upstream/, and how names begin that are the server's own: `go_`, `process_` are everybody's."""
TARGET = {*agent.TARGET_LABELS, "pod", "job", "instance"}
LIVE = "in the tree of tests/live: OBSGEN_LIVE=all make live ARGS=--record"


class Row(NamedTuple):
    """A metric: its type, and its own labels as Prometheus stores them: one that the target has too gets `exported_`.

    One that is empty here (no tenant, no branch) has a value elsewhere.
    """

    type: str
    labels: tuple[str, ...]


def of_text(text: str, prefixes: tuple[str, ...]) -> dict[str, Row]:
    """The rows of what a server answers on /metrics; a family without samples is none yet."""
    found: dict[str, Row] = {}
    plain = set(re.findall(r"^[a-zA-Z_]\w*", text, re.MULTILINE))
    for family in text_string_to_metric_families(text):
        made = {"histogram": ("le", ("_bucket", "_sum", "_count")), "summary": ("quantile", ("_sum", "_count"))}
        own, endings = made.get(family.type, ("", ()))
        for sample in family.samples:
            name = next((sample.name.removesuffix(one) for one in endings if sample.name.endswith(one)), sample.name)
            if family.type == "counter" and name not in plain:  # the parser adds it (0.23)
                name = name.removesuffix("_total")
            if name.startswith(prefixes):
                labels = {f"exported_{one}" if one in TARGET else one for one in sample.labels}
                before = found[name].labels if name in found else ()
                found[name] = Row(family.type, tuple(sorted({*before, *labels} - {own})))
    return found


def of_target(address: str, prefixes: tuple[str, ...]) -> dict[str, Row]:
    """The same of a server. Raises OSError."""
    with urllib.request.urlopen(address, timeout=10) as answer:
        return of_text(answer.read().decode(), prefixes)


def known(stage: Stage, keep: bool, *apps: str) -> set[str]:
    """The metrics of these apps, of those that answer now, are those of upstream/, with their types and labels; `keep` writes them there
    first. Which have answered. Raises AssertionError with what is otherwise.
    """
    answer = json.loads(stage.get("prometheus", 9090, "/api/v1/targets", state="active"))
    found: dict[str, dict[str, Row]] = {}
    for target in answer["data"]["activeTargets"]:
        app = target["labels"].get("app")
        if app in apps:
            with contextlib.suppress(OSError):
                found.setdefault(app, {}).update(of_target(target["scrapeUrl"], SERVERS[app][1]))
    said = [line for app, seen in found.items() for line in checked(SERVERS[app][0], seen, keep=keep)]
    assert said == [], said
    return {*found}


def checked(server: str, seen: Mapping[str, Row], *, keep: bool) -> list[str]:
    """What a run saw and the file says otherwise; `keep` writes it there first."""
    if keep:
        with beside.alone(UPSTREAM / server):
            record(server, seen, program(server))
        upstream.metrics.cache_clear()
        upstream._file.cache_clear()
    return strange(server, seen)


def program(server: str) -> str:
    """Name and version of what runs here as this server; our own has no version."""
    return server if server == "dlq" else images.program(server).name.replace("-", " ", 1)


def strange(server: str, seen: Mapping[str, Row]) -> list[str]:
    """What a run saw and the file says otherwise, in sentences."""
    known = upstream.metrics(server)
    said = []
    for name, row in sorted(seen.items()):
        old = known.get(name)
        if old is None:
            said.append(f"{server}: {name} {row.type} {list(row.labels)} is not in upstream/{server}/metrics.yaml")
        elif old.type != row.type or not (set(row.labels) == set(old.labels) or old.open):
            said.append(
                f"{server}: {name} is a {row.type} of {list(row.labels)}, said to be a {old.type} of {list(old.labels)}"
            )
    return said


def record(server: str, seen: Mapping[str, Row], program: str, folder: Path = UPSTREAM) -> None:
    """Writes what a run saw of a `program` (`loki 3.7.6`) into the server's file; the rest keeps its rows, and how they were provoked."""
    path = folder / server / "metrics.yaml"
    text = path.read_text()
    file = yaml.safe_load(text)
    before, now = str(file["provoked"]), f"{program} {LIVE}"
    rows, ways = file["metrics"], file.get("ways", {})
    if before != now:
        way = next(
            (name for name, said in ways.items() if said == before),
            "alone" if "alone" not in ways else f"earlier{len(ways)}",
        )
        for name, row in rows.items():
            if name not in seen and "provoked" not in row:
                row["provoked"] = way
                ways[way] = before
    for name, new in seen.items():
        kept = {key: value for key, value in rows.get(name, {}).items() if key in ("values", "open")}
        labels = sorted({*rows[name]["labels"], *new.labels}) if kept.get("open") else list(new.labels)
        rows[name] = {"type": new.type, "labels": labels, **kept}
    beside.write(path, "".join(written(text, file | {"provoked": now, "ways": ways})))


def written(text: str, file: Mapping[str, Any]) -> Iterator[str]:
    """The lines of a file whose text was `text`: its comment, then a row a line, in the order of the names."""
    yield from (line for line in text.splitlines(keepends=True) if line.startswith("#"))
    yield f"provoked: {json.dumps(file['provoked'], ensure_ascii=False)}\n"
    if file.get("ways"):
        yield "ways: # in which the rows that name one appeared\n"
        yield from (f"  {name}: {json.dumps(said, ensure_ascii=False)}\n" for name, said in file["ways"].items())
    for section in ("metrics", "series"):
        if section in file:
            yield f"{section}:\n"
            yield from (f"  {name}: {_flow(row)}\n" for name, row in sorted(file[section].items()))


def _flow(value: Any, under: str = "") -> str:
    """YAML within a line; a text in quotes, words without."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_flow(item, key)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    return json.dumps(value, ensure_ascii=False) if under == "provoked" or isinstance(value, bool) else str(value)
