"""The rendered dashboards, as the published types of Grafana, our own checks and the declaration would have them."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from grafana_types import faults
from obsgen import dashboards, render
from obsgen.checks import CHECKS
from obsgen.dashboard_reader import panels, queries, read
from obsgen.panels import placed
from obsgen.problem import ProblemsError
from obsgen.road import Declared, load, texts
from snapshot_tree import ROOT

TREES = sorted([*ROOT.glob("rendered/*"), *ROOT.glob("tests/fleets/*/rendered/*")])


def boards(tree: Path) -> list[Path]:
    """The dashboards of a tree, which in Compose's stand among Grafana's files."""
    return sorted([*tree.glob("dashboards/*.json"), *tree.glob("grafana/dashboards/*.json")])


DASHBOARDS = [path for tree in TREES for path in boards(tree)]
BASE = ROOT / "tests/checks/base.yaml"


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def board(tree: str, name: str) -> Any:
    return json.loads((ROOT / tree / "dashboards" / name).read_text(encoding="utf-8"))


def panel(board: Any, title: str) -> Any:
    return next(panel for panel in panels(board) if panel["title"] == title)


def declared(folder: Path, change: Callable[[dict[str, Any]], None], files: dict[str, str] | None = None) -> Declared:
    """The base of the checks' pages, changed, in a folder of its own."""
    data = yaml.safe_load(BASE.read_text(encoding="utf-8"))
    change(data)
    (folder / "profiles").mkdir()
    (folder / "profiles/one.yaml").write_text("{}\n", encoding="utf-8")
    for name, text in (files or {}).items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "observability.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")
    return load(folder / "observability.yaml", "one")


@pytest.mark.parametrize("path", DASHBOARDS, ids=named)
def test_every_dashboard_is_of_grafanas_published_types(path: Path) -> None:
    assert faults(path.read_text(encoding="utf-8")) == []


FAULTS: dict[str, Callable[[Any], None]] = {
    "grid_pos.h: 'tall'": lambda b: b["panels"][1]["gridPos"].update(h="tall"),
    "draw_style: 'barz'": lambda b: panel(b, "Log volume")["fieldConfig"]["defaults"]["custom"].update(
        drawStyle="barz"
    ),
    "graph_tooltip: 9": lambda b: b.update(graphTooltip=9),
    "datasourc: the types": lambda b: b["panels"][1].update(datasourc={"uid": "x"}),
    "title: 7": lambda b: b["panels"][1].update(title=7),
    "calcs: 'max'": lambda b: panel(b, "Log volume")["options"]["legend"].update(calcs="max"),
    "value: '50'": lambda b: b["panels"][1]["fieldConfig"]["defaults"]["thresholds"]["steps"][1].update(value="50"),
    "instant: 'yes'": lambda b: b["panels"][1]["targets"][0].update(instant="yes"),
    "refresh: 60": lambda b: b.update(refresh=60),
    "legend.calc: the types": lambda b: panel(b, "Log volume")["options"]["legend"].update(calc=["max"]),
    "fillOpcity: the types": lambda b: panel(b, "Log volume")["fieldConfig"]["defaults"]["custom"].update(
        fillOpcity=10
    ),
    "exprs: the types": lambda b: b["panels"][1]["targets"][0].update(exprs="up"),
    "gridPos.width: the types": lambda b: b["panels"][1]["gridPos"].update(width=3),
    "transformations[0].option: the types": lambda b: panel(b, "Services")["transformations"][0].update(
        option={"a": 1}
    ),
}


@pytest.mark.parametrize("said", FAULTS)
def test_what_grafanas_types_contradict_is_seen(said: str) -> None:
    fleet = board("rendered/prod", "auralink-fleet.json")
    if said.startswith("transformations"):
        next(one for one in panels(fleet) if one["type"] == "table")["transformations"][0].update(option={"a": 1})
    else:
        FAULTS[said](fleet)
    assert [fault for fault in faults(json.dumps(fleet)) if said in fault]


@pytest.mark.parametrize("tree", TREES, ids=named)
def test_our_own_dashboards_pass_the_checks_for_those_that_are_taken_over(tree: Path) -> None:
    one = load(tree.parents[1] / "observability.yaml", tree.name)
    files = {path: text for path, text in texts(one).items() if "dashboards/" in path and path.endswith(".json")}
    named = msgspec.structs.replace(one.declaration.dashboards, files=tuple(files))
    as_taken = dataclasses.replace(
        one, declaration=msgspec.structs.replace(one.declaration, dashboards=named), taken=files
    )
    asked = [
        row for row in CHECKS if row.id.startswith("dashboard/") and row.id not in ("dashboard/uid", "dashboard/title")
    ]
    assert [finding.fact for row in asked for finding in row.ask(as_taken)] == []
    assert len(asked) > 8


@pytest.mark.parametrize("tree", TREES, ids=named)
def test_uids_and_titles_are_each_there_once_and_the_uid_names_the_file(tree: Path) -> None:
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in boards(tree)}
    assert {name: one["uid"] for name, one in found.items()} == {name: name for name in found}
    assert len({one["title"] for one in found.values()}) == len(found)
    assert all(re.fullmatch("[a-z0-9-]{1,40}", name) for name in found)


@pytest.mark.parametrize("path", DASHBOARDS, ids=named)
def test_every_panel_has_an_id_of_its_own_and_says_what_it_shows(path: Path) -> None:
    every = list(panels(read(path.read_text(encoding="utf-8"))))
    assert len({one["id"] for one in every}) == len(every)
    assert [one["title"] for one in every if one["type"] != "row" and len(one["description"]) < 10] == []


@pytest.mark.parametrize("path", DASHBOARDS, ids=named)
def test_links_lead_to_dashboards_that_are_rendered(path: Path) -> None:
    led = set(re.findall(r'"/d/([\w-]+)', path.read_text(encoding="utf-8")))
    assert led <= {other.stem for other in path.parent.glob("*.json")}


@pytest.mark.parametrize("tree", TREES, ids=named)
def test_alerts_link_to_dashboards_that_are_rendered(tree: Path) -> None:
    rules = [path.read_text(encoding="utf-8") for path in tree.glob("*/rules/*.yaml")]
    led = {uid for text in rules for uid in re.findall(r"dashboard_url: \"?\S+/d/([\w-]+)", text)}
    assert led <= {path.stem for path in boards(tree)}
    grafana = load(tree.parents[1] / "observability.yaml", tree.name).declaration.urls.grafana
    assert bool(led) == bool(grafana)


def test_an_alert_links_to_the_dashboard_that_shows_what_it_asks() -> None:
    d = load(ROOT / "observability.yaml", "prod").declaration
    shown = {
        "sum(rate(dlq_messages_total[5m]))": "dlq",
        'absent(redis_up{app="redis-exporter"} == 1)': "dlq",
        "loki:push_lag_seconds:avg5m": "log-pipeline",
        'count(up{app="promtail"} == 0)': "log-pipeline",
        'absent(up{app="alertmanager"} == 1)': "alerting",
        "vector(1)": "alerting",
        "service:error_budget_burn:ratio1h": "objectives",
        'max by (app) (up{app=~"web"}) == 0': "fleet",
        "sum(rate(http_requests_total[5m]))": "fleet",
    }
    assert {question: dashboards.shows(d, question, "prometheus") for question in shown} == shown
    assert dashboards.shows(d, 'rate({app="web"}[5m])', "loki") == "service-logs"


def test_the_plans_queries_and_panels_are_there_with_what_was_wrong() -> None:
    tree = ROOT / "rendered/prod/dashboards"
    every = (one for path in tree.glob("*.json") for one in panels(read(path.read_text(encoding="utf-8"))))
    notes = " ".join(one.get("description", "") for one in every)
    for number in range(1, 6):
        assert f"The plan's query {number}." in notes
    for name in ("Log Volume", "Error Rate", "DLQ Size"):
        assert f'The plan\'s panel "{name}"' in notes


def test_each_agent_is_watched_by_its_own_metrics() -> None:
    boards = {tree: board(f"rendered/{tree}", "auralink-log-pipeline.json") for tree in ("prod", "staging")}
    asked = {tree: " ".join(one.text for one in queries(of)) for tree, of in boards.items()}
    assert "promtail_sent_entries_total" in asked["prod"] and "loki_write" not in asked["prod"]
    assert "loki_write_sent_entries_total" in asked["staging"] and "promtail" not in asked["staging"]


def test_thresholds_are_the_objectives(tmp_path: Path) -> None:
    one = declared(tmp_path, lambda data: data["objectives"].update(dlq_depth={"max": 7}, dlq_review={"max": "30m"}))
    dlq = json.loads(texts(one)["dashboards/shop-dlq.json"])
    assert panel(dlq, "Dead letters")["fieldConfig"]["defaults"]["thresholds"]["steps"][-1] == {
        "color": "red",
        "value": 7,
    }
    assert panel(dlq, "Age of the oldest letter")["fieldConfig"]["defaults"]["thresholds"]["steps"][-1]["value"] == 1800


def test_what_is_not_declared_is_not_shown(tmp_path: Path) -> None:
    def change(data: dict[str, Any]) -> None:
        del data["dlq"], data["objectives"], data["alerts"]["DeadLettersArrive"]
        data["packs"] = {}
        data["tests"] = []
        for service in data["services"].values():
            service.pop("metrics")

    one = declared(tmp_path, change)
    made = {path.removeprefix("dashboards/") for path in texts(one) if path.startswith("dashboards/")}
    assert made == {
        "shop-fleet.json",
        "shop-service-logs.json",
        "shop-alerting.json",
        "shop-log-pipeline.json",
        "grafana.yaml",
    }
    fleet = json.loads(texts(one)["dashboards/shop-fleet.json"])
    assert not {"Requests", "Services", "Services that don't answer", "Dead letters"} & {
        p["title"] for p in panels(fleet)
    }


def test_fields_are_read_from_where_they_are_declared(tmp_path: Path) -> None:
    def change(data: dict[str, Any]) -> None:
        data["logging"]["fields"] |= {
            "duration_ms": {"path": ["context", "http-call", "took"], "type": "number", "unit": "s"},
            "trace_id": {"required": True, "path": ["trace", "id"]},
        }

    logs = json.loads(texts(declared(tmp_path, change))["dashboards/shop-service-logs.json"])
    slow = panel(logs, "Requests over a second")["targets"][0]["expr"]
    assert r'|= "took" | json duration_ms="context[\"http-call\"].took" | duration_ms > 1' in slow
    assert (
        '|= "id" | json trace_id="trace.id" | trace_id=~"$trace_id"'
        in panel(logs, "Lines of one trace")["targets"][0]["expr"]
    )


def test_the_file_is_json_as_it_is_always_written() -> None:
    for path in DASHBOARDS:
        text = path.read_text(encoding="utf-8")
        assert text == json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n"
        assert "[=" not in text and "{%" not in text  # a template's own words inside a string


def test_a_template_that_gives_no_json_is_told_and_nothing_is_written() -> None:
    with pytest.raises(ProblemsError, match="is no JSON: the key 'a' is there twice") as stopped:
        render._canonical("grafana/fleet.json.j2", '{"a": 1, "a": 2}')
    assert stopped.value.could_not_run


def panel_of(width: int, height: int = 4, kind: str = "stat", **more: Any) -> str:
    return json.dumps({"type": kind, "gridPos": {"w": width, "h": height}, **more}) + ",\n"


def places(text: str) -> list[tuple[int, int]]:
    return [(one["gridPos"]["x"], one["gridPos"]["y"]) for one in json.loads(placed(text))]


def test_panels_lie_side_by_side_until_the_line_is_full() -> None:
    assert places(panel_of(12, 8) + panel_of(8) + panel_of(8) + panel_of(24)) == [(0, 0), (12, 0), (0, 8), (0, 12)]


def test_a_row_begins_a_line_and_a_collapsed_one_holds_what_follows() -> None:
    row = {"kind": "row", "panels": []}
    text = (
        panel_of(6)
        + panel_of(24, 1, collapsed=True, **row)
        + panel_of(24)
        + panel_of(24, 1, collapsed=False, **row)
        + panel_of(6)
    )
    made = json.loads(placed(text))
    assert [one["type"] for one in made] == ["stat", "row", "row", "stat"]
    assert [one["gridPos"]["y"] for one in made[1]["panels"]] == [5]
    assert [one["gridPos"]["y"] for one in made] == [0, 4, 9, 10]


def test_servers_that_nobody_here_scrapes_have_no_panels(tmp_path: Path) -> None:
    def change(data: dict[str, Any]) -> None:
        data["loki"] = {"deploy": False, "url": "http://loki.example.com"}
        data["alertmanager"] = {"deploy": False, "url": "http://alertmanager.example.com"}
        data["secrets"] = {name: where for name, where in data["secrets"].items() if not name.startswith("s3")}
        data["packs"]["log-pipeline"] = {}

    made = texts(declared(tmp_path, change))
    asked = {
        name: " ".join(one.text for one in queries(json.loads(made[f"dashboards/shop-{name}.json"])))
        for name in ("log-pipeline", "alerting")
    }
    assert "promtail_sent_entries_total" in asked["log-pipeline"] and "loki_" not in asked["log-pipeline"]
    assert "ALERTS" in asked["alerting"] and "alertmanager_" not in asked["alerting"]
