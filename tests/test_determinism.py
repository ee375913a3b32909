"""The same declaration gives the same bytes: on any machine, in any folder, at any time, whoever asks."""

from __future__ import annotations

import datetime
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import msgspec
import pytest

from conftest import FLEETS
from obsgen.road import load, texts

NAMES = sorted(path.name for path in FLEETS.iterdir())


def a_profile(fleet: Path) -> str:
    """One of a fleet's profiles: `one` where it is called that."""
    names = sorted(path.stem for path in (fleet / "profiles").glob("*.yaml"))
    return "one" if "one" in names else names[0]


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rendered(fleet: Path, working_folder: Path, **environment: str) -> dict[str, bytes]:
    """What the command writes when a fleet is copied to a folder, typed in another, with these variables set."""
    out = working_folder / "out"
    words = [
        "render",
        "--profile",
        a_profile(fleet),
        "--config",
        os.path.relpath(fleet / "observability.yaml", working_folder),
    ]
    subprocess.run(
        [sys.executable, "-m", "obsgen", *words, "--out", str(out)],
        cwd=working_folder,
        env=os.environ | environment,
        check=True,
        capture_output=True,
    )
    return bytes_of(out)


@pytest.mark.parametrize("name", NAMES)
def test_two_renders_are_equal_byte_for_byte(name: str, tmp_path: Path) -> None:
    here, there = tmp_path / "a", tmp_path / "b b" / "é"
    for folder in (here, there):
        shutil.copytree(FLEETS / name, folder / "fleet", ignore=shutil.ignore_patterns("rendered"))
    there.joinpath("elsewhere").mkdir()
    utf8 = rendered(here / "fleet", here / "fleet", LC_ALL="C.UTF-8", PYTHONHASHSEED="0", TZ="UTC", COLUMNS="80")
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "TZ": "Asia/Tokyo", "COLUMNS": "20"}
    assert rendered(there / "fleet", there / "elsewhere", PYTHONHASHSEED="4711", FORCE_COLOR="1", **ascii_only) == utf8


@pytest.fixture(params=NAMES)
def files(request: pytest.FixtureRequest) -> dict[str, str]:
    """What is rendered of a fleet, without the rule files that it takes over as they are."""
    fleet = FLEETS / request.param
    declared = load(fleet / "observability.yaml", a_profile(fleet))
    return texts(replace(declared, declaration=msgspec.structs.replace(declared.declaration, rule_files=())))


def test_every_file_ends_with_one_newline(files: dict[str, str]) -> None:
    assert [path for path, text in files.items() if not re.search(r"[^\n]\n\Z", text)] == []


def test_no_line_ends_with_space_and_none_holds_a_tab_or_a_carriage_return(files: dict[str, str]) -> None:
    unseen = {
        path: r"\s$|\r" if path == "logging/alloy.yaml" else r"\s$|\t|\r" for path in files
    }  # `alloy fmt` indents by tabs
    assert [
        (path, line) for path, text in files.items() for line in text.split("\n") if re.search(unseen[path], line)
    ] == []


def test_no_file_says_when_or_by_which_version_it_was_made(files: dict[str, str]) -> None:
    today = datetime.date.today()
    traces = [
        today.isoformat(),
        f"{today:%Y%m%d}",
        f"{today:%d %b %Y}",
        f"obsgen {version('obsgen')}",
        f"obsgen/{version('obsgen')}",
    ]
    assert [(path, trace) for path, text in files.items() for trace in traces if trace in text] == []


def test_every_file_that_can_hold_a_comment_names_its_sources_and_its_command(files: dict[str, str]) -> None:
    header = r"Rendered from observability\.yaml and profiles/(\S+)\.yaml: obsgen render --profile \1\. Change those, not this\."
    headless = {path for path, text in files.items() if not re.search(header, text.split("\n", 1)[0])}
    assert headless == {path for path in files if path.endswith(".json")}


def test_files_come_sorted_by_path(files: dict[str, str]) -> None:
    assert list(files) == sorted(files)
