"""The road as a whole: what a profile may do to packs, and where its mistakes are told."""

from pathlib import Path

import pytest

from obsgen.problem import ProblemsError
from obsgen.road import Declared, load

SMALLEST = Path(__file__).parent / "fleets" / "smallest" / "observability.yaml"
DEAD_LETTERS = """
secrets: {hook: {secret: s, key: k}, redis: {secret: s, key: r}}
packs: {dlq: {alerts: {DLQSpooling: {levels: {bad: {above: 3, for: 1m}, warning: null}}}}}
"""


def fleet(folder: Path, profile: str, more: str = "") -> Declared:
    """The smallest fleet, with packs, under a profile of this text."""
    text = SMALLEST.read_text(encoding="utf-8") + more
    (folder / "profiles").mkdir()
    (folder / "observability.yaml").write_text(text, encoding="utf-8")
    (folder / "profiles" / "p.yaml").write_text(profile, encoding="utf-8")
    return load(folder / "observability.yaml", "p")


def log_pipeline(declared: Declared) -> dict[str, object]:
    return dict(declared.plan.packs["log-pipeline"].alerts)


def test_a_profile_removes_a_shipped_alert_with_null(tmp_path: Path) -> None:
    declared = fleet(tmp_path, "packs: {log-pipeline: {alerts: {LokiDown: null}}}\n", "packs: {log-pipeline: {}}\n")

    assert "LokiDown" not in log_pipeline(declared)
    assert "LogAgentDown" in log_pipeline(declared)


def test_a_profile_tunes_one_number_and_keeps_the_rest(tmp_path: Path) -> None:
    tuned = "packs: {log-pipeline: {alerts: {LogAgentDown: {levels: {warning: {for: 7m}}}}}}\n"
    declared = fleet(tmp_path, tuned, "packs: {log-pipeline: {}}\n")

    level = declared.plan.packs["log-pipeline"].alerts["LogAgentDown"].levels["warning"]
    assert (level.above, level.for_) == (0, "7m")


def test_a_tuning_that_makes_no_sense_is_told_where_it_was_written(tmp_path: Path) -> None:
    wrong = "packs:\n  log-pipeline:\n    alerts:\n      LogAgentDown: {severity: bad}\n"

    with pytest.raises(ProblemsError) as stopped:
        fleet(tmp_path, wrong, "packs: {log-pipeline: {}}\n")

    (problem,) = stopped.value.problems
    assert (Path(problem.file).name, problem.line) == ("p.yaml", 4)
    assert "severity" in problem.fact


def test_a_declared_alert_stands_in_for_the_packs_own(tmp_path: Path) -> None:
    own = """packs: {log-pipeline: {}}
alerts:
  LokiDown: {group: mine, expr: absent(up), severity: bad, summary: Down., description: Down.}
"""
    declared = fleet(tmp_path, "cluster: a\n", own)

    assert "LokiDown" not in log_pipeline(declared)
    assert [group.name for group in declared.plan.groups if any(r.name == "LokiDown" for r in group.rules)] == ["mine"]
