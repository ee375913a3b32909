"""Rules carry what routes them: severity, service, team, cluster, namespace."""

import dataclasses
import re
from pathlib import Path

import pytest
import yaml

from obsgen.artifacts import artifacts
from obsgen.model import Level
from obsgen.render import render
from obsgen.road import load
from obsgen.rules import Group, Rule, compare, owners

FLEET = Path(__file__).parent / "fleets" / "everything" / "observability.yaml"


@pytest.fixture(scope="module")
def groups() -> dict[tuple[str, str], Group]:
    return {(group.engine, group.name): group for group in load(FLEET, "one").plan.groups}


def rules(groups: dict[tuple[str, str], Group], name: str) -> list[Rule]:
    return [rule for group in groups.values() for rule in group.rules if rule.name == name]


def test_each_level_is_a_rule_of_its_own_severity(groups: dict[tuple[str, str], Group]) -> None:
    found = rules(groups, "FrontEndErrors")

    assert [(rule.labels["severity"], rule.for_) for rule in found] == [
        ("critical", "5m"),
        ("warning", "15m"),
        ("info", "15m"),
    ]


def test_every_alert_carries_the_labels_that_route_and_group_it(groups: dict[tuple[str, str], Group]) -> None:
    for group in groups.values():
        for rule in group.rules:
            if rule.kind == "alert":
                assert {"severity", "service", "team", "cluster", "namespace"} <= set(rule.labels), rule.name


def test_an_alert_of_a_service_belongs_to_the_services_team(groups: dict[tuple[str, str], Group]) -> None:
    (rule, *_) = rules(groups, "FrontEndErrors")

    assert (rule.labels["service"], rule.labels["team"]) == ("front-end", "web")


def test_an_owner_found_by_label_is_a_template_over_that_label(groups: dict[tuple[str, str], Group]) -> None:
    (rule,) = rules(groups, "SlowQueries")

    assert rule.labels["service"] == "{{ $labels.app }}"
    assert rule.labels["team"] == '{{ if eq $labels.app "front-end" }}web{{ else }}core{{ end }}'


def test_queues_belong_to_the_team_of_their_owner() -> None:
    declaration = load(FLEET, "one").plan.declaration

    assert owners(declaration, "queue") == {"orders:create": ("front-end", "web"), "plain": ("back-end", "core")}


def test_alerts_on_logs_go_to_loki_and_the_others_to_prometheus(groups: dict[tuple[str, str], Group]) -> None:
    assert ("loki", "logs") in groups
    assert ("prometheus", "front_end") in groups
    assert ("prometheus", "logs") not in groups


def test_recordings_come_before_the_alerts_that_read_them(groups: dict[tuple[str, str], Group]) -> None:
    for group in groups.values():
        kinds = [rule.kind for rule in group.rules]
        assert kinds == sorted(kinds, key=lambda kind: kind != "record"), group.name


@pytest.mark.parametrize(
    ("level", "end"),
    [
        (Level(above=10), "> 10"),
        (Level(above=0.5), "> 0.5"),
        (Level(below=1), "< 1"),
        (Level(above=500_000_000_000), "> 500000000000"),
    ],
)
def test_a_threshold_is_written_as_a_number_that_promql_reads(level: Level, end: str) -> None:
    assert compare("sum(up)", level) == f"(sum(up)) {end}"


def test_a_question_of_several_levels_is_recorded_once_and_read_by_each(groups: dict[tuple[str, str], Group]) -> None:
    first, *others = groups[("prometheus", "front_end")].rules

    assert (first.kind, first.name) == ("record", "alert:FrontEndErrors:query")
    assert [rule.expr for rule in others if rule.name == "FrontEndErrors"] == [
        "alert:FrontEndErrors:query > 10",
        "alert:FrontEndErrors:query > 0.5",
        "alert:FrontEndErrors:query > 0.1",
    ]


def test_a_question_that_one_rule_asks_is_not_recorded() -> None:
    shipped = load(FLEET.parents[3] / "observability.yaml", "prod").plan.groups
    (group,) = [group for group in shipped if group.name == "auralink_dead_letter_queue"]

    assert {rule.kind for rule in group.rules} == {"alert"}


def test_a_comment_at_the_end_of_a_query_does_not_swallow_the_threshold() -> None:
    expr = compare("sum(\n  up\n) # all of them", Level(above=1))

    assert re.search(r"\n\) > 1$", expr)


def test_loki_mounts_every_configmap_that_its_rules_were_divided_into() -> None:
    """With `loki-rules` alone in its pod's volumes, the pod would wait for a ConfigMap that is not there."""
    d = load(FLEET, "one")
    (group,) = d.plan.groups_of("loki")[:1]
    long = dataclasses.replace(group.rules[0], annotations={"description": "x" * 200_000})
    many = tuple(dataclasses.replace(group, name=f"logs-{number}", rules=(long,)) for number in range(3))
    plan = dataclasses.replace(d.plan, groups=(*d.plan.groups, *many))
    made = render([one for one in artifacts(plan) if one.path.startswith("logging/")])
    divided = [one["metadata"]["name"] for one in yaml.safe_load_all(made["logging/loki-rules.yaml"])]
    (pod,) = [one for one in yaml.safe_load_all(made["logging/loki.yaml"]) if one["kind"] == "StatefulSet"]
    (volume,) = [one for one in pod["spec"]["template"]["spec"]["volumes"] if one["name"] == "rules"]
    assert divided[:3] == ["loki-rules-1", "loki-rules-2", "loki-rules-3"]
    assert [source["configMap"]["name"] for source in volume["projected"]["sources"]] == divided
