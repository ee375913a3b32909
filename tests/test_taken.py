"""Files taken over unchanged: read from the declaration's folder, and told where they were named when they can't be."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import Run
from obsgen.road import load


def declare(fleet: Path, text: str) -> None:
    file = fleet / "observability.yaml"
    file.write_text(file.read_text(encoding="utf-8") + text, encoding="utf-8")


def test_a_file_that_is_named_is_read_from_the_declarations_folder(fleet: Path) -> None:
    (fleet / "rules").mkdir()
    (fleet / "rules" / "old.yaml").write_text("groups: []\n", encoding="utf-8")
    declare(fleet, "rule_files: [rules/old.yaml]\n")
    assert load(fleet / "observability.yaml", "one").taken == {"rules/old.yaml": "groups: []\n"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rule_files: [rules/gone.yaml]\n", "rules/gone.yaml: there is no such file"),
        ("rule_files: [profiles]\n", "profiles: this is a folder, not a file"),
        ("rule_files: [../other.yaml]\n", "../other.yaml: outside the declaration's folder"),
        ("dashboards: {files: [bytes.json]}\n", "bytes.json: this file is not UTF-8"),
    ],
    ids=["missing", "a folder", "outside", "not UTF-8"],
)
def test_a_file_that_cannot_be_taken_over_is_told_where_it_was_named(
    run: Run, fleet: Path, text: str, said: str
) -> None:
    (fleet / "bytes.json").write_bytes(b"\xff\xfe")
    declare(fleet, text)
    ran = run("render", "--profile", "one")
    assert ran.code == 1
    assert said in ran.err
    assert ran.err.startswith("observability.yaml:24:")
    assert not (fleet / "rendered").exists()


def test_every_file_that_is_missing_is_told_at_once(run: Run, fleet: Path) -> None:
    declare(fleet, "rule_files: [a.yaml, b.yaml]\ndashboards: {files: [c.json]}\n")
    said = run("check", "--profile", "one").out
    assert [name for name in ("a.yaml", "b.yaml", "c.json", "d.json") if name in said] == ["a.yaml", "b.yaml", "c.json"]
