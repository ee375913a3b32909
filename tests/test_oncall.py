"""What changes for people on call, told from the rendered files of before and after."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from conftest import Ran, Run
from obsgen import oncall
from obsgen.checks import check
from obsgen.road import load, texts

CHECKS = Path(__file__).parent / "checks" / "base.yaml"


@pytest.fixture
def rendered(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """The output of the base declaration with parts replaced: `rendered(("from", "to"), …)`."""

    def made(*edits: tuple[str, str]) -> dict[str, str]:
        text = CHECKS.read_text(encoding="utf-8")
        for old, new in edits:
            assert old in text, f"the base has no {old!r}"
            text = text.replace(old, new)
        (tmp_path / "profiles").mkdir(exist_ok=True)
        (tmp_path / "profiles" / "one.yaml").write_text("cluster: main\n", encoding="utf-8")
        (tmp_path / "observability.yaml").write_text(text, encoding="utf-8")
        declared = load(tmp_path / "observability.yaml", "one")
        assert [problem for problem in check(declared) if problem.severity == "error"] == []
        return texts(declared)

    return made


def test_nothing_changes_for_nobody(rendered: Callable[..., dict[str, str]]) -> None:
    assert oncall.changes(rendered(), rendered()) == []


def test_a_threshold_is_told_with_the_condition_of_before_and_after(rendered: Callable[..., dict[str, str]]) -> None:
    said = oncall.changes(rendered(), rendered(("above: 10, for: 5m", "above: 12, for: 5m")))
    assert said[0].startswith("retuned: ")
    assert [line.strip()[0] for line in said[1:]] == ["-", "+"]
    assert "> 10, for 5m" in said[1]
    assert "> 12, for 5m" in said[2]


def test_a_question_that_several_rules_share_is_told_when_it_changes(rendered: Callable[..., dict[str, str]]) -> None:
    levels = ("levels: {warning: {above: 10, for: 5m}}", "levels: {warning: {above: 10}, critical: {above: 99}}")
    before, after = (
        rendered(levels),
        rendered(levels, ("rate(dlq_messages_total[5m])", "rate(dlq_messages_total[15m])")),
    )
    said = oncall.changes(before, after)
    assert [line for line in said if line.startswith("retuned: ")] == [
        "retuned: DeadLettersArrive (critical)",
        "retuned: DeadLettersArrive (warning)",
    ]
    assert all("[15m]" in line for line in said if line.strip().startswith("+"))


def test_a_role_that_a_severity_loses_is_told_once_for_all_its_alerts(rendered: Callable[..., dict[str, str]]) -> None:
    before, after = (
        rendered(),
        rendered(("notify: [page, chat]", "notify: [chat]"), ("notifies: [page, chat]", "notifies: [chat]")),
    )
    told = [line for line in oncall.changes(before, after) if line.startswith("told: ")]
    assert told
    assert all("no longer pagerduty" in line for line in told)
    assert all(line.count("critical") >= 1 for line in told)


def test_a_channel_of_one_team_changes_nothing_for_another(rendered: Callable[..., dict[str, str]]) -> None:
    team = (
        "teams:\n",
        "teams:\n  other:\n    channels: {chat: {type: slack, channel: '#other', webhook: {secret: slack-webhook}}}\n",
    )
    assert [line for line in oncall.changes(rendered(), rendered(team)) if line.startswith("told: ")] == []


def test_a_longer_repeat_is_told(rendered: Callable[..., dict[str, str]]) -> None:
    before, after = rendered(("repeat: 1h", "repeat: 1h")), rendered(("repeat: 1h", "repeat: 12h"))
    assert any("again every 12h, not 1h" in line for line in oncall.changes(before, after))


def test_an_alert_that_goes_is_told_with_those_who_heard_of_it(rendered: Callable[..., dict[str, str]]) -> None:
    before, after = rendered(), rendered(("packs: {watchdog: {}, dlq: {}}", "packs: {watchdog: {}}"))
    gone = [line for line in oncall.changes(before, after) if line.startswith("gone: ")]
    assert any("DLQDepthHigh (warning)" in line and "tells slack #" in line for line in gone)
    assert [line.replace("new: ", "gone:") for line in oncall.changes(after, before)] == gone


def test_the_heartbeat_is_told_to_its_own_channel(rendered: Callable[..., dict[str, str]]) -> None:
    files = rendered()
    (watchdog,) = [one for one in oncall.alerts(files) if one.name == "Watchdog"]
    config = yaml.safe_load(
        yaml.safe_load(files["monitoring/alertmanager.yaml"].split("---")[0])["data"]["alertmanager.yaml"]
    )
    assert {word.split()[0] for word in oncall.told(config, oncall.alerts(files)[watchdog].labels).channels} == {
        "webhook"
    }


def test_an_owner_found_at_run_time_is_each_team_it_can_be(rendered: Callable[..., dict[str, str]]) -> None:
    teams = {one.team for one in oncall.alerts(rendered()) if one.name == "DeadLettersArrive"}
    assert teams == {"platform", "payments"}


def test_a_folder_without_alertmanager_says_nothing_of_who_is_told(rendered: Callable[..., dict[str, str]]) -> None:
    files = rendered()
    without = {path: text for path, text in files.items() if "alertmanager" not in path}
    assert oncall.changes(files, without) == []


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True)


@pytest.fixture
def committed(run: Run, fleet: Path) -> Callable[[], Ran]:
    """The smallest fleet, rendered and committed; then its threshold changes and it is rendered again."""
    file = fleet / "observability.yaml"
    shutil.copy(CHECKS, file)
    assert run("render", "--profile", "one").code == 0
    git(fleet, "init", "-q")
    git(fleet, "add", "-A")
    git(fleet, "commit", "-qm", "one")
    file.write_text(
        file.read_text(encoding="utf-8").replace("above: 10, for: 5m", "above: 12, for: 5m"), encoding="utf-8"
    )
    assert run("render", "--profile", "one").code == 0
    return lambda: run("diff", "--profile", "one", "--base", "HEAD")


def test_diff_compares_with_a_commit_where_the_folder_is_rendered_already(
    run: Run, committed: Callable[[], Ran]
) -> None:
    assert run("diff", "--profile", "one").out == ""
    ran = committed()
    assert ran.code == 1
    assert ran.out.startswith("on call  retuned: ")
    assert "\nchanged rendered/one/monitoring/rules/" in ran.out


def test_diff_gives_machines_what_changes_for_people_as_warnings(run: Run, committed: Callable[[], Ran]) -> None:
    ran = run("diff", "--profile", "one", "--base", "HEAD", "--output", "github")
    assert "::warning file=rendered/one,title=diff/on-call::retuned: " in ran.err + ran.out


def test_a_folder_that_the_commit_lacks_is_all_new_and_tells_of_nobody(run: Run, committed: Callable[[], Ran]) -> None:
    ran = run("diff", "--profile", "one", "--base", "HEAD", "--out", "elsewhere")
    assert ran.code == 1
    assert "on call" not in ran.out
    assert "added   elsewhere/FILES" in ran.out


@pytest.mark.parametrize("base", ["nope", "--upload-pack=x", ""])
def test_a_base_that_git_does_not_know_exits_2(run: Run, committed: Callable[[], Ran], base: str) -> None:
    ran = run("diff", "--profile", "one", f"--base={base}")
    assert ran.code == 2
    assert "git has no " in ran.err


def test_without_git_a_base_exits_2(run: Run, fleet: Path) -> None:
    ran = run("diff", "--profile", "one", "--base", "HEAD")
    assert ran.code == 2
    assert (
        "git has no 'HEAD' here (name a branch, a tag or a commit; a shallow clone has to fetch it first) [diff/base]"
        in ran.err
    )
