"""Rule files that are taken over: whose they are, and that nothing of them changes on the way."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from conftest import Run
from obsgen.judging.texts import configs, place, texts
from obsgen.quoting import nested, verbatim
from obsgen.road import load
from obsgen.road import texts as rendered
from obsgen.rule_files import read

ROOT = Path(__file__).parents[1]
FLEET = ROOT / "tests" / "fleets" / "everything"


def of(*expressions: str) -> str:
    rules = [{"record": f"r{number}", "expr": expr} for number, expr in enumerate(expressions)]
    return yaml.safe_dump({"groups": [{"name": "g", "rules": rules}]})


@pytest.mark.parametrize(
    ("expressions", "engine"),
    [
        (["up == 0"], "prometheus"),
        (['sum(rate({app="a"} |= "x" [5m])) > 0'], "loki"),
        # both read these two: a selector without a metric is LogQL's
        (['count_over_time({app="a"}[5m]) > 0'], "loki"),
        (["vector(1)"], "prometheus"),
        (['count_over_time({__name__="up"}[5m]) > 0', "up"], "prometheus"),
        (['count_over_time({app="a"}[5m]) > 0', 'rate({app="a"} | json [5m]) > 0', "vector(1)"], "loki"),
        ([], "prometheus"),
    ],
)
def test_a_file_belongs_to_the_server_that_can_read_its_expressions(expressions: list[str], engine: str) -> None:
    file = read("f.yaml", of(*expressions))
    assert (file.engine, file.fault) == (engine, "")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("groups: [}", "no YAML: did not find expected node content (line 1)"),
        ("a: 2001-13-45", "month must be in 1..12"),
        ("a: " + "[" * 200, "no YAML"),
        ("", "no rule file: it has no list 'groups'"),
        ("- a", "no rule file: it has no list 'groups'"),
        ("groups: {}", "no rule file: it has no list 'groups'"),
        ("groups: [{rules: []}]", "a group needs a name and a list of rules"),
        ("groups: [{name: g}]", "a group needs a name and a list of rules"),
        (
            "groups: [{name: g, rules: [{expr: up}]}]",
            "a rule of group 'g' is neither an alert nor a record with an expr",
        ),
        (
            "groups: [{name: g, rules: [{alert: a, record: b, expr: up}]}]",
            "a rule of group 'g' is neither an alert nor",
        ),
        ("groups: [{name: g, rules: [{alert: A, expr: up, labels: [a]}]}]", "A: labels and annotations are maps"),
        (of("up |"), "r0 is neither PromQL nor LogQL (as PromQL: "),
        (of('{app="a"} |= "x"'), "r0 is neither PromQL nor LogQL (as PromQL: "),
        (of("up == 0", 'rate({app="a"} | json [5m]) > 0'), "rules of two servers: r0 asks metrics, and r1 logs"),
    ],
)
def test_what_keeps_a_file_from_being_taken_over_is_said(text: str, fault: str) -> None:
    assert read("f.yaml", text).fault.startswith(fault)


def test_a_file_is_rendered_byte_for_byte_and_so_mounted() -> None:
    files = rendered(load(FLEET / "observability.yaml", "one"))
    metrics = (FLEET / "rules" / "Old_one.yml").read_bytes().decode()
    logs = (FLEET / "rules" / "seen.yaml").read_bytes().decode()
    assert not metrics.endswith("\n")  # else nothing below would show that it stays away
    assert files["monitoring/rules/Old_one.yaml"] == metrics
    assert files["logging/rules/seen.yaml"] == logs
    mounted = {text.base: text.text for text in texts(files) if "#" in text.name}
    assert mounted["Old_one.yaml"] == metrics
    assert mounted["seen.yaml"] == logs


def test_the_operator_gets_what_the_file_says() -> None:
    files = rendered(load(FLEET / "observability.yaml", "operator"))
    metrics = (FLEET / "rules" / "Old_one.yml").read_text(encoding="utf-8")
    objects = {one["metadata"]["name"]: one for one in yaml.safe_load_all(files["monitoring/rules.yaml"])}
    assert objects["old-one"]["spec"] == yaml.safe_load(metrics)
    (carried,) = [text for text in texts(files) if text.name == "monitoring/rules.yaml#old-one/old-one.yaml"]
    assert yaml.safe_load(carried.text) == yaml.safe_load(metrics)
    file, line = place(files, carried.name, 1)
    assert files[file].splitlines()[line - 1] == "  groups:"


def test_every_object_of_the_operator_says_what_its_rule_file_says() -> None:
    files = rendered(load(FLEET / "observability.yaml", "operator"))
    raw = [
        yaml.safe_load(text)
        for path, text in files.items()
        if path.startswith("monitoring/rules/") and not path.endswith("_test.yaml")
    ]
    carried = [one["spec"] for one in yaml.safe_load_all(files["monitoring/rules.yaml"])]
    assert sorted(map(repr, carried)) == sorted(map(repr, raw))
    assert len({one["metadata"]["name"] for one in yaml.safe_load_all(files["monitoring/rules.yaml"])}) == len(raw)


@pytest.mark.parametrize(
    "text",
    [
        "groups: []",
        "# a comment\n---\ngroups:\n- name: a\n  rules: []\n",
        "%YAML 1.1\n---\ngroups: []\n",
        'groups:\n- name: "a\n  b"\n  rules: []',
        "groups:\n- name: a\n  x: |2\n      two\n    more\n  rules: []\n\n\n",
        "{groups: [{name: a,\nrules: []}]}",
        "a: &b {c: 1}\ngroups: [*b]\n",
        "groups:\r\n- name: a\r\n  rules: []\r\n",
    ],
)
def test_a_document_below_a_key_means_what_it_meant(text: str) -> None:
    assert yaml.safe_load(f"spec:{nested(text, 2)}\nnext: 1\n") == {"spec": yaml.safe_load(text), "next": 1}


@given(st.text(alphabet=st.sampled_from("ab: |>-#\n\t\r\"'\\é\x85\u2028{}&*"), max_size=40))
def test_a_file_below_a_key_is_itself_to_the_last_byte(text: str) -> None:
    assert yaml.safe_load(f"data:\n  key: {verbatim(text, 4)}\n") == {"data": {"key": text}}


def test_rules_of_loki_alone_switch_its_ruler_on(run: Run, fleet: Path) -> None:
    (fleet / "logs.yml").write_text(of('count_over_time({app="a"}[5m]) > 0'), encoding="utf-8")
    declaration = fleet / "observability.yaml"
    declaration.write_text(declaration.read_text(encoding="utf-8") + "rule_files: [logs.yml]\n", encoding="utf-8")
    assert run("render", "--profile", "one").code == 0
    tree = {
        str(path.relative_to(fleet / "rendered" / "one")): path.read_text(encoding="utf-8")
        for path in (fleet / "rendered" / "one").rglob("*.yaml")
    }
    assert tree["logging/rules/logs.yaml"] == of('count_over_time({app="a"}[5m]) > 0')
    (loki,) = configs(tree, "loki.yaml")
    assert "ruler" in yaml.safe_load(loki.text)
    assert "loki-rules" in tree["logging/loki.yaml"]


def test_an_alert_of_a_team_s_file_does_not_take_the_place_of_a_pack_s(run: Run, fleet: Path) -> None:
    declaration = fleet / "observability.yaml"
    alert = "{group: g, expr: vector(0) > 1, severity: bad, summary: S., description: D.}"
    (fleet / "team.yaml").write_text(f"alerts:\n  Watchdog: {alert}\n", encoding="utf-8")
    text = declaration.read_text(encoding="utf-8") + "include: [team.yaml]\npacks: {watchdog: {}}\n"
    declaration.write_text(text, encoding="utf-8")
    ran = run("check", "--profile", "one")
    assert ran.code == 1
    assert "team.yaml:2:3: 'Watchdog' is defined twice: by the pack watchdog too" in ran.out


def test_a_compose_prometheus_is_told_of_each_file_by_name() -> None:
    files = rendered(load(FLEET / "observability.yaml", "compose"))
    (config,) = configs(files, "prometheus.yaml")
    told = {name.rpartition("/")[2] for name in yaml.safe_load(config.text)["rule_files"]}
    there = {path.rpartition("/")[2] for path in files if path.startswith("prometheus/rules/")}
    assert told == {name for name in there if not name.endswith("_test.yaml")}
    assert "Old_one.yaml" in told
