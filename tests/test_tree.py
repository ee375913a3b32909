"""A folder is made to match all at once, and nothing is touched that obsgen does not own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from obsgen import tree
from obsgen.problem import ProblemsError

FIRST = {"FILES": "FILES\na/b/one.yaml\ntwo.yaml\n", "a/b/one.yaml": "1\n", "two.yaml": "2\n"}
SECOND = {"FILES": "FILES\nthree.yaml\ntwo.yaml\n", "three.yaml": "3\n", "two.yaml": "22\n"}


def write(folder: Path, texts: Mapping[str, str]) -> None:
    tree.apply(folder, tree.changes(folder, texts))


def contents(folder: Path) -> dict[str, str]:
    """Everything in a folder, an empty folder in it too."""
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") if path.is_file() else "(folder)"
        for path in folder.rglob("*")
        if path.is_file() or not any(path.iterdir())
    }


def refused(folder: Path, texts: Mapping[str, str]) -> list[str]:
    """The problems that stop a write, as obsgen shows them."""
    before = contents(folder)
    with pytest.raises(ProblemsError) as stopped:
        write(folder, texts)
    assert stopped.value.could_not_run
    assert contents(folder) == before
    return [str(problem).removeprefix(f"{folder}/") for problem in stopped.value.problems]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder that holds FIRST."""
    folder = tmp_path / "out"
    write(folder, FIRST)
    return folder


def test_a_new_folder_is_made_with_everything_in_it(tmp_path: Path) -> None:
    write(tmp_path / "x" / "y", FIRST)
    assert contents(tmp_path / "x" / "y") == FIRST


def test_a_folder_that_matches_has_no_changes(out: Path) -> None:
    assert tree.changes(out, FIRST) == []


def test_a_change_tells_its_kind_and_both_texts(out: Path) -> None:
    assert [change[:4] for change in tree.changes(out, SECOND)] == [
        ("FILES", "changed", FIRST["FILES"], SECOND["FILES"]),
        ("a/b/one.yaml", "removed", "1\n", None),
        ("three.yaml", "added", None, "3\n"),
        ("two.yaml", "changed", "2\n", "22\n"),
    ]


def test_a_stale_file_goes_with_the_folders_that_it_leaves_empty(out: Path) -> None:
    write(out, SECOND)
    assert contents(out) == SECOND


def test_a_folder_stays_while_somebody_keeps_a_file_in_it(out: Path) -> None:
    (out / "a" / "note.txt").write_text("mine", encoding="utf-8")
    write(out, SECOND)
    assert contents(out) == SECOND | {"a/note.txt": "mine"}


def test_a_file_that_is_not_ours_never_differs(out: Path) -> None:
    (out / "note.txt").write_text("mine", encoding="utf-8")
    assert tree.changes(out, FIRST) == []


def test_a_file_in_the_way_that_is_not_ours_is_refused(out: Path) -> None:
    (out / "three.yaml").write_text("mine", encoding="utf-8")
    assert refused(out, SECOND) == [
        "three.yaml: is there already, and FILES does not name it (move it away, or render into another folder) [tree/foreign]"
    ]


def test_a_file_in_the_way_that_says_the_same_is_taken_over(out: Path) -> None:
    (out / "three.yaml").write_text("3\n", encoding="utf-8")
    write(out, SECOND)
    assert contents(out) == SECOND


def test_a_carriage_return_is_a_difference(out: Path) -> None:
    (out / "two.yaml").write_bytes(b"2\r\n")
    assert [change.path for change in tree.changes(out, FIRST)] == ["two.yaml"]


def test_a_file_that_is_no_text_is_a_difference(out: Path) -> None:
    (out / "two.yaml").write_bytes(b"\xff\xfe")
    assert [change.path for change in tree.changes(out, FIRST)] == ["two.yaml"]


@pytest.mark.parametrize("line", ["../../victim", "/etc/victim", "a/../../victim", ".."])
def test_a_line_of_files_that_leads_outside_is_refused(out: Path, line: str) -> None:
    victim = out.parents[1] / "victim"
    victim.write_text("mine", encoding="utf-8")
    (out / "FILES").write_text(f"{line}\n", encoding="utf-8")
    (told,) = refused(out, FIRST)
    assert told.endswith("leads out of the output folder (remove the link or the line) [tree/outside]")
    assert victim.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("line", ["./two.yaml", "a//b/one.yaml", "a/./b/one.yaml", ".", "./FILES"])
def test_another_spelling_of_a_file_of_ours_removes_nothing(out: Path, line: str) -> None:
    listed = f"{FIRST['FILES']}{line}\n"
    (out / "FILES").write_text(listed, encoding="utf-8")
    write(out, FIRST)
    assert contents(out) == FIRST


@pytest.mark.parametrize("line", ["x" * 300, "a\0b"])
def test_a_line_of_files_that_is_no_path_is_told(out: Path, line: str) -> None:
    (out / "FILES").write_text(f"FILES\n{line}\n", encoding="utf-8")
    (told,) = refused(out, FIRST)
    assert "[tree/read]" in told


@pytest.mark.parametrize("path", ["two.yaml", "a", "FILES"])
def test_a_link_in_the_output_is_refused(out: Path, path: str) -> None:
    elsewhere = out.parent / "elsewhere"
    (out / path).rename(elsewhere)
    (out / path).symlink_to(elsewhere)
    was = contents(out.parent)
    told = refused(out, SECOND)
    assert told and all(
        line.endswith("leads out of the output folder (remove the link or the line) [tree/outside]") for line in told
    )
    assert contents(out.parent) == was


def test_the_output_folder_itself_may_be_a_link(out: Path) -> None:
    link = out.parent / "link"
    link.symlink_to(out)
    write(link, SECOND)
    assert contents(out) == SECOND


def test_a_file_where_a_folder_belongs_is_told(out: Path) -> None:
    (out / "b").write_text("mine", encoding="utf-8")
    (told,) = refused(out, FIRST | {"FILES": "FILES\n", "b/c.yaml": "c\n"})
    assert told == "b: can't be written: File exists (check the path and its permissions) [tree/write]"


def test_a_folder_where_a_file_belongs_is_told(out: Path) -> None:
    (out / "three.yaml").mkdir()
    (told,) = refused(out, SECOND)
    assert told == "three.yaml: can't be written: Is a directory (check the path and its permissions) [tree/write]"


def test_a_file_where_the_output_folder_belongs_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine", encoding="utf-8")
    with pytest.raises(ProblemsError, match="can't be written: File exists"):
        write(tmp_path / "out", FIRST)
    assert contents(tmp_path) == {"out": "mine"}


def failing(monkeypatch: pytest.MonkeyPatch, method: str, at: int) -> list[str]:
    """Make a method of Path fail as on a full disk at its `at`-th call, once; the paths that it was called with."""
    real, called = getattr(Path, method), list[str]()

    def fails(self: Path, *words: object, **options: object) -> object:
        called.append(str(words[0] if method == "replace" else self))
        if len(called) == at:
            raise OSError(28, "No space left on device", str(self))
        return real(self, *words, **options)

    monkeypatch.setattr(Path, method, fails)
    return called


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_failure_in_the_middle_leaves_the_old_files(out: Path, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    failing(monkeypatch, "replace", at)
    (told,) = refused(out, SECOND)
    assert "No space left on device" in told


def test_a_failure_while_staging_leaves_the_old_files(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, "write_text", 2)
    (told,) = refused(out, SECOND)
    assert "No space left on device" in told


def test_a_failure_while_removing_leaves_the_old_files(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, "unlink", 1)
    (told,) = refused(out, SECOND)
    assert "No space left on device" in told


def test_a_failure_in_a_new_folder_leaves_it_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "out").mkdir()
    failing(monkeypatch, "replace", 2)
    (told,) = refused(tmp_path / "out", FIRST)
    assert "No space left on device" in told


def test_files_is_written_last(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called = failing(monkeypatch, "replace", 99)
    write(out, SECOND)
    assert called == [str(out / "three.yaml"), str(out / "two.yaml"), str(out / "FILES")]
