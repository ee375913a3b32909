"""Alloy refuses what would ship nothing, or twice, or too many streams: one fault a test, each put into what staging ships.

No registry carries Alloy: where it is not here, its verdicts are kept in tests/verdicts, and its tests skip, saying so.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import absent, judge
from obsgen.judging import alloy, alloyrun, inpod, lokipush, verify
from obsgen.judging.report import Answered
from obsgen.judging.task import Outcome, Task
from obsgen.judging.verdicts import Verdict, key
from obsgen.problem import Problem, ProblemsError
from obsgen.road import load, texts

STAGING = load(Path(__file__).parents[1] / "observability.yaml", "staging")
FILES = texts(STAGING)
MANIFEST, CONFIG = "logging/alloy.yaml", "logging/alloy.yaml#alloy-config/config.alloy"


def faulty(right: str, wrong: str) -> dict[str, str]:
    assert right in FILES[MANIFEST]
    return {**FILES, MANIFEST: FILES[MANIFEST].replace(right, wrong)}


UNASKED = "nothing shows that this fault is refused"


def asked(files: dict[str, str], tool: str, subject: str, first: str, work: Path) -> Outcome:
    """What the program says to the question about `subject` whose arguments begin with `first`."""
    (task,) = [
        task
        for task in alloy.tasks(files, STAGING.plan)
        if (task.tool, task.subject, task.arguments[0]) == (tool, subject, first)
    ]
    program = judge(tool, "1.19" if tool == "alloy" else "", UNASKED)
    try:
        return task.run(program, work)
    except ProblemsError as stopped:
        if any(problem.rule != "judge/absent" for problem in stopped.problems):
            raise
        absent(stopped.problems[0].file, UNASKED)


def test_what_staging_ships_is_read_by_alloys_parser(tmp_path: Path) -> None:
    assert asked(FILES, "alloy-syntax", CONFIG, "config.alloy", tmp_path) == Outcome(True)


def test_a_string_without_its_end_is_refused_with_its_place(tmp_path: Path) -> None:
    verdict = asked(faulty('"logfmt"', '"logfmt'), "alloy-syntax", CONFIG, "config.alloy", tmp_path)
    assert "config.alloy:3:11: string literal not terminated" in verdict.message


def test_an_unknown_component_is_refused_before_it_runs(tmp_path: Path) -> None:
    assert asked(FILES, "alloy", CONFIG, "validate", tmp_path) == Outcome(True)
    verdict = asked(faulty("loki.source.file ", "loki.source.fiel "), "alloy", CONFIG, "validate", tmp_path)
    assert 'cannot find the definition of component name "loki.source.fiel"' in verdict.message


def test_a_file_that_alloy_would_write_otherwise_is_refused(tmp_path: Path) -> None:
    assert asked(FILES, "alloy", f"{CONFIG}: format", "fmt", tmp_path) == Outcome(True)
    assert not asked(faulty("level  =", "level ="), "alloy", f"{CONFIG}: format", "fmt", tmp_path).accepted


# As in its pod


def started(files: dict[str, str], tmp_path: Path) -> Outcome:
    return asked(files, "alloy", f"{CONFIG}: start", "run", tmp_path)


def test_alloy_finds_the_pods_of_its_node_and_goes_on_where_promtail_stopped(tmp_path: Path) -> None:
    assert started(FILES, tmp_path) == Outcome(True)


def test_what_only_a_start_refuses_is_refused_in_alloys_words(tmp_path: Path) -> None:
    verdict = started(faulty('trace_id = "trace_id"', 'trace_id = "trace_id["'), tmp_path)
    assert "could not compile JMES expression" in verdict.message


def test_streams_that_are_not_declared_are_refused(tmp_path: Path) -> None:
    verdict = started(faulty(', pod = ""', ""), tmp_path)
    assert verdict.message == "label pod='by-name' is not declared: each of its values would be a stream"


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ('"spec.nodeName=" + sys.env("HOSTNAME")', '""', "pod elsewhere is a target, and must not be"),
        ("[get, list, watch]", "[get]", "pods is forbidden"),
        ('target_label  = "__path__"', 'target_label  = "__paths__"', "pod by-app: __path__ is None"),
    ],
)
def test_targets_that_nobody_would_miss_are_missed(
    right: str, wrong: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inpod, "PATIENCE", 10)  # what is wrong stays wrong: the whole time is waited
    verdict = started(faulty(right, wrong), tmp_path)
    assert not verdict.accepted
    assert said in verdict.message


def test_an_identifier_that_is_not_kept_beside_its_line_is_missed(tmp_path: Path) -> None:
    verdict = started(faulty('values = {trace_id = "", ', "values = {"), tmp_path)
    assert "a line at INFO: beside the line, trace_id is None, not 'the-trace_id'" in verdict.message


def test_what_promtail_has_shipped_is_not_shipped_again(tmp_path: Path) -> None:
    verdict = started(faulty("/var/lib/promtail/positions.yaml", "/var/lib/promtail/nothing.yaml"), tmp_path)
    assert "bytes of lines" in verdict.message


def test_a_push_is_read_with_its_labels_and_what_is_kept_beside_the_line() -> None:
    """In Snappy: bytes as they are, ten that repeat the last one, and a literal with its length in a byte of its own."""
    pair = b"\x1a\x06\x0a\x01t\x12\x01x"
    entry = b"\x0a\x02\x08\x01" + b"\x12\x0caaaaaaaaaaaa" + pair
    stream = b'\x0a\x07{a="b"}' + b"\x12" + bytes([len(entry)]) + entry + b"\x18\x05"
    whole = b"\x0a" + bytes([len(stream)]) + stream
    at = whole.index(b"a" * 12) + 2
    rest = whole[at + 10 :]
    body = b"".join(
        [
            bytes([len(whole), (at - 1) << 2]),
            whole[:at],
            bytes([(10 - 4) << 2 | 1, 1]),
            b"\xf0",
            bytes([len(rest) - 1]),
            rest,
        ]
    )
    assert list(lokipush.entries(body)) == [lokipush.Entry({"a": "b"}, "a" * 12, {"t": "x"})]


def test_the_counter_is_read_without_alloys_own_labels() -> None:
    metrics = (
        '# TYPE loki_process_custom_log_bytes_total counter\nloki_process_custom_log_bytes_total{app="a",component_id="loki.process.pods",'
        'component_path="/",level="INFO"} 1.2e+03\nother{app="b"} 1\n'
    )
    assert alloyrun.counters(metrics) == [({"app": "a", "level": "INFO"}, 1200.0)]


def test_a_live_judge_that_lacks_what_it_needs_leaves_the_word_to_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(program: Path, work: Path) -> Outcome:
        raise ProblemsError([Problem("unshare", 0, 0, "is not here", "", "judge/absent")], could_not_run=True)

    program = tmp_path / "alloy-1.19.0"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("OBSGEN_TOOLS", str(tmp_path))
    task = Task("alloy", "alloy", "a: start", (), ("run",), lacking)
    judge, sha256, arguments = key(task)
    kept = Verdict("a: start", sha256, judge, "1.19.0-rc.3", arguments, True, "")

    by_record = verify._answer(Answered(task, "1.19", ("one",)), (kept,))
    nobody = verify._answer(Answered(task, "1.19", ("one",)), ())

    assert (by_record.source, by_record.version, by_record.outcome) == ("record", "1.19.0-rc.3", Outcome(True))
    assert nobody.outcome is None
