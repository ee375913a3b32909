"""A declaration written to a folder of its own, as the tests of the checks break it."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from obsgen.road import Declared, load

BASE = Path(__file__).parent / "checks" / "base.yaml"


def dumped(data: Any) -> str:
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100_000)


def declared(folder: Path, text: str, profile: str = "{}\n") -> Declared:
    """The declaration and profile written to `folder`, read from there as obsgen shows them."""
    (folder / "profiles").mkdir(exist_ok=True)
    (folder / "observability.yaml").write_text(text, encoding="utf-8")
    (folder / "profiles" / "test.yaml").write_text(profile, encoding="utf-8")
    with inside(folder):
        return load(Path("observability.yaml"), "test")


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """The shown names of files are relative to the working folder, and git is asked there."""
    with contextlib.chdir(folder):
        yield


def commit(folder: Path) -> None:
    who = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@example.com"}
    who |= {"GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@example.com"}
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "before"]):
        subprocess.run(["git", "-c", "commit.gpgsign=false", *command], cwd=folder, check=True, env=os.environ | who)
