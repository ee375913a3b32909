"""The files that one rendering reads: the declaration, what it includes, the profile, what that extends."""

from __future__ import annotations

import os.path
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any

from .document import Document, Path, Spot, did_you_mean, load, shown_name
from .overlay import ADDED, Layers
from .problem import Problem, ProblemsError

PROFILE_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")


def stack(config: FilePath, profile: str | None, profiles_dir: FilePath) -> Layers:
    """The declaration at `config` with the files it includes; over it `profile` and the one it extends.

    `profile` None: the declaration alone. Raises ProblemsError with every problem of every file; `could_not_run` if
    the declaration or the profile named does not exist or can't be read.
    """
    found = _Found()
    declaration = found.load(config)
    included = _included(found, config, declaration) if declaration else []
    profiles = _profiles(found, profile, profiles_dir) if profile is not None else []
    if found.problems or not declaration:
        raise ProblemsError(sorted(found.problems), could_not_run=found.could_not_run)
    return Layers((declaration, *profiles), tuple(included))


class _Found:
    """What went wrong on the way."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.could_not_run = False

    def add(self, spot: Spot | None, file: str, fact: str, remedy: str, rule: str) -> None:
        _, line, column = spot or (file, 0, 0)
        self.problems.append(Problem(file, line, column, fact, remedy, rule))

    def load(self, path: FilePath, shown: str | None = None, named_at: Spot | None = None) -> Document | None:
        """The map at `path`. A file that cannot be read is a problem where it was named, if it was named in a file."""
        try:
            document = load(path, shown)
        except ProblemsError as error:
            if named_at and error.could_not_run:
                (problem,) = error.problems
                self.add(named_at, named_at.file, f"{problem.file}: {problem.fact}", problem.remedy, problem.rule)
            else:
                self.problems += error.problems
                self.could_not_run |= error.could_not_run
            return None
        if isinstance(document.data, dict):
            return document
        self.add(
            document.spot(()), document.file, "this file is not a map", "begin with 'key: value'", "yaml/not-a-map"
        )
        return None


def _included(found: _Found, config: FilePath, declaration: Document) -> list[Document]:
    """The files of `include:` as far as usable. Whether `include` is a list of text is for the schema to say."""
    entries = declaration.data.get("include")
    root = os.path.realpath(config.parent)
    seen = {os.path.realpath(config)}
    documents: list[Document] = []
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        spot = declaration.spot(("include", index))
        if not isinstance(entry, str) or not spot or "\0" in entry:
            continue
        real = os.path.realpath(config.parent / entry)
        if FilePath(entry).is_absolute() or os.path.commonpath((root, real)) != root:
            remedy = "copy it there, and name it relative to the declaration"
            found.add(spot, spot.file, f"{entry!r} is outside the declaration's folder", remedy, "include/outside")
        elif real in seen:
            found.add(spot, spot.file, f"{entry!r} is included already", "leave it out", "include/twice")
        else:
            seen.add(real)
            shown = posixpath.normpath(posixpath.join(posixpath.dirname(declaration.file), entry))
            document = found.load(config.parent / entry, shown, spot)
            if document and _only_adds(found, document, (declaration, *documents)):
                documents.append(document)
    return documents


def _only_adds(found: _Found, document: Document, others: tuple[Document, ...]) -> bool:
    """Whether a file adds names and does nothing else: then its owner can be whoever owns these names."""
    before = len(found.problems)
    for path, names in _sections(document.data, ()):
        spot = document.spot(path, key=True)
        if path not in ADDED:
            meant = did_you_mean(str(path[-1]), [".".join(map(str, one)) for one in ADDED]) if len(path) == 1 else None
            remedy = f"did you mean {meant!r}?" if meant else f"it adds to {_ADDED}; write this in the declaration"
            fact = f"an included file cannot set '{'.'.join(map(str, path))}'"
            found.add(spot, document.file, fact, remedy, "include/cannot-set")
        elif not isinstance(names, dict):
            remedy = f"write names below {path[-1]}"
            found.add(spot, document.file, f"{path[-1]!r} is not a map", remedy, "include/not-a-map")
        else:
            _defined_once(found, document, [(*path, name) for name in names], others)
    return len(found.problems) == before


_ADDED = ", ".join(sorted(".".join(map(str, path)) for path in ADDED))


def _sections(data: Mapping[str, Any], at: Path) -> Iterator[tuple[Path, Any]]:
    """The maps of `ADDED` that stand in a file, and whatever stands beside the way to them."""
    for key, value in data.items():
        path = (*at, key)
        if isinstance(value, dict) and any(one != path and one[: len(path)] == path for one in ADDED):
            yield from _sections(value, path)
        else:
            yield path, value


def _defined_once(found: _Found, document: Document, paths: Iterable[Path], others: tuple[Document, ...]) -> None:
    for path in paths:
        for first in filter(None, (other.spot(path, key=True) for other in others)):
            fact = f"{path[-1]!r} is defined twice: at {first.file}:{first.line} too"
            spot = document.spot(path, key=True)
            found.add(spot, document.file, fact, "rename or delete one", "include/defined-twice")


def _profiles(found: _Found, name: str, folder: FilePath) -> list[Document]:
    """The profile, below it the one it extends."""
    unusable = _unknown(name, folder)
    if unusable:
        found.add(None, shown_name(folder), *unusable)
        found.could_not_run = True
        return []
    profile = found.load(folder / f"{name}.yaml")
    if not profile:
        return []
    if "include" in profile.data:
        spot = profile.spot(("include",), key=True)
        remedy = "write 'include' in the declaration"
        found.add(spot, profile.file, "a profile cannot include files", remedy, "profile/include")
    if "extends" not in profile.data:
        return [profile]
    lower = _extended(found, name, profile, folder)
    return [lower, profile] if lower else [profile]


def _extended(found: _Found, name: str, profile: Document, folder: FilePath) -> Document | None:
    other, spot = profile.data["extends"], profile.spot(("extends",))
    unusable = _unknown(other, folder)
    if other == name:
        unusable = (f"profile {name!r} extends itself", "name another profile", "profile/cycle")
    if unusable:
        found.add(spot, profile.file, *unusable)
        return None
    lower = found.load(folder / f"{other}.yaml")
    if lower and "extends" in lower.data:
        back = lower.data["extends"] == name
        fact = f"{name!r} extends {other!r}, which extends {'it' if back else 'another'}"
        rule = "profile/cycle" if back else "profile/extends-twice"
        found.add(
            lower.spot(("extends",)), lower.file, fact, "extends stacks one level: leave one of the two out", rule
        )
    return lower


def _unknown(name: Any, folder: FilePath) -> tuple[str, str, str] | None:
    """Why `name` is no profile of `folder`: fact, remedy, rule. Only a well-formed name is ever made a path."""
    if not isinstance(name, str) or not PROFILE_NAME.fullmatch(name):
        fact = (
            f"{name!r} is not the name of a profile" if isinstance(name, str) else "this is not the name of a profile"
        )
        return fact, "small letters, digits and '-', without '.yaml'", "profile/name"
    known = profile_names(folder)
    if name in known:
        return None
    meant = did_you_mean(name, known)
    listed = f"profiles here: {', '.join(known)}" if known else f"there are no profiles in {shown_name(folder)}"
    return f"there is no profile {name!r}", (f"did you mean {meant!r}? " if meant else "") + listed, "profile/unknown"


def profile_names(folder: FilePath) -> list[str]:
    """The profiles that exist in `folder`, sorted; none if there is no such folder."""
    try:
        names = [path.stem for path in folder.iterdir() if path.suffix == ".yaml"]
    except OSError:
        return []
    return sorted(name for name in names if PROFILE_NAME.fullmatch(name))
