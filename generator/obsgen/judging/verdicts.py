"""Verdicts that are kept beside the texts they are about: `tests/verdicts/JUDGE.json`.

Only judges that no package registry carries are kept (`RECORDED`); the others are built anywhere by `tools/install`, and CI asks them
live. A verdict counts for the same judge, bytes and arguments, by a version of the declared MAJOR.MINOR, and for nothing else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from ..problem import Problem, ProblemsError
from .task import Task
from .tools import fits

RECORDED = ("alloy", "loki", "lokitool", "logcli", "promtail")


class Verdict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a judge of an exact version said of `sha256`; `message` is "" when it accepted."""

    subject: str
    sha256: str
    judge: str
    version: str
    arguments: tuple[str, ...]
    accepted: bool
    message: str


Key = tuple[str, str, tuple[str, ...]]
"""(judge, sha256, arguments): what a verdict is about."""


def key(task: Task) -> Key:
    """The key of a task's verdict. The hash covers the file names that the judge sees, and every byte of the texts."""
    digest = hashlib.sha256()
    for text in task.inputs:
        content = text.text.encode()
        digest.update(f"{text.base}\0{len(content)}\0".encode())
        digest.update(content)
    return task.judge, digest.hexdigest(), task.arguments


def load(folder: Path) -> tuple[Verdict, ...]:
    """Every kept verdict. Raises ProblemsError (could not run) naming each file that is none of ours any more."""
    found: list[Verdict] = []
    problems = []
    for judge in RECORDED:
        path = folder / f"{judge}.json"
        if not path.exists():
            continue
        try:
            found += msgspec.json.decode(path.read_bytes(), type=list[Verdict])
        except (OSError, msgspec.DecodeError) as error:
            remedy = "restore it, or let obsgen verify --record write it"
            problems.append(Problem(path.name, 0, 0, f"these are no verdicts: {error}", remedy, "verify/verdicts"))
    if problems:
        raise ProblemsError(problems, could_not_run=True)
    return tuple(found)


def find(kept: Iterable[Verdict], about: Key, target: str) -> Verdict | None:
    """The kept verdict on a key by a version of MAJOR.MINOR `target`, the newest version of several."""
    matching = [v for v in kept if (v.judge, v.sha256, v.arguments) == about and fits(v.version, target)]
    return max(matching, key=lambda verdict: verdict.version, default=None)


def save(folder: Path, live: Iterable[Verdict], kept: Iterable[Verdict], wanted: Iterable[Key]) -> None:
    """Write one file a judge: what it said now, and of a judge that is not here what it said before of texts still wanted."""
    live, still = list(live), set(wanted)
    asked = {_release(verdict) for verdict in live}
    stays = [v for v in kept if _release(v) not in asked and (v.judge, v.sha256, v.arguments) in still]
    by_judge: dict[str, list[Verdict]] = {}
    for verdict in [*live, *stays]:
        by_judge.setdefault(verdict.judge, []).append(verdict)
    folder.mkdir(parents=True, exist_ok=True)
    for judge in RECORDED:
        path = folder / f"{judge}.json"
        if judge in by_judge:
            path.write_text(_text(by_judge[judge]), encoding="utf-8", newline="\n")
        else:
            path.unlink(missing_ok=True)


def _release(verdict: Verdict) -> tuple[str, ...]:
    return verdict.judge, *verdict.version.split(".")[:2]


def _text(verdicts: Iterable[Verdict]) -> str:
    ordered = sorted(verdicts, key=lambda v: (v.subject, v.sha256, v.arguments, v.version))
    rows: list[dict[str, Any]] = [msgspec.to_builtins(verdict) for verdict in ordered]
    return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"
