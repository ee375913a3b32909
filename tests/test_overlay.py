"""Profiles merge over the declaration, included files add to it, and every value still knows which file wrote it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obsgen.document import parse
from obsgen.overlay import Layers, merge
from obsgen.problem import ProblemsError
from obsgen.stack import profile_names, stack

DECLARATION = """\
name: a
teams:
  platform: {default: true}
  ai: {channels: {chat: {type: slack}}}
levels: [DEBUG, INFO]
loki:
  retention: 30d
  limits: {rate: 10}
"""
STAGING = """\
extends: base
loki: {retention: 7d}
levels: [INFO]
teams:
  ai: null
  web: {}
"""
BASE = "loki:\n  retention: 14d\n  mode: ha\n"


def layers() -> Layers:
    return Layers((parse(DECLARATION, "o.yaml"), parse(BASE, "base.yaml"), parse(STAGING, "staging.yaml")))


def test_maps_merge_null_deletes_everything_else_replaces() -> None:
    assert layers().data == {
        "name": "a",
        "teams": {"platform": {"default": True}, "web": {}},
        "levels": ["INFO"],
        "loki": {"retention": "7d", "limits": {"rate": 10}, "mode": "ha"},
    }


# RFC 7396, appendix A, all of it
@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merging_is_rfc_7396(target: Any, patch: Any, result: Any) -> None:
    assert merge(target, patch) == result


NESTED = st.dictionaries(
    st.sampled_from("abc"),
    st.recursive(st.none() | st.integers(), lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3)),
)


@given(NESTED, NESTED)
def test_merging_changes_neither_side_and_twice_is_once(target: dict[str, Any], patch: dict[str, Any]) -> None:
    before = repr((target, patch))
    once = merge(target, patch)
    assert merge(once, patch) == once
    assert repr((target, patch)) == before


@pytest.mark.parametrize(
    ("path", "key", "place"),
    [
        (("name",), False, ("o.yaml", 1, 7)),
        (("loki", "retention"), False, ("staging.yaml", 2, 19)),
        (("loki", "retention"), True, ("staging.yaml", 2, 8)),
        (("loki", "mode"), False, ("base.yaml", 3, 9)),
        (("loki", "limits", "rate"), False, ("o.yaml", 8, 18)),
        (("levels", 0), False, ("staging.yaml", 3, 10)),
        (("teams", "platform"), False, ("o.yaml", 3, 13)),
        (("teams", "ai"), False, ("staging.yaml", 5, 7)),
    ],
)
def test_the_effective_value_is_found_where_it_was_written(path: Any, key: bool, place: tuple[str, int, int]) -> None:
    assert layers().spot(path, key) == place


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("dlq", "image"), ("o.yaml", 1, 1)),
        (("loki", "storage"), ("o.yaml", 6, 1)),
        (("teams", "web", "channels"), ("staging.yaml", 6, 3)),
        (("teams", "ai", "channels", "chat"), ("staging.yaml", 5, 3)),
        (("levels", 1), ("staging.yaml", 3, 1)),
        (("teams", "platform", "default", "x"), ("o.yaml", 3, 14)),
    ],
)
def test_what_nobody_wrote_is_placed_at_the_key_above_it(path: Any, place: tuple[str, int, int]) -> None:
    assert layers().spot(path) == place


def test_history_tells_every_writer_top_first() -> None:
    assert layers().history(("loki", "retention")) == [
        (("staging.yaml", 2, 19), "7d"),
        (("base.yaml", 2, 14), "14d"),
        (("o.yaml", 7, 14), "30d"),
    ]
    assert layers().history(("nobody",)) == []


def test_history_tells_a_deletion_further_up() -> None:
    assert layers().history(("teams", "ai", "channels", "chat", "type")) == [
        (("staging.yaml", 5, 7), None),
        (("o.yaml", 4, 32), "slack"),
    ]


def test_a_problem_stands_where_its_value_was_written() -> None:
    problem = layers().problem(("loki", "retention"), "too short", "30d", "loki/retention", key=True)
    assert str(problem) == "staging.yaml:2:8: too short (30d) [loki/retention]"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "o.yaml").write_text("name: a\nteams: {a: {}}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def stacked(folder: Path, profile: str | None = None, **files: str) -> Layers:
    for name, text in files.items():
        place = folder / (
            "o.yaml" if name == "o" else f"profiles/{name}.yaml" if name[0] != "_" else f"{name[1:]}.yaml"
        )
        place.write_text(text)
    return stack(folder / "o.yaml", profile, folder / "profiles")


def told(folder: Path, profile: str | None = None, **files: str) -> list[str]:
    with pytest.raises(ProblemsError) as caught:
        stacked(folder, profile, **files)
    return [str(problem) for problem in caught.value.problems]


def test_a_profile_is_stacked_on_the_one_it_extends(folder: Path) -> None:
    both = stacked(folder, "prod", base="x: {y: 1, z: 1}", prod="extends: base\nx: {y: 2}")
    assert both.data == {"name": "a", "teams": {"a": {}}, "x": {"y": 2, "z": 1}}
    assert [document.file for document in both.documents] == ["o.yaml", "profiles/base.yaml", "profiles/prod.yaml"]
    assert [document.file for document in both.base.documents] == ["o.yaml"]


def test_without_a_profile_there_is_the_declaration_alone(folder: Path) -> None:
    assert stacked(folder).data == {"name": "a", "teams": {"a": {}}}


def test_an_unknown_profile_lists_those_there_are(folder: Path) -> None:
    (folder / "profiles" / "dev.yaml").write_text("{}")
    (folder / "profiles" / "Not A Profile.yaml").write_text("{}")
    with pytest.raises(ProblemsError) as caught:
        stacked(folder, "prd", prod="{}")
    remedy = "did you mean 'prod'? profiles here: dev, prod"
    assert str(caught.value) == f"profiles: there is no profile 'prd' ({remedy}) [profile/unknown]"
    assert caught.value.could_not_run
    assert profile_names(folder / "profiles") == ["dev", "prod"]


def test_where_there_are_no_profiles_that_is_said(folder: Path) -> None:
    (folder / "profiles").rmdir()
    fact = "profiles: there is no profile 'prod' (there are no profiles in profiles) [profile/unknown]"
    assert told(folder, "prod") == [fact]


@pytest.mark.parametrize("name", ["../o", "Prod", "-x", "prod.yaml", "", "a/b", "prod\n"])
def test_the_name_of_a_profile_is_never_a_path(folder: Path, name: str) -> None:
    (fact,) = told(folder, name, prod="{}")
    assert (
        fact
        == f"profiles: {name!r} is not the name of a profile (small letters, digits and '-', without '.yaml') [profile/name]"
    )


def test_a_wrong_extends_is_told_at_its_line(folder: Path) -> None:
    assert told(folder, "prod", prod="extends: stagin", staging="{}") == [
        "profiles/prod.yaml:1:10: there is no profile 'stagin' "
        "(did you mean 'staging'? profiles here: prod, staging) [profile/unknown]"
    ]
    assert told(folder, "prod", prod="extends: [a]") == [
        "profiles/prod.yaml:1:10: this is not the name of a profile "
        "(small letters, digits and '-', without '.yaml') [profile/name]"
    ]


def test_extends_stacks_one_level(folder: Path) -> None:
    one_level = "extends stacks one level: leave one of the two out"
    assert told(folder, "c", c="extends: b", b="extends: a", a="{}") == [
        f"profiles/b.yaml:1:10: 'c' extends 'b', which extends another ({one_level}) [profile/extends-twice]"
    ]
    assert told(folder, "a", a="extends: b", b="extends: a") == [
        f"profiles/b.yaml:1:10: 'a' extends 'b', which extends it ({one_level}) [profile/cycle]"
    ]
    assert told(folder, "a", a="extends: a") == [
        "profiles/a.yaml:1:10: profile 'a' extends itself (name another profile) [profile/cycle]"
    ]


def test_problems_of_all_files_are_told_together(folder: Path) -> None:
    assert [fact.split(" ")[0] for fact in told(folder, "b", o="a: no", a="c: yes", b="extends: a\nx:")] == [
        "o.yaml:1:4:",
        "profiles/b.yaml:2:1:",
    ]
    assert [fact.split(" ")[0] for fact in told(folder, "b", o="a: no", a="c: yes", b="extends: a")] == [
        "o.yaml:1:4:",
        "profiles/a.yaml:1:4:",
    ]


def test_a_file_that_is_no_map_is_refused(folder: Path) -> None:
    assert told(folder, "b", o="- a", b="text") == [
        "o.yaml:1:1: this file is not a map (begin with 'key: value') [yaml/not-a-map]",
        "profiles/b.yaml:1:1: this file is not a map (begin with 'key: value') [yaml/not-a-map]",
    ]


def test_a_missing_declaration_could_not_run(folder: Path) -> None:
    with pytest.raises(ProblemsError) as caught:
        stack(folder / "p.yaml", None, folder / "profiles")
    assert caught.value.could_not_run


def test_included_files_add_names_that_know_their_file(folder: Path) -> None:
    both = stacked(
        folder, "p", o="include: [web.yaml]\nteams: {a: {}}", _web="teams:\n  web: {x: 1}\n", p="teams: {web: {x: 2}}"
    )
    assert both.data["teams"] == {"a": {}, "web": {"x": 2}}
    assert both.base.data["teams"] == {"a": {}, "web": {"x": 1}}
    assert list(both.base.data["teams"]) == ["a", "web"]
    assert both.base.spot(("teams", "web", "x")) == ("web.yaml", 2, 12)
    assert both.spot(("teams", "web", "x")) == ("profiles/p.yaml", 1, 18)
    assert both.spot(("teams", "web", "y")) == ("web.yaml", 2, 3)


def test_a_name_defined_twice_names_both_places(folder: Path) -> None:
    assert told(
        folder, o="include: [b.yaml, c.yaml]\nteams:\n  a: {}\n", _b="teams: {a: {}, x: {}}", _c="teams: {x: {}}"
    ) == ["b.yaml:1:9: 'a' is defined twice: at o.yaml:3 too (rename or delete one) [include/defined-twice]"]
    assert told(folder, o="include: [b.yaml, c.yaml]", _b="teams: {x: {}}", _c="teams: {x: {}}") == [
        "c.yaml:1:9: 'x' is defined twice: at b.yaml:1 too (rename or delete one) [include/defined-twice]"
    ]


def test_an_included_file_only_adds_to_maps(folder: Path) -> None:
    assert told(folder, o="include: [b.yaml]", _b="include: [c.yaml]\nname: b") == [
        f"b.yaml:{line}:1: an included file cannot set {key!r} "
        "(it adds to alerts, dlq.queues, secrets, services, teams; write this in the declaration) [include/cannot-set]"
        for line, key in ((1, "include"), (2, "name"))
    ]


def test_a_missing_include_is_told_where_it_is_named(folder: Path) -> None:
    assert told(folder, o="name: a\ninclude:\n  - teem.yaml\n", _team="teams: {}") == [
        "o.yaml:3:5: teem.yaml: there is no such file (did you mean 'team.yaml'?) [file/missing]"
    ]


def test_a_null_in_an_included_file_stays_for_the_schema_to_refuse(folder: Path) -> None:
    assert stacked(folder, o="include: [b.yaml]", _b="teams: {x: null}").data["teams"] == {"x": None}


@pytest.mark.parametrize("entry", ["../other.yaml", "/etc/hosts", "link.yaml", "sub/../../other.yaml"])
def test_nothing_outside_the_declaration_s_folder_is_included(folder: Path, entry: str) -> None:
    inner = folder / "inner"
    (inner / "sub").mkdir(parents=True)
    (folder / "other.yaml").write_text("teams: {}")
    (inner / "link.yaml").symlink_to(folder / "other.yaml")
    (inner / "o.yaml").write_text(f"include: [{entry}]")
    with pytest.raises(ProblemsError) as caught:
        stack(inner / "o.yaml", None, inner / "profiles")
    assert [(problem.line, problem.rule) for problem in caught.value.problems] == [(1, "include/outside")]


def test_a_link_inside_the_folder_is_included(folder: Path) -> None:
    (folder / "link.yaml").symlink_to(folder / "b.yaml")
    assert stacked(folder, o="include: [link.yaml]", _b="teams: {x: {}}").data["teams"] == {"x": {}}


def test_a_file_is_included_once(folder: Path) -> None:
    for entries in ("b.yaml, ./b.yaml", "b.yaml, o.yaml"):
        (fact,) = told(folder, o=f"include: [{entries}]", _b="teams: {}")
        assert fact.endswith("is included already (leave it out) [include/twice]")


def test_a_profile_cannot_include(folder: Path) -> None:
    assert told(folder, "p", p="include: [b.yaml]") == [
        "profiles/p.yaml:1:1: a profile cannot include files (write 'include' in the declaration) [profile/include]"
    ]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("routing: {unrouted: [chat]}", "routing"),
        ("severities: {loud: {priority: P0, notify: [page]}}", "severities"),
        ("loki: {storage: 1Gi}", "loki"),
        ("loki: {retention: {streams: {}}}", "loki"),
        ("prometheus: {retention: 1d}", "prometheus"),
        ("alertmanager: {raw: {patch: {route: {receiver: mine}}}}", "alertmanager"),
        ("packs: {watchdog: {alerts: {Watchdog: null}}}", "packs"),
        ("objectives: {dlq_depth: {max: 1000000}}", "objectives"),
        ("logging: {fields: {user_id: {store: label}}}", "logging"),
        ("dlq: {retention: 1d}", "dlq.retention"),
        ("dlq: {redis: {deploy: false}}", "dlq.redis"),
        ("rule_files: [mine.yaml]", "rule_files"),
        ("output: compose", "output"),
    ],
)
def test_a_file_of_a_team_touches_neither_routing_nor_storage_nor_what_is_everybody_s(
    folder: Path, text: str, key: str
) -> None:
    (said,) = told(folder, o="include: [b.yaml]\ndlq: {redis: {}}", _b=text)
    assert said.startswith("b.yaml:1:")
    assert f"an included file cannot set '{key}'" in said
    assert said.endswith("[include/cannot-set]")


def test_a_file_of_a_team_adds_queues_beside_those_of_others(folder: Path) -> None:
    o = "include: [b.yaml]\ndlq: {image: i, queues: {a: {owner: x}}}"
    assert stacked(folder, o=o, _b="dlq: {queues: {b: {owner: y}}}").data["dlq"] == {
        "image": "i",
        "queues": {"a": {"owner": "x"}, "b": {"owner": "y"}},
    }
    (said,) = told(folder, o=o, _b="dlq: {queues: {a: {owner: y}}}")
    assert said == "b.yaml:1:16: 'a' is defined twice: at o.yaml:2 too (rename or delete one) [include/defined-twice]"


def test_a_word_that_is_nearly_one_of_those_is_asked_about(folder: Path) -> None:
    assert told(folder, o="include: [b.yaml]", _b="servces: {a: {}}") == [
        "b.yaml:1:1: an included file cannot set 'servces' (did you mean 'services'?) [include/cannot-set]"
    ]


def test_what_an_included_file_adds_to_is_a_map(folder: Path) -> None:
    assert told(folder, o="include: [b.yaml]", _b="services: [a]") == [
        "b.yaml:1:1: 'services' is not a map (write names below services) [include/not-a-map]"
    ]
