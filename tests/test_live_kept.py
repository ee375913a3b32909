"""What is kept of the live tests: what a run counts, what is stale, what nothing provokes, and the page that is made of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from live import check, kept, page, stands
from live.scenarios import Scenario, scenario

REDIS = Scenario("test_redis", "test_redis_is_gone", ("alertmanager", "dlq-redis"), "live", False)
LOKI = Scenario("test_logs", "test_lines_land[go]", ("loki",), "live", True)
CLUSTER = Scenario("ha/test_loki", "test_one_of_three_dies", ("loki",), "ha", False)
NOW = {"rendered": "1" * 16, "harness": "2" * 16}


def told(seconds: float = 4.4) -> kept.Entry:
    one = kept.Kept()
    one.alert("RedisDown", "Redis scaled to 0", {"slack": seconds, "mail": 5}, {"slack": 9.6})
    return one.told()


def ran(before: kept.Entry | None = None, one: Scenario = REDIS, **other: Any) -> kept.Entry:
    options: dict[str, Any] = {"passed": True, "run": "registries", "whole": True} | other
    seconds = options.pop("seconds", 4.4)
    return kept.result(one, options.pop("hashes", NOW), told(seconds), before, **options)


def recorded(folder: Path, *scenarios: Scenario, **other: Any) -> None:
    for one in scenarios:
        kept.write(kept.path(one, folder), ran(one=one, **other))


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


def unprovoked(*rendered: str, **excused: str) -> list[str]:
    return [fault.what for fault in check.unprovoked(rendered, [ran()], excused)]


def test_every_alert_is_provoked_or_excused() -> None:
    assert unprovoked("RedisDown", "LogSearchSlow", LogSearchSlow="needs more than an hour of real time") == []
    assert unprovoked("RedisDown", "LogSearchSlow") == ["nothing provokes LogSearchSlow, and it does not stand here"]
    assert unprovoked("RedisDown", RedisDown="third party") == ["RedisDown is provoked, and stands here"]
    assert unprovoked("RedisDown", Gone="third party") == ["Gone is not rendered"]
    assert "only these are reasons" in unprovoked("RedisDown", "Slow", Slow="hard to do")[0]


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
    module = replace(REDIS, module="test_dead_letters", apps=("server",))
    tree = _tree(tmp_path)
    files = {path.relative_to(stands.ROOT).as_posix() for path in stands.harness(module, tree)}
    assert {"tests/live/test_dead_letters.py", "tests/live/stage.py", "tests/live/run"} <= files
    assert not {"tests/live/test_queries.py", "tests/live/check.py"} & files
    assert not any(file.startswith("libs/") for file in files)
    alerts = replace(module, module="test_alerts")
    assert stands.HERE / "test_benign.py" in stands.harness(alerts, tree)  # it imports from there
    with_libraries = stands.harness(replace(module, libraries=True), tree)
    assert stands.ROOT / "libs/python/auralink_shared/dlq/__init__.py" in with_libraries


@pytest.mark.parametrize(
    ("module", "fixtures", "libraries"),
    [("test_log_gaps", {"writers"}, True), ("test_log_alerts", set(), True), ("ha/test_microservices", set(), False)],
    ids=["writers", "an order", "neither"],
)
def test_a_scenario_stands_on_the_libraries_where_a_service_writes_with_them(
    module: str, fixtures: set[str], libraries: bool
) -> None:
    item: Any = SimpleNamespace(
        path=stands.HERE / f"{module}.py",
        name="test_x",
        fixturenames=fixtures,
        get_closest_marker=lambda _: SimpleNamespace(args=("loki",), kwargs={}),
    )
    assert scenario(item).libraries is libraries


def test_the_page_is_the_one_that_the_kept_results_make() -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.current(), "run: .venv/bin/python -m tests.live.page"


def test_the_tables_hold_what_was_told() -> None:
    empty = "".join(f"<!-- {name}: begin -->\nold\n<!-- {name}: end -->\n" for name in PLACES)
    made = page.written(empty, [ran(ran(), seconds=6), ran(one=LOKI)], {"Slow": "a third party"})
    assert "| `RedisDown` | Redis scaled to 0 | 6 | 5 | 10 |" in made
    assert "| `make live` | 1 | 2 |" in made
    assert "| `OBSGEN_LIVE=all make live` | 2 | 0 |" in made
    assert "| `Slow` | a third party |" in made
    assert "| lines land (go) | loki | `OBSGEN_LIVE=all make live` |" in made
    assert "old" not in made
    with pytest.raises(AssertionError, match="no place for runs"):
        page.written("", [], {})


PLACES = ("runs", "scenarios", "alerts", "benign", "numbers", "not provoked")


def test_a_scenario_stands_on_the_modules_that_it_borrows_from() -> None:
    assert {path.name for path in stands._with_imported(stands.HERE / "test_log_gaps.py")} == {
        "test_log_gaps.py",
        "test_logs.py",
        "test_exported.py",
        "test_queries.py",
    }
