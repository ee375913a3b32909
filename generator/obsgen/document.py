"""A YAML file as plain data that remembers where each value was written."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, NamedTuple

from .problem import Problem, ProblemsError
from .yaml_reader import Node, line_and_column, read
from .yaml_text import decode, unseen

Path = tuple[str | int, ...]


class Spot(NamedTuple):
    """A place in a file; `line` and `column` count from 1."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, eq=False)
class Document:
    """One YAML file: plain data, and where each part of it was written. `file` is the name to show."""

    file: str
    text: str = field(repr=False)
    data: Any
    places: Node | int = field(repr=False)

    def spot(self, path: Path, key: bool = False) -> Spot | None:
        """Where the value at `path` begins (with `key`, its key; entries of lists have none, then the value).

        None if exactly this path is not written in this file.
        """
        place: Node | int = self.places
        key_at: int | None = None
        for step in path:
            if isinstance(place, int) or not _has(place.values, step):
                return None
            key_at = place.keys[str(step)] if isinstance(place.values, dict) else None
            place = place.values[step]  # type: ignore[index]
        return Spot(self.file, *line_and_column(key_at if key and key_at is not None else place))

    def at(self, path: Path) -> Any:
        """The value written at `path`. Raises KeyError if exactly this path is not written in this file."""
        value = self.data
        for step in path:
            if not _has(value, step):
                raise KeyError(path)
            value = value[step]
        return value


def _has(container: Any, step: str | int) -> bool:
    if isinstance(container, dict):
        return step in container
    return isinstance(container, list) and isinstance(step, int) and 0 <= step < len(container)


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` most likely stands for, or None. Case is ignored, at least 0.6 of it must agree."""
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def load(path: FilePath, shown: str | None = None) -> Document:
    """The document at `path`, called `shown` in problems (default: relative to the working folder where inside it).

    Raises ProblemsError with every problem of the text; `could_not_run` if there is no such file or it can't be read.
    """
    shown = shown or shown_name(path)
    try:
        raw = path.read_bytes()
    except (OSError, ValueError) as error:
        raise ProblemsError([Problem(shown, 0, 0, *unread(path, error))], could_not_run=True) from error
    return parse(raw, shown)


def unread(path: FilePath, error: OSError | ValueError) -> tuple[str, str, str]:
    """Why a file could not be read: fact, remedy, rule."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file", _neighbours(path), "file/missing"
    if isinstance(error, IsADirectoryError):
        return "this is a folder, not a file", _neighbours(path / "x"), "file/folder"
    if isinstance(error, UnicodeDecodeError):
        return "this file is not UTF-8", "save it as UTF-8", "file/not-utf8"
    reason = getattr(error, "strerror", None) or str(error)
    return f"this file cannot be read: {reason.lower()}", "", "file/unreadable"


def shown_name(path: FilePath) -> str:
    """`path` as the writer knows it: relative to the working folder where it is inside, else as given."""
    with contextlib.suppress(ValueError):
        return path.absolute().relative_to(FilePath.cwd()).as_posix()
    return path.as_posix()


def _neighbours(path: FilePath) -> str:
    try:
        names = sorted(other.name for other in path.parent.iterdir() if other.suffix == (path.suffix or ".yaml"))
    except (OSError, ValueError):
        return f"there is no folder {shown_name(path.parent)} either"
    meant = did_you_mean(path.name, names)
    if meant:
        return f"did you mean {meant!r}?"
    kind = path.suffix.removeprefix(".").upper() or "YAML"
    return f"{kind} files here: {', '.join(names)}" if names else f"there are no .{kind.lower()} files in this folder"


def parse(text: str | bytes, shown: str) -> Document:
    """The document written in `text`. Raises ProblemsError with every problem, sorted by place."""
    text = decode(text, shown) if isinstance(text, bytes) else text.removeprefix("\ufeff")
    hidden = unseen(text, shown)
    if hidden:
        raise ProblemsError(hidden)
    data, places, problems = read(text, shown)
    if problems:
        raise ProblemsError(sorted(problems))
    return Document(shown, text, data, places)
