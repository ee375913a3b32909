"""What git's HEAD had: a past that changes makes the logs written under it unreadable."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any

import yaml

from ..overlay import merge
from ..road import Declared
from .finding import Finding


def schema_history(declared: Declared) -> Iterator[Finding]:
    """A past period that changes makes the logs written under it unreadable."""
    now = declared.declaration.loki.schema
    for day, period in _schema(_in_git_head(declared)).items():
        if day not in now:
            fact = f"the period from {day} is in git's HEAD and gone here: its logs could not be read any more"
            yield Finding(("loki", "schema"), fact, "put it back", key=True)
        elif (period.get("store", "tsdb"), period.get("version", "v13")) != (now[day].store, now[day].version):
            fact = f"the period from {day} differs from git's HEAD: its logs could not be read any more"
            yield Finding(("loki", "schema", day), fact, "put it back, and add a new period", key=True)


def moved_storage(declared: Declared) -> Iterator[Finding]:
    """Loki reads old chunks where it writes new ones: those of the old bucket, or of the volume, can't be found any more."""
    before = _in_git_head(declared)
    loki = declared.declaration.loki
    if not loki.deploy or before.get("deploy") is False or not _schema(before):
        return
    was, now = before.get("object_store"), loki.object_store
    old, new = (was or {}).get("bucket"), now.bucket if now else None
    if old != new:
        fact = (
            f"chunks are {_where(old)} in git's HEAD and {_where(new)} here: what is stored could not be read any more"
        )
        path = ("loki", "object_store") if now else ("loki",)
        yield Finding(path, fact, "copy the chunks there first, or do without them", key=True)


def _where(bucket: str | None) -> str:
    return f"in the bucket {bucket}" if bucket else "on Loki's volume"


def _schema(loki: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    periods = loki.get("schema")
    known = periods.items() if isinstance(periods, Mapping) else ()
    return {str(day): dict(period or {}) for day, period in known if isinstance(period or {}, Mapping)}


def _in_git_head(declared: Declared) -> Mapping[str, Any]:
    """`loki` of the same declaration and profile in git's HEAD; empty where HEAD lacks one of them, or without git."""
    merged: Any = {}
    for document in declared.layers.documents:
        before = _loki(FilePath(document.file))
        if before is None:
            return {}
        merged = merge(merged, before)
    return dict(merged)


def _loki(file: FilePath) -> Mapping[str, Any] | None:
    """What HEAD says under `loki` in this file; None where HEAD has no such file."""
    command = ["git", "-C", str(file.parent), "show", f"HEAD:./{file.name}"]
    try:
        shown = subprocess.run(command, capture_output=True, check=True, timeout=10)
        return dict((yaml.safe_load(shown.stdout) or {}).get("loki") or {})
    except (OSError, subprocess.SubprocessError):
        return None
    except (yaml.YAMLError, AttributeError, TypeError, ValueError):
        return {}
