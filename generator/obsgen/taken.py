"""Files that the declaration names and obsgen takes over unchanged: existing rules and dashboards."""

from __future__ import annotations

import os.path
from collections.abc import Iterator
from pathlib import Path as FilePath

from .document import Path, unread
from .model import Declaration
from .overlay import Layers
from .problem import Problem, ProblemsError


def taken(layers: Layers, declaration: Declaration, folder: FilePath) -> dict[str, str]:
    """The text of each file named, by the path as written, which begins in the declaration's `folder`.

    Raises ProblemsError with every file that is not there, is not text, or lies outside the folder, each where it was named.
    """
    texts: dict[str, str] = {}
    problems: list[Problem] = []
    for path, name in _named(declaration):
        try:
            texts[name] = _read(folder, name)
        except _UnusableError as error:
            problems.append(layers.problem(path, f"{name}: {error.fact}", error.remedy, error.rule))
    if problems:
        raise ProblemsError(sorted(problems))
    return texts


def _named(declaration: Declaration) -> Iterator[tuple[Path, str]]:
    for place, name in enumerate(declaration.rule_files):
        yield ("rule_files", place), name
    for place, name in enumerate(declaration.dashboards.files):
        yield ("dashboards", "files", place), name


class _UnusableError(Exception):
    def __init__(self, fact: str, remedy: str, rule: str) -> None:
        self.fact, self.remedy, self.rule = fact, remedy, rule


def _read(folder: FilePath, name: str) -> str:
    root, real = os.path.realpath(folder), os.path.realpath(folder / name)
    if os.path.commonpath((root, real)) != root:
        raise _UnusableError("outside the declaration's folder", "copy it there", "file/outside")
    try:
        return FilePath(real).read_bytes().decode("utf-8")
    except (OSError, ValueError) as error:
        raise _UnusableError(*unread(folder / name, error)) from error
