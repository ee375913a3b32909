"""The route matcher against Alertmanager's own: `amtool config routes test`."""

from __future__ import annotations

import itertools
import json
import subprocess
import tempfile
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import judge
from obsgen import matching
from obsgen.matching import matches, receivers

NAMES = ("a", "b", "severity")
VALUES = ("", "x", "y", "x.y", "X y", '"x"', "\\n", "a\nb", "{c,o}", "ü")
# What RE2 and Python read alike.
PATTERNS = ("x", "x|y", "(x|y).*", ".*", ".+", "", "[^x]*", "x\\.y", "(?i)x", "\\w+", "x?", "^x$", "\\\\n", "ü")

labels = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES))
conditions = st.one_of(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(["=", "!="]), st.sampled_from(VALUES)),
    st.tuples(st.sampled_from(NAMES), st.sampled_from(["=~", "!~"]), st.sampled_from(PATTERNS)),
)


def quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def spelled(condition: tuple[str, str, str], spelling: int) -> str:
    """One condition in one of the ways that Alertmanager reads."""
    name, operator, value = condition
    bare = value and value.isalnum() and value.isascii()
    return (
        f"{name}{operator}{quoted(value)}",
        f" {name} {operator} {quoted(value)} ",
        f"{{{name}{operator}{quoted(value)}}}",
        f"{quoted(name)}{operator}{quoted(value)}",
        f"{name}{operator}{value if bare else quoted(value)}",
    )[spelling]


lines = st.builds(spelled, conditions, st.integers(0, 4)) | st.lists(conditions, min_size=2, max_size=2).map(
    lambda both: ", ".join(spelled(one, 0) for one in both)
)


def node(children: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    own = {"receiver": st.sampled_from(["r1", "r2", "r3"]), "continue": st.booleans()}
    below = {} if children is LEAF else {"routes": st.lists(children, max_size=3)}
    return st.fixed_dictionaries({"matchers": st.lists(lines, max_size=2)}, optional=own | below)


LEAF: st.SearchStrategy[Any] = st.nothing()
trees = st.lists(st.recursive(node(LEAF), node, max_leaves=6), min_size=1, max_size=4)


def amtool() -> str:
    return str(judge("amtool", "0.34", "routes were not compared with Alertmanager's"))


def answered(route: dict[str, Any], alert: dict[str, str]) -> list[str]:
    """What Alertmanager says: JSON is YAML, and `continue` everywhere makes one process answer for many trees."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
        json.dump({"route": route, "receivers": [{"name": f"r{number}"} for number in range(4)]}, file)
        file.flush()
        command = [amtool(), "config", "routes", "test", "--config.file", file.name]
        command += [f"{name}={quoted(value)}" for name, value in alert.items()]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip().split(",")


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
@given(
    forest=st.lists(st.tuples(st.sampled_from(["r1", "r2"]), trees), min_size=30, max_size=30),
    alerts=st.lists(labels, min_size=3, max_size=3),
)
def test_an_alert_reaches_the_receivers_that_alertmanager_says(
    forest: list[tuple[str, list[dict[str, Any]]]], alerts: list[dict[str, str]]
) -> None:
    route = {
        "receiver": "r0",
        "routes": [{"receiver": receiver, "continue": True, "routes": tree} for receiver, tree in forest],
    }
    for alert in alerts:
        assert receivers(route, alert) == answered(route, alert)


@pytest.mark.parametrize(
    ("line", "alert", "holds"),
    [
        ('severity="critical"', {"severity": "critical"}, True),
        ('severity=~"crit"', {"severity": "critical"}, False),  # the whole value
        ('team=""', {}, True),
        ('team!="ai"', {}, True),
        ('team=~".+"', {}, False),
        ('a="x", b!="y"', {"a": "x", "b": "y"}, False),
        ('{a="x",}', {"a": "x"}, True),
        ('a="say \\"x\\""', {"a": 'say "x"'}, True),
        ('a="\\d"', {"a": "\\d"}, True),
        ('"not a name"="x"', {"not a name": "x"}, True),
    ],
)
def test_a_matcher_is_read_as_alertmanager_reads_it(line: str, alert: dict[str, str], holds: bool) -> None:
    assert matches(line, alert) is holds


@pytest.mark.parametrize("line", ["severity", 'a="x', 'a="x"y"', '"a b"=x}', 'a=~"("', 'a=~"[[:alpha:]]"', "=x"])
def test_a_line_that_cannot_be_read_is_no_guess(line: str) -> None:
    with pytest.raises(ValueError, match=r"not a|missing|unterminated"):
        matches(line, {})


def test_the_matchers_of_old_configurations_count_too() -> None:
    route = {"receiver": "all", "routes": [{"receiver": "one", "match": {"a": "x"}, "match_re": {"b": "y|z"}}]}
    assert receivers(route, {"a": "x", "b": "z"}) == ["one"]
    assert receivers(route, {"a": "x", "b": "zz"}) == ["all"]


TEAM_A = {"receiver": "a", "matchers": ['team="a"']}


@pytest.mark.parametrize(
    ("routes", "lost"),
    [
        ([TEAM_A, {"receiver": "b", "matchers": ['team="b"']}], []),
        ([{"receiver": "all"}, TEAM_A], ["a"]),
        ([{"receiver": "all", "continue": True}, TEAM_A], []),
        ([{"receiver": "re", "matchers": ['team=~"a|b"']}, TEAM_A], ["a"]),
        ([{"receiver": "not", "matchers": ['team!="b"']}, TEAM_A], ["a"]),
        ([{"receiver": "not", "matchers": ['team!="a"']}, TEAM_A], []),
        ([TEAM_A, {"receiver": "re", "matchers": ['team=~"a|b"']}], []),
        ([TEAM_A, {"receiver": "old", "match": {"team": "a", "severity": "bad"}}], ["old"]),
        ([TEAM_A | {"routes": [{"receiver": "child", "matchers": ['team="b"']}]}], ["child"]),
        ([TEAM_A | {"routes": [{"receiver": "child", "matchers": ['team=~"b|c"']}]}], ["child"]),
        ([TEAM_A | {"routes": [{"receiver": "child", "matchers": ['severity="bad"']}]}], []),
        ([TEAM_A | {"routes": [{"receiver": "same", "matchers": ['team="a"']}, {"receiver": "rest"}]}], ["rest"]),
    ],
)
def test_a_route_behind_one_that_takes_all_its_alerts_is_unreachable(routes: list[Any], lost: list[str]) -> None:
    assert [name for name, _ in matching.unreachable({"receiver": "root", "routes": routes})] == lost


def test_a_route_that_is_called_unreachable_takes_no_alert() -> None:
    """Every label set over small values, through the same tree: what the tree reaches is never called unreachable."""
    names, values = ("team", "severity"), ("", "a", "b")
    conditions = [f'{name}{op}"{value}"' for name in names for op in ("=", "!=", "=~", "!~") for value in ("a", "a|b")]
    sets = [dict(zip(names, pair, strict=True)) for pair in itertools.product(values, values)]
    for first, second, third in itertools.product(conditions, conditions, conditions[::3]):
        tree = {
            "receiver": "root",
            "routes": [
                {"receiver": "first", "matchers": [first]},
                {"receiver": "second", "matchers": [second], "routes": [{"receiver": "third", "matchers": [third]}]},
            ],
        }
        lost = {name for name, _ in matching.unreachable(tree)}
        reached = {name for labels in sets for name in matching.receivers(tree, labels)}
        # a route with children may be reached by them alone
        assert not (lost & reached), tree
