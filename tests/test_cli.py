"""Exit codes, and what goes to stdout and what to stderr: the interface of scripts."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import Run
from obsgen.judging.report import Report
from obsgen.problem import Problem


def append(path: Path, text: str) -> int:
    """Text at the end of a file; the line that it begins on."""
    before = path.read_text(encoding="utf-8")
    path.write_text(before + text, encoding="utf-8")
    return before.count("\n") + 1


def strip_header(text: str) -> str:
    """What two profiles that say the same have in common."""
    return "\n".join(line for line in text.split("\n") if "Rendered from" not in line)


@pytest.fixture
def two(fleet: Path) -> Path:
    """The fleet with a second profile, `two`."""
    shutil.copy(fleet / "profiles" / "one.yaml", fleet / "profiles" / "two.yaml")
    return fleet


@pytest.fixture
def quiet(fleet: Path) -> Path:
    """A fleet about which there is nothing to say, not even a warning."""
    path = fleet / "observability.yaml"
    comment = "# obsgen: ignore=version/end-of-life another agent would do as well\n"
    path.write_text(path.read_text(encoding="utf-8").replace("\n  agent:", f"\n  {comment}  agent:"), encoding="utf-8")
    return fleet


# What each verb that starts no server's program answers to a right declaration, to a wrong one, and to a profile that isn't there.
VERBS = {
    "check": ["check"],
    "render": ["render"],
    "render --check": ["render", "--check"],
    "render --diff": ["render", "--diff"],
    "diff": ["diff"],
    "explain": ["explain", "cluster"],
}


@pytest.mark.parametrize("words", VERBS.values(), ids=VERBS)
def test_a_verb_about_a_right_declaration_exits_0(run: Run, fleet: Path, words: list[str]) -> None:
    assert run("render", "--profile", "one").code == 0
    assert run(*words, "--profile", "one").code == 0


@pytest.mark.parametrize("words", VERBS.values(), ids=VERBS)
def test_a_verb_about_a_wrong_declaration_exits_1_and_tells_every_problem(
    run: Run, fleet: Path, words: list[str]
) -> None:
    line = append(fleet / "observability.yaml", "that: {}\nurls: {grafana: 7}\n")
    ran = run(*words, "--profile", "one")
    assert ran.code == 1
    told = ran.out if words == ["check"] else ran.err
    places = [problem.split(": ")[0] for problem in told.splitlines() if "[" in problem]
    assert places == [f"observability.yaml:{line}:1", f"observability.yaml:{line + 1}:17"]
    assert "2 errors" in told
    assert not (fleet / "rendered").exists()


@pytest.mark.parametrize("words", [*VERBS.values(), ["verify"]], ids=[*VERBS, "verify"])
def test_a_verb_without_a_profile_exits_2_and_lists_them(run: Run, two: Path, words: list[str]) -> None:
    ran = run(*words)
    assert ran.code == 2
    assert "no profile is named. Profiles here: one, two (add --profile NAME, or --all)" in ran.out + ran.err


@pytest.mark.parametrize("words", [*VERBS.values(), ["verify"]], ids=[*VERBS, "verify"])
def test_a_verb_about_an_unknown_profile_exits_2_and_lists_those_there_are(
    run: Run, two: Path, words: list[str]
) -> None:
    ran = run(*words, "--profile", "tow")
    assert ran.code == 2
    assert "there is no profile 'tow' (did you mean 'two'? profiles here: one, two)" in ran.out + ran.err


def test_all_without_any_profile_says_so(run: Run, fleet: Path) -> None:
    shutil.rmtree(fleet / "profiles")
    ran = run("render", "--all")
    assert (ran.code, ran.out) == (2, "")
    assert "Profiles here: none (add a profile)" in ran.err


def test_unknown_words_exit_2(run: Run) -> None:
    assert [run(*words).code for words in (["rendr"], ["check", "--al"], ["check", "--output", "xml"])] == [2, 2, 2]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[Problem]:
    """What the judges will say: nothing, unless a test adds to it."""
    problems: list[Problem] = []
    monkeypatch.setattr("obsgen.judging.verify.verify", lambda *_, **__: Report((), tuple(problems)))
    return problems


def test_verify_exits_0_where_no_judge_objects_and_1_where_one_does(run: Run, fleet: Path, said: list[Problem]) -> None:
    assert run("verify", "--profile", "one").code == 0
    said.append(Problem("logging/loki.yaml", 1, 1, "Loki refuses it", "", "verify/loki"))
    ran = run("verify", "--profile", "one", "--output", "json")
    assert (ran.code, [problem["fact"] for problem in json.loads(ran.out)]) == (1, ["Loki refuses it"])


def test_verify_asks_no_judge_about_a_declaration_that_is_wrong(run: Run, fleet: Path, said: list[Problem]) -> None:
    path = fleet / "observability.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("default: true", "default: false"), encoding="utf-8")
    append(path, "packs: {log-pipeline: {}}\n")
    ran = run("verify", "--profile", "one")
    assert ran.code == 1
    assert "[team/default]" in ran.err


def test_schema_prints_a_schema(run: Run) -> None:
    ran = run("schema", "profile")
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_check_prints_on_stdout_and_nothing_where_there_is_nothing_to_say(run: Run, quiet: Path) -> None:
    assert run("check", "--profile", "one") == (0, "", "")
    line = append(quiet / "observability.yaml", "dlq: 1\n")
    ran = run("check", "--profile", "one")
    assert (ran.code, ran.err) == (1, "")
    assert ran.out.startswith(f"observability.yaml:{line}:6: ")


def test_a_warning_fails_a_strict_check_and_a_strict_render_only(run: Run, fleet: Path) -> None:
    assert [run("check", "--profile", "one").code, run("check", "--profile", "one", "--strict").code] == [0, 1]
    assert run("render", "--profile", "one", "--strict").code == 1
    assert not (fleet / "rendered").exists()
    assert run("render", "--profile", "one").code == 0


def test_render_writes_beside_the_declaration_and_says_what(run: Run, quiet: Path) -> None:
    assert run("render", "--profile", "one") == (0, "", "rendered/one: 16 added\n")
    assert run("render", "--profile", "one") == (0, "", "rendered/one: up to date\n")
    assert (quiet / "rendered" / "one" / "FILES").is_file()


def test_the_declaration_may_be_elsewhere(run: Run, quiet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (quiet / "x").mkdir()
    monkeypatch.chdir(quiet / "x")
    ran = run("render", "--profile", "one", "--config", "../observability.yaml")
    assert ran == (0, "", "../rendered/one: 16 added\n")


def test_all_renders_every_profile_each_into_its_folder(run: Run, two: Path) -> None:
    assert run("render", "--all").code == 0
    assert sorted(path.name for path in (two / "rendered").iterdir()) == ["one", "two"]


def test_out_is_the_folder_of_one_profile_and_holds_a_folder_for_each_of_several(run: Run, two: Path) -> None:
    assert run("render", "--profile", "one", "--profile", "one", "--out", "a").code == 0
    assert run("render", "--profile", "one", "--profile", "two", "--out", "b").code == 0
    assert (two / "a" / "FILES").read_bytes() == (two / "b" / "one" / "FILES").read_bytes()
    both = [(two / "b" / name / "FILES").read_text(encoding="utf-8") for name in ("one", "two")]
    assert strip_header(both[0]) == strip_header(both[1])


def test_one_wrong_profile_of_two_stops_both(run: Run, two: Path) -> None:
    (two / "profiles" / "two.yaml").write_text("clutser: x\n", encoding="utf-8")
    ran = run("render", "--all")
    assert ran.code == 1
    assert "profiles/two.yaml:1:1: " in ran.err
    assert not (two / "rendered").exists()


def dirty(run: Run, fleet: Path) -> Path:
    """A rendered folder with one file missing, one changed and one stale."""
    run("render", "--profile", "one")
    folder = fleet / "rendered" / "one"
    (folder / "SECRETS.md").unlink()
    (folder / "kustomization.yaml").write_text("mine: 1", encoding="utf-8")
    append(folder / "FILES", "old/stale.yaml\n")
    (folder / "old").mkdir()
    (folder / "old" / "stale.yaml").write_text("old\n", encoding="utf-8")
    return folder


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_render_check_tells_what_is_out_of_date_and_how_to_go_on_and_writes_nothing(run: Run, quiet: Path) -> None:
    before = everything(dirty(run, quiet))
    told = "\n".join(
        [
            "rendered/one/FILES is out of date",
            "rendered/one/SECRETS.md is missing",
            "rendered/one/kustomization.yaml is out of date",
            "rendered/one/old/stale.yaml is stale",
            "run: obsgen render --profile one\n",
        ]
    )
    assert run("render", "--profile", "one", "--check") == (1, "", told)
    assert everything(quiet / "rendered") == before


def test_render_diff_prints_the_lines_on_stdout_and_writes_nothing(run: Run, quiet: Path) -> None:
    before = everything(dirty(run, quiet))
    ran = run("render", "--profile", "one", "--diff")
    assert (ran.code, ran.err) == (1, "")
    assert (
        "removed rendered/one/old/stale.yaml\n--- a/old/stale.yaml\n+++ b/old/stale.yaml\n@@ -1 +0,0 @@\n-old\n"
        in ran.out
    )
    assert "-mine: 1\n\\ No newline at end of file\n+# Rendered from" in ran.out
    assert everything(quiet / "rendered") == before


def test_diff_tells_the_files_and_with_text_the_lines(run: Run, quiet: Path) -> None:
    dirty(run, quiet)
    short, long = run("diff", "--profile", "one"), run("diff", "--profile", "one", "--text")
    assert short == (
        1,
        "changed rendered/one/FILES\nadded   rendered/one/SECRETS.md\n"
        "changed rendered/one/kustomization.yaml\nremoved rendered/one/old/stale.yaml\n",
        "",
    )
    assert long.out == run("render", "--profile", "one", "--diff").out


def test_render_makes_a_dirty_folder_clean(run: Run, quiet: Path) -> None:
    folder = dirty(run, quiet)
    assert run("render", "--profile", "one") == (0, "", "rendered/one: 1 added, 2 changed, 1 removed\n")
    assert not (folder / "old").exists()
    for words in (["diff"], ["render", "--diff"], ["render", "--check"]):
        assert run(*words, "--profile", "one") == (0, "", "")


def test_a_folder_that_cannot_be_written_exits_2(run: Run, fleet: Path) -> None:
    (fleet / "rendered").write_text("mine", encoding="utf-8")
    ran = run("render", "--profile", "one")
    assert ran.code == 2
    assert "rendered/one: can't be written: Not a directory" in ran.err


def facts(form: str, text: str) -> list[str]:
    """The facts in a report of each form, which must parse as a whole."""
    if form == "json":
        return [problem["fact"] for problem in json.loads(text)]
    if form == "sarif":
        (ran,) = json.loads(text)["runs"]
        assert {one["ruleId"] for one in ran["results"]} == {rule["id"] for rule in ran["tool"]["driver"]["rules"]}
        return [one["message"]["text"] for one in ran["results"]]
    lines = text.splitlines()
    assert all(line.startswith(("::error file=", "::warning file=")) for line in lines)
    return [line.split("::", 2)[2] for line in lines]


FORMS = ["json", "github", "sarif"]
WORDS: list[list[str]] = [["check"], ["render"], ["render", "--check"], ["render", "--diff"], ["diff"]]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_for_machines_stdout_holds_every_problem_and_nothing_else(
    run: Run, fleet: Path, words: list[str], form: str
) -> None:
    append(fleet / "observability.yaml", 'that: {}\n"a,b:%\\n": {}\n')
    ran = run(*words, "--profile", "one", "--output", form)
    assert (ran.code, ran.err) == (1, "")
    assert len(facts(form, ran.out)) == 2


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_for_machines_stdout_holds_what_stopped_the_run_and_nothing_else(
    run: Run, fleet: Path, words: list[str], form: str
) -> None:
    ran = run(*words, "--profile", "none", "--output", form)
    assert (ran.code, ran.err) == (2, "")
    assert len(facts(form, ran.out)) == 1


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("words", WORDS[2:], ids=" ".join)
def test_for_machines_each_difference_is_a_problem_beside_the_warnings(
    run: Run, fleet: Path, words: list[str], form: str
) -> None:
    dirty(run, fleet)
    ran = run(*words, "--profile", "one", "--output", form)
    assert (ran.code, ran.err) == (1, "")
    assert (
        sum("run: obsgen render --profile one" in fact or fact.startswith("is ") for fact in facts(form, ran.out)) == 4
    )
    assert len(facts(form, ran.out)) == 5


@pytest.mark.parametrize("form", FORMS)
def test_for_machines_a_render_that_cannot_write_says_only_that(run: Run, fleet: Path, form: str) -> None:
    (fleet / "rendered").write_text("mine", encoding="utf-8")
    ran = run("render", "--profile", "one", "--output", form)
    assert (ran.code, ran.err) == (2, "")
    assert any("can't be written" in fact for fact in facts(form, ran.out))


def test_an_annotation_for_github_escapes_what_would_end_it(run: Run, fleet: Path) -> None:
    (fleet / "a,b:%").mkdir()
    shutil.copy("observability.yaml", "a,b:%/o.yaml")
    shutil.copytree("profiles", "a,b:%/profiles")
    line = append(fleet / "a,b:%" / "o.yaml", "that: {}\n")
    ran = run("check", "--profile", "one", "--config", "a,b:%/o.yaml", "--output", "github")
    assert ran.out.startswith(f"::error file=a%2Cb%3A%25/o.yaml,line={line},col=1,title=")


def test_a_problem_of_a_whole_file_has_no_line_for_github(run: Run, fleet: Path) -> None:
    ran = run("check", "--profile", "none", "--output", "github")
    assert ran.out.startswith("::error file=profiles,title=")


def test_a_place_for_sarif_is_a_uri(run: Run, fleet: Path) -> None:
    (fleet / "a b#").mkdir()
    shutil.copy("observability.yaml", "a b#/o.yaml")
    shutil.copytree("profiles", "a b#/profiles")
    ran = run("check", "--profile", "one", "--config", "a b#/o.yaml", "--output", "sarif")
    places = json.loads(ran.out)["runs"][0]["results"][0]["locations"]
    assert places[0]["physicalLocation"]["artifactLocation"]["uri"] == "a%20b%23/o.yaml"


def command(*words: str, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "obsgen", *words], stderr=subprocess.PIPE, **options)


def on_terminal(*words: str, **environment: str) -> bytes:
    """What a command prints on a terminal."""
    ours, theirs = pty.openpty()
    plain = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    with command(*words, stdout=theirs, env=plain | {"TERM": "xterm"} | environment) as process:
        os.close(theirs)
        printed = b""
        try:
            while part := os.read(ours, 65_536):
                printed += part
        except OSError:  # the other side is closed
            pass
        process.communicate()
    os.close(ours)
    return printed


def test_a_diff_is_coloured_on_a_terminal_only_and_not_with_no_color(run: Run, quiet: Path) -> None:
    dirty(run, quiet)
    words = ("render", "--profile", "one", "--diff")
    assert b"\x1b[31m-old" in on_terminal(*words)
    assert b"\x1b[" not in on_terminal(*words, NO_COLOR="1")
    with command(*words, stdout=subprocess.PIPE) as piped:
        assert b"\x1b[" not in piped.communicate()[0]


def test_a_reader_that_goes_away_is_no_traceback(fleet: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    with command("schema", stdout=write) as process:
        os.close(write)
        assert (process.communicate()[1], process.returncode) == (b"", 1)


def test_an_interrupt_is_no_traceback(run: Run, fleet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("obsgen.road.load", interrupted)
    assert run("check", "--profile", "one") == (130, "", "stopped\n")
