"""What `obsgen init` writes is a start that works, and it never writes over anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conftest import Run

WRITTEN = [
    "observability.yaml",
    "profiles/dev.yaml",
    "profiles/local.yaml",
    "profiles/prod.yaml",
    "schemas/observability.schema.json",
    "schemas/profile.schema.json",
]


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_init_writes_a_declaration_three_profiles_and_the_schemas_and_says_how_to_go_on(run: Run, empty: Path) -> None:
    ran = run("init")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err.splitlines() == [
        *(f"wrote {path}" for path in WRITTEN),
        "next: obsgen check --all && obsgen render --profile prod",
    ]
    assert files(empty) == WRITTEN


def test_what_init_writes_has_no_error_and_is_rendered(run: Run, empty: Path) -> None:
    run("init")
    checked = run("check", "--all", "--output", "json")
    assert checked.code == 0
    assert [problem for problem in json.loads(checked.out) if problem["severity"] == "error"] == []
    assert run("render", "--profile", "prod").code == 0
    assert (empty / "rendered" / "prod" / "kustomization.yaml").is_file()


def test_editors_find_the_schemas_that_the_files_name(run: Run, empty: Path) -> None:
    run("init")
    for path in [empty / "observability.yaml", *(empty / "profiles").iterdir()]:
        first = path.read_text(encoding="utf-8").split("\n")[0]
        assert (path.parent / first.removeprefix("# yaml-language-server: $schema=")).is_file()


def test_init_makes_the_folder_that_it_is_told(run: Run, empty: Path) -> None:
    assert run("init", "a/b").code == 0
    assert files(empty / "a" / "b") == WRITTEN


def test_init_twice_is_refused_with_every_file_that_is_there(run: Run, empty: Path) -> None:
    run("init")
    (empty / "observability.yaml").write_text("mine", encoding="utf-8")
    (empty / "profiles" / "dev.yaml").unlink()
    ran = run("init")
    there = [path for path in WRITTEN if path != "profiles/dev.yaml"]
    assert ran.code == 2
    assert ran.err.splitlines()[:-1] == [
        f"{path}: exists already (remove it, or name an empty folder) [init/exists]" for path in there
    ]
    assert files(empty) == there
    assert (empty / "observability.yaml").read_text(encoding="utf-8") == "mine"


def test_init_does_not_write_through_a_link_that_leads_nowhere(run: Run, empty: Path) -> None:
    (empty / "observability.yaml").symlink_to(empty / "elsewhere")
    assert run("init").code == 2
    assert files(empty) == []


@pytest.mark.parametrize("folder", ["file", "file/below", "x" * 300])
def test_init_where_nothing_can_be_written_says_so(run: Run, empty: Path, folder: str) -> None:
    (empty / "file").write_text("mine", encoding="utf-8")
    ran = run("init", folder)
    assert ran.code == 2
    assert "can't be written" in ran.err
    assert files(empty) == ["file"]
