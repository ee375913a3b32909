"""What each scenario told is kept, with what it stood on: tests/live/kept/MODULE/TEST.yaml, written by `--record`.

docs/live.md is made of it (page.py), and CI asks whether it still holds (check.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from . import beside
from .scenarios import HERE, OF_A_RUN, Scenario

FOLDER = HERE / "kept"
Entry = dict[str, Any]


@dataclass
class Kept:
    """What a scenario tells of itself, for docs/live.md: the fixture `kept`."""

    alerts: list[Entry] = field(default_factory=list)
    operations: list[Entry] = field(default_factory=list)
    numbers: list[Entry] = field(default_factory=list)

    def alert(self, name: str, severity: str, fault: str, told: Mapping[str, float], over: Mapping[str, float]) -> None:
        """An alert came of a fault: seconds from the fault to each channel, and from its mending to each resolve ({}: it has none).

        What fired and was held back, as it must be, has told nobody: {} and {}.
        """
        seconds = {"told": _seconds(told), "over": _seconds(over)}
        self.alerts.append({"alert": name, "severity": severity, "fault": fault, **seconds})

    def benign(self, operation: str, pages: int) -> None:
        """An operation of every day, and how many messages people got of it."""
        self.operations.append({"operation": operation, "pages": pages})

    def number(self, what: str, value: float | str, unit: str, how: str) -> None:
        """A measured value, and how it was measured."""
        self.numbers.append({"what": what, "value": value, "unit": unit, "how": how})

    def told(self) -> Entry:
        """All of it that isn't empty."""
        lists = {"alerts": self.alerts, "benign": self.operations, "numbers": self.numbers}
        return {name: entries for name, entries in lists.items() if entries}


def _seconds(told: Mapping[str, float]) -> dict[str, int]:
    return {channel: max(1, round(seconds)) for channel, seconds in sorted(told.items())}


def path(one: Scenario, folder: Path = FOLDER) -> Path:
    """Where a scenario's result is kept: `test_x[a-b]` is TEST `test_x.a-b`."""
    test = re.sub(r"[^\w.-]+", ".", one.test).strip(".")
    return folder / one.module / f"{test}.yaml"


def read(file: Path) -> Entry | None:
    """A kept result; None where there is none."""
    return yaml.safe_load(file.read_text()) if file.exists() else None


def everything(folder: Path = FOLDER) -> list[Entry]:
    """All kept results, by the path of their files."""
    return [yaml.safe_load(file.read_text()) for file in sorted(folder.rglob("*.yaml"))]


def result(
    one: Scenario, hashes: Mapping[str, str], told: Entry, before: Entry | None, *, passed: bool, run: str, whole: bool
) -> Entry:
    """The result to keep after a run (`run`: OBSGEN_LIVE). A whole run counts as one more in a row;
    what has changed or failed begins anew.

    Seconds are the longest of the runs in a row.
    """
    same = before is not None and before["passed"] and all(before[name] == value for name, value in hashes.items())
    counted = dict(before["in_a_row"]) if same and passed and before else {}
    if passed and whole:
        counted[run] = counted.get(run, 0) + 1
    if same and before and passed:
        told = _longest(before["told"], told)
    elif not passed and before:
        told = before["told"]  # what it told when it last passed
    return {
        "scenario": one.id, "part": one.part, "profile": one.profile, "boots": list(one.apps), "passed": passed,
        "in_a_row": {name: counted[name] for name in OF_A_RUN if name in counted}, **hashes, "told": told,
    }  # fmt: skip


def _longest(before: Entry, now: Entry) -> Entry:
    """Now's entries, each alert's seconds the longer of both."""
    known = {_named(one): one for one in before.get("alerts", ())}
    for one in now.get("alerts", ()):
        old = known.get(_named(one), {})
        for kind in ("told", "over"):
            one[kind] = {name: max(value, old.get(kind, {}).get(name, 0)) for name, value in one[kind].items()}
    return now


def _named(alert: Entry) -> tuple[str, str, str]:
    return alert["alert"], alert["severity"], alert["fault"]


def write(file: Path, entry: Entry) -> None:
    """The same entry gives the same bytes. By whoever is `beside.alone` in the file's folder."""
    text = yaml.safe_dump(entry, sort_keys=False, allow_unicode=True, width=140)
    beside.write(file, f"# Written by: make live ARGS=--record\n{text}")
