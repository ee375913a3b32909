"""What rendering would change in a folder: for people on call first, then file by file."""

from __future__ import annotations

import difflib
import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import click

from . import oncall, tree
from .problem import Problem, ProblemsError

STATES = {"added": "missing", "changed": "out of date", "removed": "stale"}


class Compared(NamedTuple):
    """A profile's texts beside the folder that they belong into."""

    profile: str
    folder: Path
    texts: Mapping[str, str]
    differing: Sequence[tree.Change]

    def on_call(self) -> list[str]:
        """What changes for people; nothing where there was no output before, for then everything would."""
        before = dict(self.texts)
        for change in self.differing:
            before.pop(change.path, None)
            if change.before is not None:
                before[change.path] = change.before
        return oncall.changes(before, self.texts) if "FILES" in before else []

    def summary(self) -> str:
        """`2 added, 1 removed`."""
        kinds = [change.kind for change in self.differing]
        counts = [f"{kinds.count(kind)} {kind}" for kind in ("added", "changed", "removed") if kind in kinds]
        return ", ".join(counts) or "up to date"

    def problems(self, people: bool) -> Iterator[Problem]:
        """Each file that differs and, with `people`, each change for people on call, for machines to report."""
        remedy = f"run: obsgen render --profile {self.profile}"
        if people:
            for line in self.on_call():
                yield Problem(str(self.folder), 0, 0, line.strip(), "", "diff/on-call", "warning")
        for change in self.differing:
            yield Problem(
                str(self.folder / change.path), 0, 0, f"is {STATES[change.kind]}", remedy, "render/out-of-date"
            )

    def lines(self, with_text: bool) -> Iterator[str]:
        """The same for people, with the differing lines of each file if wanted; coloured where the terminal can."""
        for line in self.on_call():
            yield click.style(f"on call  {line}", bold=True)
        for change in self.differing:
            yield f"{change.kind:8}{self.folder / change.path}"
            if with_text:
                yield from map(_coloured, _unified(change))


def compare(profile: str, folder: Path, texts: Mapping[str, str], base: str | None = None) -> Compared:
    """What would change in `folder`, as it is or as git has it at `base`. ProblemsError where git doesn't know `base`."""
    if base is None:
        return Compared(profile, folder, texts, tree.changes(folder, texts))
    with tempfile.TemporaryDirectory(prefix="obsgen-") as then:
        _checkout(folder, base, Path(then))
        return Compared(profile, folder, texts, tree.changes(Path(then), texts))


def _checkout(folder: Path, base: str, into: Path) -> None:
    """The folder as it was at `base`; left empty where it was not there yet."""
    near = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.is_dir())
    _git(near, base, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{base}^{{commit}}")
    top = Path(_git(near, base, "rev-parse", "--show-toplevel").decode().strip())
    inside = folder.resolve().relative_to(top.resolve()).as_posix()
    if _git(top, base, "ls-tree", "-d", base, "--", inside):
        archive = _git(top, base, "archive", "--format=tar", f"{base}:{inside}")
        with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
            packed.extractall(into, filter="data")


def _git(folder: Path, base: str, *words: str) -> bytes:
    try:
        return subprocess.run(["git", "-C", str(folder), *words], capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        fact, remedy = (
            f"git has no {base!r} here",
            "name a branch, a tag or a commit; a shallow clone has to fetch it first",
        )
        raise ProblemsError([Problem(str(folder), 0, 0, fact, remedy, "diff/base")], could_not_run=True) from error


def _unified(change: tree.Change) -> Iterator[str]:
    before = (change.before or "").splitlines(keepends=True)
    after = (change.after or "").splitlines(keepends=True)
    for line in difflib.unified_diff(before, after, f"a/{change.path}", f"b/{change.path}"):
        yield line.removesuffix("\n") if line.endswith("\n") else f"{line}\n\\ No newline at end of file"


def _coloured(line: str) -> str:
    colours = {"+": "green", "-": "red", "@": "cyan"}
    return click.style(line, fg=colours[line[0]]) if line[:1] in colours else line
