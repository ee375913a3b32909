"""Parser events become plain data, and a tree of the places where each part of it stands.

Built on events, not on `yaml.compose`: that one recurses in C and takes the process down at some 10,000 levels
(PyYAML 6.0.3), while events are a loop, cost half of it, and let all problems be told at once.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from .problem import Problem
from .yaml_surprises import EMPTY, Surprise, plain
from .yaml_text import TAG, syntax

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the pure parser says the same, far slower
MAX_DEPTH = 100  # levels; the deepest path of the grammar has about ten
MAX_VALUES, MAX_GROWTH = 1_000_000, 100  # an alias bomb exceeds both; a long honest file neither


@dataclass(slots=True)
class Node:
    """Places of a map or list: line << 32 | column, plain numbers so that the garbage collector need not visit them."""

    at: int
    keys: dict[str, int]
    values: dict[str, Any] | list[Any]


def read(text: str, file: str) -> tuple[Any, Node | int, list[Problem]]:
    """The data of `text`, the root of its places, and all problems; where there are any the data is not to be used."""
    builder = _Builder(file)
    with _collector_paused():
        builder.read(text)
    root = builder.root
    return (root.data[0], root.values[0], []) if not builder.problems else (None, 0, builder.problems)


def line_and_column(place: Node | int) -> tuple[int, int]:
    """A place as people count it, from 1."""
    at = place if isinstance(place, int) else place.at
    return (at >> 32) + 1, (at & 0xFFFFFFFF) + 1


@contextlib.contextmanager
def _collector_paused() -> Iterator[None]:
    """Only adding, never dropping: the collector would walk the growing tree again and again (4 MB: 4 times slower)."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Mark:
    """What a map waits for beside a key that is text."""


_KEY = _Mark()  # the next thing is a key
_DROP = _Mark()  # the key was refused: its value is read for its own problems, and dropped
_OPEN = (_KEY, 0, 0)  # an anchor inside whose own value we still are


class _Frame:
    """A map or list that is being read. `key` is None in lists."""

    __slots__ = ("anchor", "at", "data", "key", "keys", "problems", "size", "values")

    def __init__(self, at: int, is_map: bool, anchor: str | None = None, problems: int = 0) -> None:
        self.at, self.anchor, self.problems = at, anchor, problems
        self.data: Any = {} if is_map else []
        self.values: Any = {} if is_map else []
        self.keys: dict[str, int] = {}
        self.key: Any = _KEY if is_map else None
        self.size = 1


class _Stop(Exception):  # noqa: N818
    """Nothing that follows can be told."""


class _Builder:
    """Events in, data and places out."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.root = self.frame = _Frame(0, is_map=False)
        self.open = [self.root]
        self.anchors: dict[str, Any] = {}
        self.words: dict[str, Any] = {}
        self.written = 0
        self.largest_alias = (0, 0)

    def read(self, text: str) -> None:
        handlers: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._start,
            yaml.SequenceStartEvent: self._start,
            yaml.MappingEndEvent: self._end,
            yaml.SequenceEndEvent: self._end,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
        }
        try:
            for event in yaml.parse(text, Loader=LOADER):
                handler = handlers.get(type(event))
                if handler:
                    handler(event)
            self._finish()
        except yaml.YAMLError as error:
            # the parser looks ahead, and from PyYAML 6.0.4 on gives up at 1,000 brackets before we have heard of 100
            if "maximum nesting depth" in str(error):
                self._too_deep(error.problem_mark)  # type: ignore[attr-defined]
            else:
                self.problems.append(syntax(error, text, self.file))
        except _Stop:
            return

    def _problem(self, at: int, fact: str, remedy: str, rule: str) -> None:
        line, column = line_and_column(at)
        self.problems.append(Problem(self.file, line, column, fact, remedy, rule))

    def _finish(self) -> None:
        value = self.root.data[0] if self.root.data else None
        if value is EMPTY or (value is None and not self.problems):
            remedy = "write the declaration, or {} for a profile that changes nothing"
            self.problems[:] = [Problem(self.file, 0, 0, "this file is empty", remedy, "yaml/empty-document")]
        elif self.root.size > MAX_VALUES and self.root.size > MAX_GROWTH * self.written:
            fact = f"with its aliases written out this file has {self.root.size - 1:,} values"
            self._problem(self.largest_alias[1], fact, "use fewer aliases", "yaml/alias-bomb")

    def _document(self, event: Any) -> None:
        if self.root.data:
            self._problem(_at(event), "a second document begins here", "one file holds one", "yaml/several-documents")
            raise _Stop

    def _scalar(self, event: Any) -> None:
        at = _at(event)
        if self.frame.key is _KEY:
            self.frame.key = value = self._key(event, at)
        else:
            value = self._value(event, at)
            self._put(value, at)
        self.written += 1
        if event.anchor:
            self._name(event.anchor, at, (value, at, 1))

    def _put(self, value: Any, place: Any, size: int = 1) -> None:
        frame = self.frame
        frame.size += size
        if frame.key is None:
            frame.data.append(value)
            frame.values.append(place)
            return
        if frame.key is not _DROP:
            frame.data[frame.key] = value
            frame.values[frame.key] = place
        frame.key = _KEY

    def _value(self, event: Any, at: int) -> Any:
        text = event.value
        if event.tag:
            self._problem(at, *TAG)
        elif event.implicit[0]:
            text = self._word(text)
            if type(text) is Surprise:
                self._surprise(text, at)
        return text

    def _word(self, text: str) -> Any:
        words = self.words
        if text not in words:
            words[text] = plain(text)
        return words[text]

    def _surprise(self, surprise: Surprise, at: int) -> None:
        fact, key = f"this is read as {surprise.reading}", self.frame.key
        if surprise is EMPTY:
            if key is _DROP:
                return
            fact = "this entry has no value" if key is None else f"{key!r} has no value"
            at = self.frame.keys.get(key, at)
        self._problem(at, fact, surprise.remedy, surprise.rule)

    def _key(self, event: Any, at: int) -> Any:
        text = event.value
        if event.tag:
            self._problem(at, *TAG)
        elif event.implicit[0] and not isinstance(self._word(text), str):
            return self._refuse_key(at, *_misread_key(text, self._word(text)))
        first = self.frame.keys.setdefault(text, at)
        if first != at:
            before = f"it stands at line {(first >> 32) + 1} already"
            return self._refuse_key(at, f"{text!r} is written twice in this map", before, "yaml/duplicate-key")
        return text

    def _refuse_key(self, at: int, fact: str, remedy: str, rule: str) -> _Mark:
        self._problem(at, fact, remedy, rule)
        return _DROP

    def _start(self, event: Any) -> None:
        at = _at(event)
        if len(self.open) > MAX_DEPTH:
            self._too_deep(event.start_mark)
            raise _Stop
        if event.tag:
            self._problem(at, *TAG)
        if event.anchor:
            self._name(event.anchor, at, _OPEN)
        self.written += 1
        is_map = type(event) is yaml.MappingStartEvent
        self.frame = _Frame(at, is_map, event.anchor, len(self.problems))
        self.open.append(self.frame)

    def _too_deep(self, mark: Any) -> None:
        fact = f"this is nested deeper than {MAX_DEPTH} levels"
        self._problem(_place(mark), fact, "close the brackets, or check the indentation", "yaml/too-deep")

    def _end(self, _: Any) -> None:
        done = self.open.pop()
        self.frame = self.open[-1]
        node = Node(done.at, done.keys, done.values)
        if done.anchor:
            self.anchors[done.anchor] = (done.data, node, done.size)
        if self.frame.key is _KEY:
            del self.problems[done.problems :]  # what is wrong inside is one mistake: this was to be text
            self.frame.key = self._refuse_key(done.at, *_CONTAINER_KEY)
        else:
            self._put(done.data, node, done.size)

    def _name(self, anchor: str, at: int, target: Any) -> None:
        if anchor in self.anchors:
            self._problem(at, f"the anchor '&{anchor}' is set twice", "choose another name", "yaml/duplicate-anchor")
        self.anchors[anchor] = target

    def _alias(self, event: Any) -> None:
        at = _at(event)
        value, place, size = self.anchors.get(event.anchor) or (None, None, 1)
        self.written += 1
        if self.frame.key is _KEY:
            self.frame.key = self._refuse_key(at, "an alias cannot be a key", "write the key out", "yaml/key-not-text")
            return
        if value is _KEY:
            self._problem(at, f"'*{event.anchor}' contains itself", "write the value out", "yaml/recursive-alias")
        elif place is None:
            self._problem(at, f"no anchor '&{event.anchor}' stands above", _STAR, "yaml/unknown-alias")
        self.largest_alias = max(self.largest_alias, (size, at))
        here = Node(at, place.keys, place.values) if isinstance(place, Node) else at
        self._put(value, here, size)


_STAR = "set it, or put the text in quotes"
_CONTAINER_KEY = (
    "a map or list cannot be a key",
    "text that begins with '{{' or a bracket needs quotes around all of it",
    "yaml/key-not-text",
)


def _at(event: Any) -> int:
    return _place(event.start_mark)


def _place(mark: Any) -> int:
    return int(mark.line << 32 | mark.column)


def _misread_key(text: str, value: Any) -> tuple[str, str, str]:
    """How a key that is not text is read, in words."""
    if value is EMPTY:
        return "this key is empty", "write a key", "yaml/key-not-text"
    if isinstance(value, Surprise):
        merge = value.rule == "yaml/merge-key"
        return (
            f"this key is read as {value.reading}",
            value.remedy if merge else "put it in quotes",
            value.rule if merge else "yaml/key-not-text",
        )
    reading = "null" if value is None else str(value).lower() if isinstance(value, bool) else f"the number {value}"
    return f"this key is read as {reading}, not as text", "put it in quotes", "yaml/key-not-text"
