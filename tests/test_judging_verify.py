"""Live, by record, or not at all: what counts as a verdict, and what is kept of it. The judges here are small scripts."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import pytest

from obsgen.judging import loki, verify
from obsgen.judging.report import Report
from obsgen.model import Declaration
from obsgen.plan import Plan
from obsgen.problem import ProblemsError

CONFIG = "auth_enabled: false\n"
RULES = "groups: [{name: g, rules: [{alert: A, expr: 'rate({a=\"b\"} [5m]) > 1', labels: {severity: info}}]}]\n"
FILES = {"loki/loki.yaml": CONFIG, "loki/rules/g.yaml": RULES}


def declared(**versions: str) -> Plan:
    data = {
        "apiVersion": "obsgen/v1",
        "kind": "Observability",
        "name": "small",
        "namespace": "small",
        "cluster": "c",
        "versions": versions,
        "teams": {"us": {"default": True}},
        "severities": {"info": {"priority": "P2", "notify": []}},
        "routing": {"unrouted": []},
    }
    return Plan(msgspec.convert(data, Declaration), "prod", (), {}, (), {})


Judge = Callable[..., Report]


@pytest.fixture
def judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Judge:
    monkeypatch.setattr(verify, "JUDGES", (loki.tasks,))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "nothing"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")

    def run(
        files: Mapping[str, str], tools: str = "nothing", require: str = "", record: bool = False, **versions: str
    ) -> Report:
        monkeypatch.setenv("OBSGEN_TOOLS", str(tmp_path / tools))
        return verify.verify(
            {"prod": declared(**versions)},
            {"prod": files},
            require=[name for name in require.split(",") if name],
            record=record,
            folder=tmp_path / "verdicts",
            progress=lambda line: None,
        )

    return run


@pytest.fixture
def programs(tmp_path: Path) -> str:
    """A folder of judges that refuse every text with the word BAD, in the words of their machine and their moment."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("loki-3.7.6", "lokitool-3.7.6", "logcli-3.7.6"):
        (folder / name).write_text(
            "#!/bin/sh\n"
            'for last; do :; done; [ "$last" = -verify-config ] && last=loki.yaml\n'
            'if [ "$last" = fmt ]; then text=$(cat); else text=$(cat "$last"); fi\n'
            'case $text in *BAD*) echo "ts=2026-11-24T02:23:26.69Z err=\\"$PWD/loki.yaml: line 2: BAD\\"" >&2; exit 1;; esac\n'
        )
        (folder / name).chmod(0o755)
    return folder.name


def test_a_text_that_a_judge_accepts_live_is_no_problem(judge: Judge, programs: str) -> None:
    report = judge(FILES, programs, require="loki,lokitool,logcli")
    assert report.problems == ()
    assert "loki                1 accepted: live by 3.7.6 (OBSGEN_TOOLS)" in report.lines()


def test_an_absent_judge_is_named_and_no_error_where_nobody_requires_it(judge: Judge) -> None:
    report = judge(FILES)
    assert report.problems == ()
    assert "not judged: loki/loki.yaml of prod (no loki 3.7 here)" in "\n".join(report.lines())


def test_an_absent_judge_is_an_error_where_it_is_required(judge: Judge) -> None:
    report = judge(FILES, require="loki")
    assert [(p.file, p.rule, p.severity) for p in report.problems] == [("loki/loki.yaml", "verify/loki", "error")]
    assert "loki 3.7 has to look at it" in report.problems[0].fact


def test_all_requires_every_judge(judge: Judge) -> None:
    rules = {problem.rule for problem in judge(FILES, require="all").problems}
    assert rules == {"verify/loki", "verify/lokitool", "verify/logcli", "verify/lezer-logql"}


def test_a_kept_verdict_on_the_same_bytes_counts(judge: Judge, programs: str) -> None:
    judge(FILES, programs, record=True)
    report = judge(FILES, require="loki,lokitool,logcli")
    assert report.problems == ()
    assert "loki                1 accepted: by record of 3.7.6" in report.lines()


def test_one_changed_byte_makes_a_kept_verdict_count_no_more(judge: Judge, programs: str) -> None:
    judge(FILES, programs, record=True)
    changed = FILES | {"loki/loki.yaml": CONFIG.replace("false", "False")}
    (problem,) = judge(changed, require="loki,lokitool,logcli").problems
    assert problem.rule == "verify/loki"
    assert problem.file == "loki/loki.yaml"


def test_a_kept_verdict_of_another_minor_version_does_not_count(judge: Judge, programs: str) -> None:
    judge(FILES, programs, record=True)
    (problem,) = judge(FILES, require="loki", loki="3.8").problems
    assert "loki 3.8 has to look at it" in problem.fact


def test_a_judge_of_another_minor_version_is_not_asked(judge: Judge, programs: str) -> None:
    assert [problem.rule for problem in judge(FILES, programs, require="loki", loki="3.8").problems] == ["verify/loki"]


def test_a_refused_text_is_an_error_although_nobody_requires_the_judge(judge: Judge, programs: str) -> None:
    (problem,) = judge(FILES | {"loki/loki.yaml": "BAD: 1\n"}, programs).problems
    assert (problem.file, problem.line, problem.severity) == ("loki/loki.yaml", 2, "error")
    assert "loki 3.7.6 refuses" in problem.fact


def test_a_refusal_is_recorded_and_stays_an_error(judge: Judge, programs: str, tmp_path: Path) -> None:
    refused = FILES | {"loki/loki.yaml": "BAD: 1\n"}
    judge(refused, programs, record=True)
    (verdict,) = json.loads((tmp_path / "verdicts" / "loki.json").read_text())
    assert verdict["accepted"] is False
    (problem,) = judge(refused).problems
    assert "loki 3.7.6 (by record) refuses" in problem.fact


def test_a_record_holds_neither_paths_nor_times(judge: Judge, programs: str, tmp_path: Path) -> None:
    judge(FILES | {"loki/loki.yaml": "BAD: 1\n"}, programs, record=True)
    (verdict,) = json.loads((tmp_path / "verdicts" / "loki.json").read_text())
    assert verdict["message"] == 'err="loki.yaml: line 2: BAD"'
    assert verdict["arguments"] == ["-config.file=loki.yaml", "-config.expand-env=true", "-verify-config"]


def test_a_record_is_sorted_and_the_same_every_time(judge: Judge, programs: str, tmp_path: Path) -> None:
    rules = "groups: [{name: g, rules: [{alert: Z, expr: 'x'}, {alert: A, expr: 'y'}]}]\n"
    judge(FILES | {"loki/rules/g.yaml": rules}, programs, record=True)
    first = {path.name: path.read_bytes() for path in (tmp_path / "verdicts").iterdir()}
    judge(FILES | {"loki/rules/g.yaml": rules}, programs, record=True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "verdicts").iterdir()} == first
    subjects = [verdict["subject"] for verdict in json.loads(first["logcli.json"])]
    assert subjects == ["loki/rules/g.yaml: A", "loki/rules/g.yaml: Z"]


def test_only_judges_that_no_registry_carries_are_recorded(judge: Judge, programs: str, tmp_path: Path) -> None:
    lezer = tmp_path / programs / "lezer-logql-0.4.2"
    lezer.write_text("#!/bin/sh\necho '[null]'\n")
    lezer.chmod(0o755)
    report = judge(FILES, programs, record=True)
    assert "lezer-logql         1 accepted: live by 0.4.2 (OBSGEN_TOOLS)" in report.lines()
    assert sorted(path.name for path in (tmp_path / "verdicts").iterdir()) == [
        "logcli.json",
        "loki.json",
        "lokitool.json",
    ]


def test_a_verdict_on_a_text_that_is_gone_is_dropped(judge: Judge, programs: str, tmp_path: Path) -> None:
    judge(FILES, programs, record=True)
    judge({"loki/loki.yaml": CONFIG}, programs, record=True)
    assert [path.name for path in (tmp_path / "verdicts").iterdir()] == ["loki.json"]


def test_an_absent_judge_keeps_the_verdicts_that_still_match(judge: Judge, programs: str, tmp_path: Path) -> None:
    judge(FILES, programs, record=True)
    kept = (tmp_path / "verdicts" / "lokitool.json").read_bytes()
    (tmp_path / programs / "lokitool-3.7.6").unlink()
    judge(FILES, programs, record=True)
    assert (tmp_path / "verdicts" / "lokitool.json").read_bytes() == kept


def test_a_run_that_does_not_record_writes_nothing(judge: Judge, programs: str, tmp_path: Path) -> None:
    judge(FILES, programs)
    assert not (tmp_path / "verdicts").exists()


def test_equal_texts_of_two_profiles_are_asked_about_once(
    judge: Judge, programs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OBSGEN_TOOLS", str(tmp_path / programs))
    report = verify.verify(
        {"dev": declared(), "prod": declared()},
        {"dev": FILES, "prod": FILES},
        require=[],
        record=False,
        folder=tmp_path / "verdicts",
        progress=lambda line: None,
    )
    assert [one.profiles for one in report.answered if one.task.judge == "loki"] == [("dev", "prod")]


def test_a_judge_that_does_not_start_is_an_error_and_no_verdict(judge: Judge, programs: str, tmp_path: Path) -> None:
    (tmp_path / programs / "loki-3.7.6").write_text("#!/nowhere/sh\n")
    report = judge(FILES, programs, record=True)
    assert [problem.rule for problem in report.problems] == ["verify/loki"]
    assert "does not start" in report.problems[0].fact
    assert not (tmp_path / "verdicts" / "loki.json").exists()


def test_a_misspelt_judge_is_not_taken_for_one_that_accepts(judge: Judge) -> None:
    with pytest.raises(ProblemsError) as stopped:
        judge(FILES, require="promtol")
    assert stopped.value.could_not_run
    assert stopped.value.problems[0].remedy == "did you mean 'promtool'?"


def test_a_damaged_record_stops_the_run(judge: Judge, tmp_path: Path) -> None:
    (tmp_path / "verdicts").mkdir()
    (tmp_path / "verdicts" / "loki.json").write_text('[{"subject": 1}]')
    with pytest.raises(ProblemsError) as stopped:
        judge(FILES)
    assert stopped.value.problems[0].file == "loki.json"


def test_the_report_for_machines_says_who_judged_what(judge: Judge, programs: str) -> None:
    judged = judge({"loki/loki.yaml": CONFIG}, programs).as_json()["judged"]
    assert judged == [
        {
            "judge": "loki",
            "subject": "loki/loki.yaml",
            "profiles": ["prod"],
            "verdict": "accepted",
            "version": "3.7.6",
            "source": "OBSGEN_TOOLS",
        }
    ]
