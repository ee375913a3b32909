"""`obsgen logs check` from outside: its sources, what it prints, how it ends."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import Run
from log_lines import CONTRACT, ROOT, line

CHECK = ("logs", "check", "--contract", str(CONTRACT))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OBSGEN_CONTRACT", raising=False)
    return tmp_path


def written(text: str | bytes, name: str = "app.log") -> str:
    Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return name


def rules(out: str) -> dict[str, str]:
    """Rule → how many, of the table."""
    rows = (row.split() for row in out.splitlines() if row.startswith("  logs/"))
    return {row[0].removeprefix("logs/"): row[1] for row in rows}


VECTORS = json.loads((ROOT / "libs/fixtures/log-lines.json").read_text(encoding="utf-8"))["vectors"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_every_line_that_the_loggers_write_conforms(vector: dict[str, Any], run: Run) -> None:
    said = run(*CHECK, written(vector["line"]), "--max", "no-trace=100%", "--strict")
    assert said.code == 0, said.out
    assert "1 conform (100 %)" in said.out


def test_the_plans_own_logger_fails_as_it_was_found_to(run: Run) -> None:
    said = run(*CHECK, "--run", f"{sys.executable} {ROOT / 'tests' / 'plan_logger.py'}")
    assert said.code == 1
    assert rules(said.out) == {
        "json": "2",  # one of a library, one with NaN
        "required": "88",
        "timestamp": "98",  # six digits
        "redact": "1",
        "error-fields": "1",
    }
    assert "100 lines, " in said.out
    assert "; 0 conform (0 %)" in said.out


def test_a_stream_that_conforms_says_so_and_ends_with_0(run: Run) -> None:
    said = run(*CHECK, written(line() * 3))
    assert (said.code, said.err) == (0, "")
    assert said.out == (
        "3 lines, 540 B; 3 conform (100 %)\n"
        "not asked: logs/volume, no objective log_volume (a contract alone has none: declare it, or --max volume=1GB)\n"
    )


def test_a_fact_is_told_once_with_its_first_place_and_how_often_it_was_found(run: Run) -> None:
    said = run(*CHECK, written(line() + line(level="WARNING") * 2 + line(level="Info")))
    assert said.out.splitlines()[0] == (
        "app.log:2:43: no declared level is 'WARNING'; so in 2 of 4 lines (50 %) (write WARN) [logs/level]"
    )
    assert rules(said.out) == {"level": "3"}
    assert said.out.endswith("2 errors\n")


def test_of_many_different_facts_only_as_many_are_shown_as_asked_for(run: Run) -> None:
    file = written("".join(line(level=f"L{number}") for number in range(1000)))
    assert run(*CHECK, file).out.count("[logs/level]") == 3
    said = run(*CHECK, file, "--show", "5")
    assert said.out.count("[logs/level]") == 5
    assert rules(said.out) == {"level": "1,000"}


def test_several_files_are_one_stream_and_each_is_named(run: Run) -> None:
    said = run(*CHECK, written(line(), "a.log"), written(line(level="x"), "b.log"), written("", "c.log"))
    assert "\nb.log:1:43: " in "\n" + said.out
    assert "c.log: no line was read" in said.out
    assert "2 lines, " in said.out


def test_json_holds_the_counts_beside_the_problems(run: Run) -> None:
    said = json.loads(run(*CHECK, written(line() * 3 + line(trace_id=...)), "--output", "json").out)
    assert (said["lines"], said["conforming"]) == (4, 3)
    (rule,) = said["rules"]
    assert rule == {
        "rule": "logs/required", "count": 1, "share": 0.25, "allowed": "0", "broken": True, "first": "app.log:4"
    }  # fmt: skip
    (problem,) = said["problems"]
    assert (problem["file"], problem["line"], problem["rule"]) == ("app.log", 4, "logs/required")
    assert set(said["unasked"]) == {"logs/volume"}


@pytest.mark.parametrize("form", ["github", "sarif"])
def test_the_other_forms_are_those_of_all_of_obsgen(form: str, run: Run) -> None:
    said = run(*CHECK, written(line(trace_id=...)), "--output", form)
    assert said.code == 1
    if form == "github":
        assert said.out.startswith("::error file=app.log,line=1,col=1,title=logs/required::'trace_id' is missing (")
    else:
        assert json.loads(said.out)["runs"][0]["results"][0]["ruleId"] == "logs/required"


@pytest.mark.parametrize(
    ("maxima", "code"),
    [
        ([], 1),
        (["required=1"], 1),
        (["required=2"], 0),
        (["logs/required=2"], 0),
        (["required=24.9%"], 1),
        (["required=25%"], 0),
        (["required=2", "required=0"], 1),
    ],
)
def test_a_threshold_counts_lines_or_a_share_of_them(maxima: list[str], code: int, run: Run) -> None:
    file = written(line() * 6 + line(trace_id=...) * 2)
    said = run(*CHECK, file, *(word for one in maxima for word in ("--max", one)))
    assert said.code == code, said.out
    assert rules(said.out) == {"required": "2"}


def test_warnings_end_with_0_and_with_strict_1(run: Run) -> None:
    file = written(line(level="ERROR"))
    assert run(*CHECK, file).code == 0
    assert run(*CHECK, file, "--strict").code == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no log lines are named (name files, - for stdin, --run CMD, or --loki URL) [usage/logs]"),
        (["a.log", "--run", "true"], "log lines come from one source at a time"),
        (["nowhere.log"], "nowhere.log: No such file or directory"),
        (["."], ".: Is a directory"),
        (["--run", "no-such-program"], "the shell doesn't find the command: no-such-program"),
        (["a.log", "--max", "jsn=3"], "there is no rule 'jsn'"),
        (["a.log", "--max", "json=some"], "'some' is no number of lines"),
        (["a.log", "--max", "json=1GB"], "json takes lines: a number, or a share as in 5%"),
        (["a.log", "--max", "volume=5"], "volume takes bytes a day, as in 1GB"),
        (["a.log", "--since", "yesterday"], "'yesterday' is no duration"),
        (["a.log", "--until", "noon"], "'noon' is no time"),
        (["--loki", "http://127.0.0.1:9"], "nothing says which lines of Loki's"),
        (["a.log", "--profile", "prod"], "leave --profile out"),
    ],
)
def test_what_could_not_run_ends_with_2_and_says_why(words: list[str], said: str, run: Run) -> None:
    ended = run(*CHECK, *words)
    assert ended.code == 2
    assert said in ended.err
    assert ended.out == ""


@pytest.mark.parametrize("text", ["", "[]", '{"version": 2}', '{"version": 1, "services": []}', "\udcff"])
def test_a_contract_that_is_none_is_no_traceback(text: str, run: Run) -> None:
    written(text.encode("utf-8", "surrogateescape"), "contract.json")
    ended = run("logs", "check", "--contract", "contract.json", written(line()))
    assert ended.code == 2
    assert ended.err.startswith("contract.json: no contract of version 1: ")


def test_without_a_contract_the_profiles_are_listed(fleet: Path, run: Run) -> None:
    ended = run("logs", "check", "-")
    assert ended.code == 2
    assert "no profile is named. Profiles here: one" in ended.err


def test_the_contract_of_the_environment_counts_unless_a_profile_is_named(
    fleet: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OBSGEN_CONTRACT", str(CONTRACT))
    file = written(line())
    assert run("logs", "check", file).code == 0
    assert "logs/service" in run("logs", "check", file, "--profile", "one").out


def test_the_declared_objective_is_what_a_day_is_compared_with(run: Run) -> None:
    day = line() + line(timestamp="2026-03-02T10:10:00.000Z") * 60_000
    words = ("logs", "check", "--config", str(ROOT / "observability.yaml"), "--profile", "prod", written(day))
    said = run(*words)
    assert said.code == 0
    assert (
        "app.log: warning: 'ai-core-service' writes about 1.56 GB a day, going by 10.8 MB in 10 min of 2026-03-02 "
        "(log less, or raise the objective of 1 GB) [logs/volume]\n" in said.out
    )
    assert "[logs/volume]" not in run(*words, "--max", "volume=2GB").out


def test_a_single_timestamp_of_another_year_does_not_make_the_volume_vanish(run: Run) -> None:
    day = line(timestamp="1970-01-01T00:00:00.000Z") + line() + line(timestamp="2026-03-02T10:02:00.000Z")
    said = run(*CHECK, written(day), "--max", "volume=100KB")
    assert "about 259 KB a day, going by 360 B in 2 min of 2026-03-02" in said.out


def test_stdin_is_read_where_a_dash_stands() -> None:
    ended = obsgen("-", text=line(level="x"))
    assert ended.stdout.startswith("stdin:1:43: no declared level is 'x'")
    assert ended.returncode == 1


def obsgen(*words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "obsgen", *CHECK, *words]
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=120)


def test_what_a_command_prints_is_passed_on_to_stderr_and_the_report_is_alone_on_stdout() -> None:
    ended = obsgen("--run", f"echo '{line().strip()}'; echo no log line >&2", "--output", "json")
    assert json.loads(ended.stdout)["lines"] == 1
    assert sorted(ended.stderr.splitlines()) == sorted([line().strip(), "no log line"])
    assert ended.returncode == 0


def test_with_stderr_a_commands_other_output_is_checked_too() -> None:
    ended = obsgen("--run", f"echo '{line().strip()}'; echo no log line >&2", "--stderr")
    assert rules(ended.stdout) == {"json": "1"}


@pytest.mark.parametrize(
    ("end", "fact"),
    [("exit 3", "the command ended with exit code 3"), ("kill -TERM $$", "the command was ended by SIGTERM")],
)
def test_a_command_that_fails_is_an_error_although_its_lines_conform(end: str, fact: str) -> None:
    ended = obsgen("--run", f"echo '{line().strip()}'; {end}")
    assert ended.stdout.startswith(f"output: {fact} (")
    assert ended.returncode == 1
    assert obsgen("--run", f"echo '{line().strip()}'; {end}", "--max", "run=1").returncode == 0


def test_stopped_by_ctrl_c_it_reports_what_it_has_read_and_leaves_no_command_behind() -> None:
    command = [sys.executable, "-m", "obsgen", *CHECK, "--run", f"echo '{line().strip()}'; sleep 600 & echo $!; wait"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout and running.stderr
        assert running.stderr.readline() == line()
        sleeper = os.pidfd_open(int(running.stderr.readline()))
        running.send_signal(signal.SIGINT)
        out = running.stdout.read()
    assert rules(out) == {"object": "1"}  # the number of the process
    assert "2 lines, " in out
    ended, _, _ = select.select([sleeper], [], [], 60)
    os.close(sleeper)
    assert ended


def test_the_report_shows_no_secret(run: Run) -> None:
    lines = [
        line(context={"password": "hunter2", "login": {"token": {"deep": "hunter2"}}}),
        line(message="postgres://app:hunter2@db", level="password=hunter2", service="token='hunter2'"),
        line(context={"secret": ["hunter2"]}, trace_id="password=hunter2", timestamp="password=hunter2"),
        '{"password": "hunter2", "broken": NaN}\n',
        'password="hunter2" is no JSON\n',
        '{"a": "Bearer hunter2hunter2hunter2"} {}\n',
    ]
    for form in ("text", "json", "github", "sarif"):
        said = run(*CHECK, written("".join(lines)), "--show", "100", "--output", form)
        assert "hunter2" not in said.out + said.err
        assert said.out.count("logs/secret") and said.out.count("logs/json")


def test_control_characters_of_a_line_do_not_reach_the_terminal(run: Run) -> None:
    said = run(*CHECK, written("\x1b[2Jgone\x07\u009b2J\n" + line(level="\x1b[2J\x07", message="\u009b2J\x07")))
    assert said.out.count("\ufffd") > 2
    assert {letter for letter in said.out if not letter.isprintable()} == {"\n"}


def test_a_wheel_has_the_loggers_patterns_too() -> None:
    from obsgen.assets import REDACTION

    assert REDACTION.is_file()
    assert os.access(REDACTION, os.R_OK)
