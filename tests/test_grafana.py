"""What a Grafana would start with: its provisioning as it reads it, its configuration, the dashboards that it is given."""

from __future__ import annotations

import configparser
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import Run
from obsgen.quoting import ini, provisioned
from obsgen.road import load, texts
from snapshot_tree import ROOT
from test_dashboards import declared

EVERY = sorted([*ROOT.glob("rendered/*"), *ROOT.glob("tests/fleets/*/rendered/*")])
TREES = [tree for tree in EVERY if (tree / "dashboards/grafana.yaml").is_file()]
OURS = [tree for tree in TREES if "kind: Deployment" in (tree / "dashboards/grafana.yaml").read_text(encoding="utf-8")]
COMPOSED = [tree for tree in EVERY if (tree / "grafana/grafana.ini").is_file()]

# Grafana ignores a key that it doesn't know, also one in wrong case: these are the ones that its documentation lists.
KEYS = {
    "datasources": {"apiVersion", "prune", "datasources"},
    "providers": {"apiVersion", "providers"},
    "datasource": {"name", "uid", "type", "access", "url", "isDefault", "jsonData"},
    "prometheus": {"httpMethod", "timeInterval"},
    "loki": {"maxLines", "derivedFields"},
    "alertmanager": {"implementation", "handleGrafanaManagedAlerts"},
    "derived": {"name", "matcherType", "matcherRegex", "url", "urlDisplayLabel"},
    "provider": {
        "name",
        "orgId",
        "type",
        "folder",
        "folderUid",
        "disableDeletion",
        "allowUiUpdates",
        "updateIntervalSeconds",
        "options",
    },
}


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def manifests(text: str) -> dict[tuple[str, str], Any]:
    return {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(text)}


def mounted(text: str, name: str, key: str) -> str:
    return str(manifests(text)["ConfigMap", name]["data"][key])


def expanded(value: Any) -> Any:
    """A value of provisioning as Grafana takes it: `$$` apart, then Go's os.ExpandEnv (12.4, pkg/services/provisioning/values)."""
    if isinstance(value, dict):
        return {key: expanded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [expanded(item) for item in value]
    if not isinstance(value, str):
        return value
    return "$".join(re.sub(r"\$(\{[^}]*\}|\w+|[*#$@!?-])", "", part) for part in value.split("$$"))


def provisioning(tree: Path, key: str) -> Any:
    for raw in tree.glob(f"grafana/provisioning/*/{key}"):
        return expanded(yaml.safe_load(raw.read_text(encoding="utf-8")))
    text = (tree / "dashboards/grafana.yaml").read_text(encoding="utf-8")
    return expanded(yaml.safe_load(mounted(text, "grafana-provisioning", key)))


def test_a_value_comes_through_grafanas_expansion_as_it_was() -> None:
    for value in ("pa$word", "${__value.raw}", "$5", "a$$b", "$", "no dollar"):
        assert expanded(yaml.safe_load(provisioned(f"'{value}'"))) == value
        assert expanded(value) != value or "$" not in value or value == "$"


@pytest.mark.parametrize("tree", [*OURS, *COMPOSED], ids=named)
def test_every_key_of_the_provisioning_is_one_that_grafana_reads(tree: Path) -> None:
    sources, providers = provisioning(tree, "datasources.yaml"), provisioning(tree, "providers.yaml")
    assert set(sources) <= KEYS["datasources"] and set(providers) <= KEYS["providers"]
    assert sources["apiVersion"] == providers["apiVersion"] == 1
    for source in sources["datasources"]:
        assert set(source) <= KEYS["datasource"]
        assert set(source["jsonData"]) <= KEYS[source["type"]]
        assert all(set(field) <= KEYS["derived"] for field in source["jsonData"].get("derivedFields", ()))
    (provider,) = providers["providers"]
    assert set(provider) <= KEYS["provider"] and set(provider["options"]) == {"path"}


def test_the_data_sources_are_those_of_the_declaration() -> None:
    found = {one["uid"]: one for one in provisioning(ROOT / "rendered/prod", "datasources.yaml")["datasources"]}
    assert set(found) == {"prometheus", "loki", "alertmanager"}
    assert found["prometheus"]["url"] == "http://prometheus.auralink.svc.cluster.local:9090"
    assert found["prometheus"]["jsonData"]["timeInterval"] == "30s"
    (trace,) = found["loki"]["jsonData"]["derivedFields"]
    assert trace["url"] == "https://traces.auralink.example/trace/${__value.raw}"
    assert (trace["matcherType"], trace["matcherRegex"]) == ("label", "trace_id")


def test_a_trace_id_that_stays_in_the_line_is_found_there_however_json_is_spaced(tmp_path: Path) -> None:
    def change(data: dict[str, Any]) -> None:
        data["logging"]["fields"]["trace_id"] = {"required": True}
        data["urls"]["traces"] = "https://traces.shop.example/jaeger/"
        own(data)

    text = texts(declared(tmp_path, change))["dashboards/grafana.yaml"]
    sources = expanded(yaml.safe_load(mounted(text, "grafana-provisioning", "datasources.yaml")))["datasources"]
    (field,) = next(one for one in sources if one["uid"] == "loki")["jsonData"]["derivedFields"]
    assert field["url"] == "https://traces.shop.example/jaeger/trace/${__value.raw}"
    for line in ('{"trace_id":"4bf92f35"}', '{"trace_id": "4bf92f35"}'):
        assert re.search(field["matcherRegex"], line)[1] == "4bf92f35"  # type: ignore[index]


def own(data: dict[str, Any]) -> None:
    data["secrets"]["grafana"] = {"secret": "grafana-admin", "key": "password"}
    data["grafana"] = {"admin_password": {"secret": "grafana"}}


def test_servers_that_are_not_deployed_are_asked_at_their_own_address_or_not_at_all(tmp_path: Path) -> None:
    def change(data: dict[str, Any]) -> None:
        own(data)
        data["prometheus"] = {"deploy": False, "url": "http://prometheus.monitoring:9090/p$m/"}
        data["alertmanager"] = {"deploy": False}

    text = texts(declared(tmp_path, change))["dashboards/grafana.yaml"]
    sources = expanded(yaml.safe_load(mounted(text, "grafana-provisioning", "datasources.yaml")))["datasources"]
    assert {one["uid"]: one["url"] for one in sources} == {
        "prometheus": "http://prometheus.monitoring:9090/p$m",
        "loki": "http://loki.shop.svc.cluster.local:3100",
    }


@pytest.mark.parametrize("tree", TREES, ids=named)
def test_each_dashboard_is_in_a_configmap_of_its_own_as_it_is(tree: Path) -> None:
    maps = manifests((tree / "dashboards/grafana.yaml").read_text(encoding="utf-8"))
    found = {
        one["metadata"]["name"]: one
        for (kind, name), one in maps.items()
        if kind == "ConfigMap" and name.startswith("dashboard-")
    }
    files = {f"dashboard-{path.stem}": path for path in tree.glob("dashboards/*.json")}
    assert set(found) == set(files)
    for name, path in files.items():
        assert found[name]["data"] == {path.name: path.read_text(encoding="utf-8")}
        assert found[name]["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert found[name]["metadata"]["annotations"] == {
            "grafana_folder": load(tree.parents[1] / "observability.yaml", tree.name).declaration.name
        }


@pytest.mark.parametrize("tree", OURS, ids=named)
def test_grafana_mounts_every_dashboard_where_its_provider_looks(tree: Path) -> None:
    found = manifests((tree / "dashboards/grafana.yaml").read_text(encoding="utf-8"))
    pod = found["Deployment", "grafana"]["spec"]["template"]["spec"]
    (volume,) = [one for one in pod["volumes"] if one["name"] == "dashboards"]
    assert {one["configMap"]["name"] for one in volume["projected"]["sources"]} == {
        name for kind, name in found if name.startswith("dashboard-")
    }
    (mount,) = [one for one in pod["containers"][0]["volumeMounts"] if one["name"] == "dashboards"]
    assert provisioning(tree, "providers.yaml")["providers"][0]["options"]["path"] == mount["mountPath"]


def test_the_configuration_is_ini_with_the_patch_in_it() -> None:
    text = (ROOT / "tests/fleets/everything/rendered/one/dashboards/grafana.yaml").read_text(encoding="utf-8")
    found = configparser.ConfigParser(interpolation=None)
    found.read_string(mounted(text, "grafana-config", "grafana.ini"))
    assert found["auth.anonymous"]["enabled"] == "false"
    assert found["auth"]["disable_login_form"] == "true"
    assert found["auth.generic_oauth"]["name"] == "`Sign in; with # signs`"
    assert found["server"]["root_url"] == "https://grafana.example.com/sub/path"


def test_a_value_with_signs_of_ini_stands_in_backticks() -> None:
    said = ini({"a": {"x": "b;c", "y": "50%", "z": 7, "w": True, "v": "plain words"}})
    assert said == "[a]\nx = `b;c`\ny = `50%`\nz = 7\nw = true\nv = plain words\n"


def test_the_password_comes_from_its_secret_and_is_asked_for(tmp_path: Path) -> None:
    files = texts(declared(tmp_path, own))
    container = manifests(files["dashboards/grafana.yaml"])["Deployment", "grafana"]["spec"]["template"]["spec"][
        "containers"
    ][0]
    (variable,) = container["env"]
    assert variable["name"] == "GF_SECURITY_ADMIN_PASSWORD"
    assert variable["valueFrom"]["secretKeyRef"] == {"name": "grafana-admin", "key": "password"}
    assert "grafana-admin" in files["SECRETS.md"]


def test_a_grafana_that_is_not_ours_gets_the_dashboards_and_nothing_else(tmp_path: Path) -> None:
    files = texts(declared(tmp_path, lambda data: None))
    assert {kind for kind, _ in manifests(files["dashboards/grafana.yaml"])} == {"ConfigMap"}
    assert "dashboards/shop-fleet.json" in files


TAKEN = '{\n\t"uid": "My_Rooms",\n\t"title":   "Rooms", "schemaVersion": 36, "panels": []}'


def rooms(data: dict[str, Any]) -> None:
    own(data)
    data["dashboards"] = {"files": ["rooms.json"]}


def test_a_dashboard_that_is_taken_over_keeps_every_byte(tmp_path: Path) -> None:
    files = texts(declared(tmp_path, rooms, {"rooms.json": TAKEN}))
    assert files["dashboards/My_Rooms.json"] == TAKEN
    found = manifests(files["dashboards/grafana.yaml"])
    assert found["ConfigMap", "dashboard-my-rooms"]["data"]["My_Rooms.json"].rstrip("\n") == TAKEN
    assert "dashboards/My_Rooms.json" in files["FILES"].splitlines()


BAD: dict[str, tuple[str, str]] = {
    "a byte order mark": ("\ufeff" + TAKEN, "rooms.json:1:1: it begins with a byte order mark"),
    "a text after it": (TAKEN + "\n{}", "rooms.json:4:1: text follows the dashboard"),
    "no JSON": (TAKEN[:-1], "rooms.json:3:"),
    "no object": ("[]", "rooms.json: this is not an object"),
    "no number": (TAKEN.replace("36", "NaN"), "rooms.json: NaN is not JSON"),
    "an envelope": ('{"dashboard": {"title": "x"}}', "the answer of Grafana's API"),
    "a resource": (
        '{"apiVersion": "dashboard.grafana.app/v1beta1", "kind": "Dashboard", "spec": {}}',
        "a resource around a dashboard",
    ),
    "inputs": (
        TAKEN.replace('"panels"', '"x": "${DS_PROM}", "panels"'),
        "DS_PROM is filled in by the page for importing",
    ),
    "a number of another Grafana": (TAKEN.replace('"uid"', '"id": 7, "uid"'), "id 7 is the number in another Grafana"),
    "a model to come": (TAKEN.replace("36", "43"), "schemaVersion is 43"),
    "no schemaVersion": (TAKEN.replace('"schemaVersion": 36,', ""), "schemaVersion is missing"),
    "a uid that is too long": (TAKEN.replace("My_Rooms", "a" * 41), "Grafana refuses the uid"),
    "a uid of ours": (
        TAKEN.replace("My_Rooms", "Shop_Fleet"),
        "the uid 'Shop_Fleet' is taken, or one like it: shop-fleet is rendered",
    ),
    "no title": (TAKEN.replace('Rooms", "sch', ' ", "sch'), "it has no title"),
}


def panel(**more: Any) -> dict[str, Any]:
    place = {"x": 0, "y": 0, "w": 8, "h": 8}
    return {
        "id": 1,
        "type": "stat",
        "title": "T",
        "description": "D",
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": "s"}},
    } | more


BAD_PANELS: dict[str, tuple[list[dict[str, Any]], str]] = {
    "without a type": ([panel(type=None)], "'T' has no type"),
    "of a type that is misspelt": ([panel(type="timeserie")], "did you mean 'timeseries'?"),
    "of a library": ([panel(libraryPanel={"uid": "a"})], "is a library panel"),
    "with one letter twice": ([panel(targets=[{"refId": "A"}, {"refId": "A"}])], "has two queries 'A'"),
    "with one id twice": ([panel(), panel(gridPos={"x": 8, "y": 0, "w": 8, "h": 8})], "two panels have the id 1"),
    "over another": (
        [panel(), panel(id=2, title="U", gridPos={"x": 7, "y": 7, "w": 8, "h": 8})],
        "'T' and the panel 'U' lie on each other",
    ),
    "over another in a row": (
        [panel(type="row", gridPos={"x": 0, "y": 0, "w": 24, "h": 1}, panels=[panel(id=3), panel(id=4)])],
        "lie on each other",
    ),
    "without a place": ([panel(gridPos=None)], "does not lie on the grid"),
    "of no height": ([panel(gridPos={"x": 0, "y": 0, "w": 8, "h": 0})], "does not lie on the grid"),
}
BAD |= {
    f"a panel {name}": (json.dumps({"uid": "u", "title": "t", "schemaVersion": 39, "panels": of}), said)
    for name, (of, said) in BAD_PANELS.items()
}


@pytest.mark.parametrize("name", BAD)
def test_what_grafana_would_refuse_or_swallow_is_told(name: str, tmp_path: Path, run: Run) -> None:
    text, said = BAD[name]
    declared(tmp_path, rooms, {"rooms.json": text})
    ran = run("check", "--config", str(tmp_path / "observability.yaml"), "--profile", "one")
    assert said in ran.out, ran.out
    assert ran.code == 1


def test_a_dashboard_from_another_place_is_taken_over_without_a_word(tmp_path: Path, run: Run) -> None:
    board = {
        "uid": "node",
        "title": "Nodes",
        "schemaVersion": 41,
        "id": None,
        "tags": [],
        "templating": {
            "list": [
                {"name": "source", "type": "datasource", "query": "prometheus"},
                {
                    "name": "node",
                    "type": "query",
                    "datasource": {"type": "prometheus", "uid": "${source}"},
                    "query": "label_values(node_uname_info, nodename)",
                },
            ]
        },
        "panels": [
            panel(
                datasource={"type": "prometheus", "uid": "${source}"},
                targets=[
                    {"refId": "A", "expr": 'sum(rate(node_cpu_seconds_total{instance=~"$node.*"}[$__rate_interval]))'},
                ],
            )
        ],
    }
    declared(tmp_path, rooms, {"rooms.json": json.dumps(board)})
    assert "rooms.json" not in run("check", "--config", str(tmp_path / "observability.yaml"), "--profile", "one").out


def test_a_name_that_makes_uids_too_long_is_told_once(tmp_path: Path, run: Run) -> None:
    declared(tmp_path, lambda data: data.update(name="a" * 30))
    said = run("check", "--config", str(tmp_path / "observability.yaml"), "--profile", "one").out
    assert said.count("[dashboard/uid]") == 1


def test_a_file_without_a_uid_that_somebody_wants_all_the_same_goes_by_its_name(tmp_path: Path) -> None:
    text = TAKEN.replace('"uid": "My_Rooms",', "")
    assert texts(declared(tmp_path, rooms, {"rooms.json": text}))["dashboards/rooms.json"] == text
