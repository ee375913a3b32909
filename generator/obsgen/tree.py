"""A folder that obsgen owns by its list `FILES`: compare it, and make it match, all or nothing."""

from __future__ import annotations

import contextlib
import os.path
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
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


def apply(folder: Path, differing: Sequence[Change]) -> None:
    """Make the folder match, FILES last: every file is staged on the same disk and then put in place, and ours that are stale go.

    All or nothing: raises ProblemsError (could not run) with the folder as it was. A file in the way that FILES doesn't
    name is somebody's, and is refused too.
    """
    _refuse_foreign(folder, differing)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".obsgen-", dir=folder) as staging:
            staged = _staged(Path(staging), differing)
            _exchange(folder, Path(staging), sorted(staged, key=lambda one: one[0] == "FILES"))
    except OSError as error:
        fact = f"can't be written: {error.strerror or error}"
        problem = Problem(str(error.filename or folder), 0, 0, fact, "check the path and its permissions", "tree/write")
        raise ProblemsError([problem], could_not_run=True) from error


def _refuse_foreign(folder: Path, differing: Sequence[Change]) -> None:
    owned = _owned(folder)
    fact, remedy = "is there already, and FILES does not name it", "move it away, or render into another folder"
    problems = [
        Problem(str(folder / change.path), 0, 0, fact, remedy, "tree/foreign")
        for change in differing
        if change.kind == "changed" and change.path not in owned
    ]
    if problems:
        raise ProblemsError(problems, could_not_run=True)


def _staged(staging: Path, differing: Sequence[Change]) -> list[tuple[str, Path | None]]:
    """The new text of each path as a file, None where the path goes."""
    staged: list[tuple[str, Path | None]] = []
    for number, change in enumerate(differing):
        new = staging / f"{number}.new" if change.after is not None else None
        if new:
            new.write_text(change.after or "", encoding="utf-8", newline="\n")
        staged.append((change.path, new))
    return staged


def _exchange(folder: Path, staging: Path, staged: list[tuple[str, Path | None]]) -> None:
    """Each path replaced or removed; what was done is undone when one of them fails."""
    with contextlib.ExitStack() as undo:
        for number, (path, new) in enumerate(staged):
            target, old = folder / path, staging / f"{number}.old"
            undo.callback(_remove_empty, folder, target.parent)
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():
                shutil.copy2(target, old)
                undo.callback(old.replace, target)
            else:
                undo.callback(target.unlink, missing_ok=True)
            if new:
                new.replace(target)
            else:
                target.unlink()
        undo.pop_all()
    for path, new in staged:
        if new is None:
            _remove_empty(folder, (folder / path).parent)


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
    steps = [folder.joinpath(*pure.parts[:end]) for end in range(1, len(pure.parts) + 1)]
    return any(map(os.path.islink, steps))


def _owned(folder: Path) -> set[str]:
    listed = _read(folder / "FILES") or ""
    return {str(PurePosixPath(line)) for line in listed.splitlines() if line and not line.startswith("#")}


def _read(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        problem = Problem(str(path), 0, 0, f"can't be read: {reason}", "check its permissions", "tree/read")
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
