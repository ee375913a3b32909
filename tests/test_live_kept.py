"""What is kept of the live tests: what a run counts, what is stale, what nothing provokes, and the page that is made of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from live import beside, check, conftest, kept, page, stands
from live.scenarios import Scenario

REDIS = Scenario("test_redis", "test_redis_is_gone", ("alertmanager", "dlq-redis"), "live", False)
LOKI = Scenario("test_logs", "test_lines_land[go]", ("loki",), "live", True)
CLUSTER = Scenario("ha/test_loki", "test_one_of_three_dies", ("loki",), "ha", False)
NOW = {"rendered": "1" * 16, "harness": "2" * 16}


def told(seconds: float = 4.4) -> kept.Entry:
    one = kept.Kept()
    one.alert("RedisDown", "critical", "Redis scaled to 0", {"slack": seconds, "mail": 5}, {"slack": 9.6})
    return one.told()


def ran(before: kept.Entry | None = None, one: Scenario = REDIS, **other: Any) -> kept.Entry:
    options: dict[str, Any] = {"passed": True, "run": "registries", "whole": True} | other
    seconds = options.pop("seconds", 4.4)
    return kept.result(one, options.pop("hashes", NOW), told(seconds), before, **options)


def recorded(folder: Path, *scenarios: Scenario, **other: Any) -> None:
    for one in scenarios:
        file = kept.path(one, folder)
        with beside.alone(file.parent):
            kept.write(file, ran(one=one, **other))


def test_runs_in_a_row_are_counted_by_what_was_run() -> None:
    twice = ran(ran())
    assert twice["in_a_row"] == {"registries": 2}
    assert ran(twice, run="all")["in_a_row"] == {"registries": 2, "all": 1}


def test_a_chosen_scenario_is_kept_and_not_counted() -> None:
    assert ran(whole=False)["in_a_row"] == {}
    assert ran(ran(), whole=False)["in_a_row"] == {"registries": 1}


@pytest.mark.parametrize("changed", ["rendered", "harness"])
def test_other_files_begin_a_new_row(changed: str) -> None:
    assert ran(ran(ran()), hashes=NOW | {changed: "3" * 16})["in_a_row"] == {"registries": 1}


def test_a_failure_ends_the_row_and_leaves_what_was_told_before() -> None:
    failed = ran(ran(), passed=False, seconds=60)
    assert (failed["passed"], failed["in_a_row"], failed["told"]) == (False, {}, told())
    assert ran(failed)["in_a_row"] == {"registries": 1}


def test_the_longest_of_a_row_is_told_and_a_new_row_forgets_it() -> None:
    long = ran(ran(seconds=7), seconds=4)
    assert long["told"]["alerts"][0]["told"] == {"mail": 5, "slack": 7}
    assert ran(long, hashes=NOW | {"harness": "3" * 16})["told"]["alerts"][0]["told"]["slack"] == 4


def test_the_same_result_is_written_as_the_same_bytes(tmp_path: Path) -> None:
    recorded(tmp_path, LOKI)
    file = tmp_path / "test_logs" / "test_lines_land.go.yaml"
    first = file.read_bytes()
    kept.write(file, kept.read(file) or {})
    assert file.read_bytes() == first


def stale(folder: Path, *scenarios: Scenario, now: dict[str, str] = NOW, require: bool = False) -> list[str]:
    return [str(fault) for fault in check.stale(scenarios, lambda _: now, folder, require=require)]


def test_what_stands_on_the_files_of_now_is_no_fault(tmp_path: Path) -> None:
    recorded(tmp_path, REDIS, LOKI, CLUSTER)
    assert stale(tmp_path, REDIS, LOKI, CLUSTER) == []


def test_a_scenario_whose_files_changed_is_an_error_that_names_the_run(tmp_path: Path) -> None:
    recorded(tmp_path, REDIS, LOKI)
    changed = stale(tmp_path, REDIS, LOKI, now=NOW | {"rendered": "3" * 16})
    assert changed == [
        f"{REDIS.id}: was recorded with other rendered files; repeat: make live ARGS=--record",
        f"{LOKI.id}: was recorded with other rendered files; repeat: OBSGEN_LIVE=all make live ARGS=--record",
    ]
    assert "files of the harness" in stale(tmp_path, REDIS, LOKI, now=NOW | {"harness": "3" * 16})[0]


def test_a_stale_part_that_is_run_by_hand_is_a_warning_that_names_the_commit(tmp_path: Path) -> None:
    recorded(tmp_path, CLUSTER)
    commit = _committed(tmp_path)
    other = NOW | {"rendered": "3" * 16}
    said = f"was recorded with other rendered files (commit {commit}); repeat: make live-ha ARGS=--record"
    assert stale(tmp_path, CLUSTER, now=other) == [f"{CLUSTER.id}: warning: {said}"]
    assert stale(tmp_path, CLUSTER, now=other, require=True) == [f"{CLUSTER.id}: {said}"]


def _committed(folder: Path) -> str:
    import subprocess

    def git(*words: str) -> str:
        who = ("-c", "user.name=writer", "-c", "user.email=writer@example.com")
        return subprocess.run(
            ["git", "-C", str(folder), *who, *words], check=True, capture_output=True, text=True
        ).stdout

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "kept")
    return git("log", "-1", "--format=%h").strip()


def test_a_scenario_that_failed_or_never_ran_is_an_error(tmp_path: Path) -> None:
    recorded(tmp_path, REDIS, passed=False)
    assert ["failed" in fault or "never" in fault for fault in stale(tmp_path, REDIS, LOKI)] == [True, True]


def test_a_result_without_its_scenario_is_an_error(tmp_path: Path) -> None:
    recorded(tmp_path, REDIS)
    assert "no scenario tells this any more" in stale(tmp_path)[0]


def unprovoked(*rendered: str, excused: dict[str, str] | None = None) -> list[str]:
    return [fault.what for fault in check.unprovoked(rendered, [ran()], excused or {})]


def test_every_alert_is_provoked_or_excused() -> None:
    excused = {"LogSearchSlow warning": "needs more than an hour of real time"}
    assert unprovoked("RedisDown critical", "LogSearchSlow warning", excused=excused) == []


def test_an_alert_that_nothing_provokes_is_named() -> None:
    named = ["nothing provokes LogSearchSlow warning, and it does not stand here"]
    assert unprovoked("RedisDown critical", "LogSearchSlow warning") == named


def test_a_level_that_nothing_provokes_is_named_though_the_other_is_provoked() -> None:
    named = ["nothing provokes RedisDown warning, and it does not stand here"]
    assert unprovoked("RedisDown critical", "RedisDown warning") == named


@pytest.mark.parametrize(
    ("excused", "why", "said"),
    [
        ("RedisDown critical", "third party", "RedisDown critical is provoked, and stands here"),
        ("Gone critical", "third party", "Gone critical is not rendered"),
        ("Slow warning", "hard to do", "Slow warning: only these are reasons"),
    ],
)
def test_an_excuse_that_is_not_needed_or_not_allowed_is_named(excused: str, why: str, said: str) -> None:
    allowed = {"Slow warning": "a third party"}
    (what,) = unprovoked("RedisDown critical", "Slow warning", excused=allowed | {excused: why})
    assert what.startswith(said)


def test_the_levels_of_alerts_are_those_of_the_rendered_rules_of_every_tree(tmp_path: Path) -> None:
    def rules(name: str, key: str, severity: str) -> None:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        one = {"groups": [{"rules": [{key: "Slow", "labels": {"severity": severity}}]}]}
        (tmp_path / name).write_text(yaml.safe_dump(one))

    rules("prod/monitoring/rules/a.yaml", "alert", "critical")
    rules("prod/monitoring/rules/a_test.yaml", "alert", "of a test")
    rules("prod/monitoring/rules/b.yaml", "record", "of no alert")
    rules("local/loki/rules/a.yaml", "alert", "warning")
    assert check.rendered_alerts(tmp_path) == {"Slow critical", "Slow warning"}


def test_every_shipped_rule_is_read() -> None:
    assert {"LokiDiscardingLogs critical", "LokiDiscardingLogs warning", "ServiceErrorLogs warning"} <= (
        check.rendered_alerts()
    )


def _tree(folder: Path) -> Path:
    def put(name: str, *objects: kept.Entry) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(yaml.safe_dump_all(objects))

    def pods(app: str, **spec: Any) -> kept.Entry:
        template = {"metadata": {"labels": {"app": app}}, "spec": spec}
        return {"kind": "Deployment", "metadata": {"name": app}, "spec": {"template": template}}

    def config(name: str) -> kept.Entry:
        return {"kind": "ConfigMap", "metadata": {"name": name}}

    put("a/server.yaml", pods("server", serviceAccountName="reader", volumes=[
        {"configMap": {"name": "rules"}}, {"projected": {"sources": [{"configMap": {"name": "main"}}]}}]))  # fmt: skip
    put("a/rules.yaml", config("rules"))
    put("a/main.yaml", config("main"), config("other"))
    put("a/unused.yaml", config("unused"))
    put("a/service.yaml", {"kind": "Service", "metadata": {"name": "server"}, "spec": {"selector": {"app": "server"}}})
    binding = {"subjects": [{"name": "reader"}], "roleRef": {"kind": "Role", "name": "look"}}
    put("a/binding.yaml", {"kind": "RoleBinding", "metadata": {"name": "x"}, **binding})
    put("a/role.yaml", {"kind": "Role", "metadata": {"name": "look"}})
    put("b/else.yaml", pods("else"))
    resources = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.yaml"))
    (folder / "kustomization.yaml").write_text(yaml.safe_dump({"resources": resources}))
    return folder


def test_the_files_of_an_app_are_found_in_the_tree_itself(tmp_path: Path) -> None:
    tree = _tree(tmp_path)
    found = {path.stem for path in stands.files(tree, ["server"])}
    assert found == {"server", "rules", "main", "service", "binding", "role"}
    assert stands.files(tree, ["b"]) == {tree / "b" / "else.yaml"}
    with pytest.raises(LookupError, match="renders no app nobody"):
        stands.files(tree, ["nobody"])


def test_another_byte_or_another_name_is_another_hash(tmp_path: Path) -> None:
    file = tmp_path / "one"
    file.write_text("a")
    first = stands.digest(tmp_path, [file])
    file.write_text("b")
    assert stands.digest(tmp_path, [file]) != first
    file.write_text("a")
    assert stands.digest(tmp_path, [file]) == first
    assert stands.digest(tmp_path, [file.rename(tmp_path / "two")]) != first


def test_a_scenario_stands_on_its_module_the_shared_harness_and_on_libraries_where_they_run(tmp_path: Path) -> None:
    module = replace(REDIS, module="ha/test_microservices", apps=("server",))
    tree = _tree(tmp_path)
    files = {
        path.relative_to(stands.ROOT).as_posix() for path in stands.harness(module, stands.files(tree, ["server"]))
    }
    assert {"tests/live/ha/test_microservices.py", "tests/live/stage.py", "tests/live/run"} <= files
    assert not {"tests/live/test_queries.py", "tests/live/check.py"} & files
    assert not any(file.startswith("libs/") for file in files)


def stood_on(module: str, writers: bool = False) -> set[str]:
    one = Scenario(module, "test_x", ("loki",), "live", writers)
    return {path.relative_to(stands.ROOT).as_posix() for path in stands.harness(one, [])}


def test_a_scenario_stands_on_what_it_and_its_conftest_import_in_other_folders_too() -> None:
    assert "tests/live/test_benign.py" in stood_on("test_alerts")
    assert {"tests/live/compose/engine.py", "tests/live/compose/services.yaml"} <= stood_on("objectives/test_search")


def test_a_scenario_stands_on_the_stand_in_that_it_boots_and_not_on_the_rest_of_the_generator() -> None:
    found = stood_on("compose/test_machine")
    assert "generator/obsgen/judging/dockerd.py" in found
    assert "generator/obsgen/logql.py" not in found


@pytest.mark.parametrize(
    ("module", "writers", "libraries"),
    [
        ("test_log_gaps", True, True),
        ("test_log_alerts", False, True),
        ("test_exported", False, True),
        ("ha/test_microservices", False, False),
    ],
    ids=["by the fixture", "by an order", "by an order of a module that it imports", "neither"],
)
def test_a_scenario_stands_on_the_libraries_where_a_service_writes_with_them(
    module: str, writers: bool, libraries: bool
) -> None:
    assert ("libs/python/auralink_shared/dlq/__init__.py" in stood_on(module, writers)) is libraries


def test_the_contract_is_among_the_files_of_a_scenario_where_our_own_code_reads_it(tmp_path: Path) -> None:
    tree = _tree(tmp_path)
    (tree / "contract").mkdir()
    (tree / "contract" / "contract.json").write_text("{}")
    one = replace(REDIS, module="ha/test_microservices", apps=("server",))
    assert tree / "contract/contract.json" not in stands.rendered(one, lambda _: tree)
    assert tree / "contract/contract.json" in stands.rendered(replace(one, writers=True), lambda _: tree)


def test_an_app_may_be_of_another_profile(tmp_path: Path) -> None:
    trees = {"ha": _tree(tmp_path), "ha-parts": tmp_path / "ha-parts"}
    trees["ha-parts"].mkdir()
    _tree(trees["ha-parts"])
    one = replace(CLUSTER, module="ha/test_microservices", apps=("server", "ha-parts/else"))
    found = stands.rendered(one, trees.__getitem__)
    assert trees["ha"] / "a/rules.yaml" in found and trees["ha-parts"] / "b/else.yaml" in found
    assert not {trees["ha-parts"] / "a/rules.yaml", trees["ha"] / "b/else.yaml"} & found


def test_a_scenario_that_fails_shows_what_each_server_said_last() -> None:
    stage = SimpleNamespace(said=lambda: "== auralink/loki-0\nthe volume is full")
    assert conftest.said({"stage": stage, "kept": None}) == [
        ("what the stage said last", "== auralink/loki-0\nthe volume is full")
    ]


def test_the_page_is_the_one_that_the_kept_results_make() -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.current(), "run: .venv/bin/python -m tests.live.page"


def tables(*results: kept.Entry) -> str:
    empty = "".join(f"<!-- {name}: begin -->\nold\n<!-- {name}: end -->\n" for name in PLACES)
    return page.written(empty, results, {"Slow warning": "a third party"})


def test_the_tables_hold_what_was_told() -> None:
    made = tables(ran(ran(), seconds=6), ran(one=LOKI))
    assert "| `RedisDown` | critical | Redis scaled to 0 | 6 | 5 |  | 10 |" in made
    assert "| `make live` | 1 | 2 |" in made
    assert "| `OBSGEN_LIVE=all make live` | 2 | 0 |" in made
    assert "| `Slow warning` | a third party |" in made
    assert "| lines land (go) | loki | `OBSGEN_LIVE=all make live` |" in made
    assert "old" not in made


def test_a_page_without_a_place_for_a_table_is_an_error() -> None:
    with pytest.raises(AssertionError, match="no place for runs"):
        page.written("", [], {})


def alerts(*told: tuple[str, str, dict[str, float]]) -> list[str]:
    """Rows of the table of alerts: of each its name, severity, and who was told when; all over after 4 s."""
    one = kept.Kept()
    for name, severity, seconds in told:
        one.alert(name, severity, "cut off", seconds, dict.fromkeys(seconds, 4))
    made = tables(ran() | {"told": one.told()}).partition("<!-- alerts: begin -->\n")[2].partition("<!--")[0]
    return made.splitlines()[2:]


def test_where_an_alert_is_seen_that_no_channel_tells_is_shown() -> None:
    (row,) = alerts(("AlertmanagerDown", "critical", {"page Alerts of Prometheus": 22}))
    assert row == "| `AlertmanagerDown` | critical | cut off | page Alerts of Prometheus: 22 s | 4 |"


def test_a_level_that_must_stay_silent_has_a_row_that_says_so() -> None:
    milder, harsher = ("RedisDown", "warning", {}), ("RedisDown", "critical", {"slack": 6})
    assert alerts(milder, harsher) == [
        "| `RedisDown` | critical | cut off | 6 |  | 4 |",
        "| `RedisDown` | warning | cut off |  | silent: its harsher level is told |  |",
    ]


PLACES = ("runs", "scenarios", "alerts", "benign", "numbers", "not provoked")


def test_a_scenario_stands_on_the_modules_that_it_borrows_from() -> None:
    module = stands.HERE / "test_log_gaps.py"
    assert {path.name for path in stands.imported({module}) if path.name.startswith("test_")} == {
        "test_log_gaps.py",
        "test_logs.py",
        "test_queries.py",
    }
