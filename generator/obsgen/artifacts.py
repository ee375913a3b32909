"""A plan → the files to be: which rows of its output's table apply, to what, in which order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from typing import Any

from .plan import Plan
from .rows import TABLES
from .rows.row import Row, View


@dataclass(frozen=True)
class Artifact:
    """One file to be: where, from which template, seeing what; `wraps` are the paths whose texts it carries."""

    path: str
    row: Row
    view: View
    wraps: tuple[str, ...] = ()

    def context(self, files: Mapping[str, str]) -> dict[str, Any]:
        """What the template sees; `files` are the texts rendered so far."""
        view = replace(self.view, files={path: files[path] for path in self.wraps})
        return {name: value(view) for name, value in self.row.context.items()}


def artifacts(plan: Plan) -> list[Artifact]:
    """Every file of a plan, those that are wrapped before those that wrap them."""
    rows = [row for row in TABLES.get(plan.declaration.output, ()) if row.when(plan)]
    found = [(path, row, item) for row in rows for path, item in _paths(row, plan)]
    paths = tuple(sorted(path for path, _, _ in found))
    manifests = tuple(sorted(path for path, row, _ in found if row.manifest))
    made = [
        Artifact(path, row, View(plan, item, paths=paths, manifests=manifests), _wrapped(row, paths))
        for path, row, item in found
    ]
    return sorted(made, key=lambda artifact: bool(artifact.row.wraps))


def _paths(row: Row, plan: Plan) -> Iterator[tuple[str, Any]]:
    if row.each is None:
        yield row.path, None
    else:
        for name, item in row.each(plan):
            yield row.path.replace("*", name), item


def _wrapped(row: Row, paths: Iterable[str]) -> tuple[str, ...]:
    if not row.wraps:  # most: a thousand services have thousands of files, and each would look at all
        return ()
    found = {path for path in paths for pattern in row.wraps if fnmatch(path, pattern)}
    return tuple(sorted(path for path in found if not path.endswith("_test.yaml")))
