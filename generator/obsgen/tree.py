"""A folder that obsgen owns by its list `FILES`: compare it, and make it match, all or nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from .problem import Problem, ProblemsError

Kind = Literal["added", "changed", "removed"]


class Change(NamedTuple):
    """One file that differs; `before` and `after` are its texts, None where it is not there."""

    path: str
    kind: Kind
    before: str | None
    after: str | None


def changes(folder: Path, texts: Mapping[str, str]) -> list[Change]:
    """What `apply` would do to the folder, sorted by path. Files that FILES doesn't name are not ours and never differ."""
    refuse_outside(folder, [*texts, *_owned(folder)])
    found = []
    for path, after in texts.items():
        before = _read(folder / path)
        if before != after:
            found.append(Change(path, "added" if before is None else "changed", before, after))
    for path in sorted(_owned(folder) - set(texts)):
        before = _read(folder / path)
        if before is not None:
            found.append(Change(path, "removed", before, None))
    return sorted(found)


def apply(folder: Path, differing: list[Change]) -> None:
    """Make the folder match: stage every file on the same disk, replace each atomically, FILES last, then remove our stale ones.

    Raises ProblemsError (could not run) before anything is replaced when the folder can't be written.
    """
    written = sorted((c for c in differing if c.after is not None), key=lambda c: (c.path == "FILES", c.path))
    try:
        for change in written:
            (folder / change.path).parent.mkdir(parents=True, exist_ok=True)
            if (folder / change.path).is_dir():
                raise IsADirectoryError(21, "a folder stands where a file belongs", str(folder / change.path))
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".obsgen-", dir=folder) as staging:
            for number, change in enumerate(written):
                (Path(staging) / str(number)).write_text(change.after or "", encoding="utf-8", newline="\n")
            for number, change in enumerate(written):
                (Path(staging) / str(number)).replace(folder / change.path)
        for change in differing:
            if change.after is None:
                (folder / change.path).unlink()
                _remove_empty(folder, (folder / change.path).parent)
    except OSError as error:
        fact = f"can't be written: {error.strerror or error}"
        problem = Problem(str(error.filename or folder), 0, 0, fact, "check the path and its permissions", "tree/write")
        raise ProblemsError([problem], could_not_run=True) from error


def refuse_outside(folder: Path, paths: list[str]) -> None:
    """Raises ProblemsError if writing a path would leave the folder, by `..` or by a symlink on the way."""
    problems = [
        Problem(
            str(folder / path), 0, 0, "leads out of the output folder", "remove the link or the line", "tree/outside"
        )
        for path in sorted(set(paths))
        if _leaves(folder, path)
    ]
    if problems:
        raise ProblemsError(problems, could_not_run=True)


def _leaves(folder: Path, path: str) -> bool:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts:
        return True
    step = folder
    for part in pure.parts:
        step = step / part
        if step.is_symlink():
            return True
    return False


def _owned(folder: Path) -> set[str]:
    listed = _read(folder / "FILES") or ""
    return {line for line in listed.splitlines() if line and not line.startswith("#")}


def _read(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as error:
        problem = Problem(str(path), 0, 0, f"can't be read: {error.strerror}", "check its permissions", "tree/read")
        raise ProblemsError([problem], could_not_run=True) from error


def _remove_empty(folder: Path, child: Path) -> None:
    for place in _upwards(folder, child):
        try:
            place.rmdir()
        except OSError:
            return


def _upwards(folder: Path, child: Path) -> Iterator[Path]:
    while child != folder:
        yield child
        child = child.parent
