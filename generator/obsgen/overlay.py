"""A declaration with its included files and its profile, as one piece of data that still knows who wrote what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .document import Document, Path, Spot
from .problem import Problem, Severity


def merge(target: Any, patch: Any) -> Any:
    """RFC 7396: maps merge, a null deletes, everything else replaces. Changes neither argument; shares what it can."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


ADDED: frozenset[Path] = frozenset({("services",), ("teams",), ("secrets",), ("alerts",), ("dlq", "queues")})
"""The maps that an included file adds names to. What else there is, such as routing and storage, is all teams' and the declaration's."""


def add(target: Mapping[str, Any], included: Mapping[str, Any], at: Path = ()) -> dict[str, Any]:
    """`target` with the names of the maps `ADDED` of `included` beside its own; a null stays one, for the schema to refuse."""
    both = dict(target)
    for key, names in included.items():
        own = target.get(key, {})
        if not isinstance(own, Mapping) or not isinstance(names, Mapping):
            both[key] = own
        else:
            both[key] = {**own, **names} if (*at, key) in ADDED else add(own, names, (*at, key))
    return both


@dataclass(frozen=True)
class Layers:
    """Documents from bottom to top: the declaration, then profiles. `included` files add to the declaration."""

    documents: tuple[Document, ...]
    included: tuple[Document, ...] = ()

    @property
    def base(self) -> Layers:
        """The declaration with its included files, without a profile."""
        return Layers(self.documents[:1], self.included)

    @property
    def profiles(self) -> tuple[Document, ...]:
        """The profile's files, the one it extends first."""
        return self.documents[1:]

    @cached_property
    def data(self) -> Any:
        """Everything merged; `extends`, which only says how to merge, is gone."""
        merged = self.documents[0].data
        for document in self.included:
            merged = add(merged, document.data)
        for profile in self.profiles:
            merged = merge(merged, {key: value for key, value in profile.data.items() if key != "extends"})
        return merged

    def spot(self, path: Path, key: bool = False) -> Spot:
        """Where the effective value at `path` was written (with `key`, its key), else its nearest written ancestor.

        A profile's null counts as written; what a higher file replaced as a whole is no longer there. An ancestor is
        named by its key, in the lowest file that writes it: what is missing there is missing in the declaration.
        """
        visible = self._visible(path)
        exact = next(filter(None, (document.spot(path, key) for document in visible)), None)
        if exact:
            return exact
        base = [document for document in visible if document not in self.profiles]
        lowest_first = base + [document for document in self.documents[1:] if document in visible]
        owner = max(lowest_first, key=lambda document: len(_written_part(document, path)))
        return owner.spot(_written_part(owner, path), key=True) or Spot(owner.file, 1, 1)

    def _top_first(self) -> tuple[Document, ...]:
        return (*reversed(self.profiles), self.documents[0], *self.included)

    def _visible(self, path: Path) -> list[Document]:
        """The documents with a say on `path`: down to the first that wrote something other than a map on the way."""
        visible: list[Document] = []
        for document in self._top_first():
            visible.append(document)
            if document in self.profiles and not isinstance(document.at(_written_part(document, path)), dict):
                break
        return visible

    def history(self, path: Path) -> list[tuple[Spot, Any]]:
        """Every place that wrote `path`, top first, with the value it wrote; a null above `path` deleted it: None."""
        return [entry for document in self._top_first() for entry in _entries(document, path)]

    def problem(
        self, path: Path, fact: str, remedy: str, rule: str, severity: Severity = "error", key: bool = False
    ) -> Problem:
        """A problem of the value at `path`, or of its key."""
        return Problem(*self.spot(path, key), fact, remedy, rule, severity)


def _written_part(document: Document, path: Path) -> Path:
    return next(path[:end] for end in range(len(path), -1, -1) if document.spot(path[:end]))


def _entries(document: Document, path: Path) -> Iterator[tuple[Spot, Any]]:
    written = _written_part(document, path)
    value = document.at(written)
    spot = document.spot(written)
    if spot and (written == path or value is None):
        yield spot, value
