"""The log agent's view of the log standard: which fields it lifts from a line, and where it puts them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from .model import Declaration

DISCOVERY = {"kubernetes": "kubernetes", "operator": "kubernetes", "compose": "docker"}
"""Output → who is asked what runs: the agent's template of that name finds containers and makes the labels below of them."""

TARGET_LABELS = ("cluster", "namespace", "app", "container")
"""Stream labels from the pod or the container; with the fields stored as labels these are all labels a stream has."""

TARGET_METADATA = ("pod", "stream")
"""Structured metadata from the pod, on Docker from the container's own name, and from the runtime."""

PORTS = {"promtail": 3101, "alloy": 12345}
"""Where each agent answers `/metrics`."""


UNKNOWN = "UNKNOWN"
"""What the agent writes for a level that isn't declared."""


def stored(declaration: Declaration, store: str) -> list[str]:
    """Names of the fields that go to `store`: label or metadata, in the order declared."""
    return [name for name, field in declaration.logging.fields.items() if field.store == store]


def stream_labels(declaration: Declaration) -> set[str]:
    """Every label that a stream can have."""
    return {*TARGET_LABELS, *stored(declaration, "label")}


def expressions(declaration: Declaration) -> list[tuple[str, str]]:
    """(field, JMESPath) for each field that leaves the line."""
    fields = declaration.logging.fields
    return [(name, _jmespath(field.path or (name,))) for name, field in fields.items() if field.store != "line"]


def _jmespath(path: Iterable[str]) -> str:
    return ".".join(key if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key) else json.dumps(key) for key in path)


def level_template(levels: Iterable[str]) -> str:
    """Go template that gives one of the declared levels in upper case, or UNKNOWN."""
    known = " ".join(f'"{level}"' for level in levels)
    # a line without a level has no .Value, on which ToUpper fails and the stage gives nothing at all (Promtail 3.6.15)
    return f'{{{{ if eq (ToUpper (or .Value "")) {known} }}}}{{{{ ToUpper .Value }}}}{{{{ else }}}}UNKNOWN{{{{ end }}}}'


def streams(declaration: Declaration) -> int:
    """Streams at most: one for each service, level and value of another label, of which ten are assumed, and those of our own servers.

    Pods are structured metadata, so replicas don't count. `UNKNOWN` is one more level, and the only one of our servers' lines, except
    those of the dead letters' admin API, which writes as a service does.
    """
    labels = stored(declaration, "label")
    levels = len(declaration.logging.levels) + 1 if "level" in labels else 1
    others = sum(name not in ("level", "service") for name in labels)
    ours = _OWN_CONTAINERS[declaration.loki.mode == "microservices"] + (levels - 1 if declaration.dlq else 0)
    return len(declaration.services) * levels * int(10**others) + ours


_OWN_CONTAINERS = (10, 18)  # what stands in a rendered tree at most; Loki's eight targets each have a name
