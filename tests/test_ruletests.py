"""Examples become tests that ask the right question at the right minute."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from conftest import judge
from obsgen.model import Examples
from obsgen.quoting import yaml_value
from obsgen.rules import Group, Rule
from obsgen.ruletests import Case, cases, rule_files
from obsgen.series import joined, samples, stretched

SAMPLES = {
    "1": 1,
    "1 2 3": 3,
    "0+60x10": 11,
    "1x4": 5,
    "1-2x0": 1,
    "-5x2": 3,
    "5-1x3": 4,
    "1.5+0.5x2": 3,
    "1e3x2": 3,
    "_": 1,
    "_x5": 5,
    "1 _x5": 6,
    "stale": 1,
    "0-1x3 stale _x2": 7,
    "NaN Inf-1x2": 4,
    "{{schema:0 sum:1 count:1 buckets:[1]}}": 1,
    "{{schema:0 sum:1 count:1 buckets:[1]}}x2 7": 4,
}


@pytest.mark.parametrize(("values", "number"), SAMPLES.items())
def test_samples_are_counted(values: str, number: int) -> None:
    assert samples(values) == number


def test_promtool_counts_the_same(tmp_path: Path) -> None:
    promtool = judge("promtool", "3.13", "that it counts samples as we do was not asked")
    lines = ["rule_files: []", "evaluation_interval: 1m", "tests:"]
    for values, number in SAMPLES.items():
        lines += ["  - interval: 1m", f"    input_series: [{{series: m, values: {yaml_value(f'{values} 12345')}}}]"]
        lines += ["    promql_expr_test:", f"      - {{expr: timestamp(m == 12345), eval_time: {number}m,"]
        lines += [f'         exp_samples: [{{labels: "{{}}", value: {number * 60}}}]}}']
    (tmp_path / "test.yaml").write_text("\n".join(lines), encoding="utf-8")
    ran = subprocess.run([promtool, "test", "rules", "test.yaml"], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("values", "longer"),
    [
        ("0+60x10", "0+60x15"),
        ("_x20 5x12", "_x20 5x17"),
        ("1 2", "1 2x5"),
        ("1 stale", "1 stale _x5"),
        ("1-2x0", "1-2x5"),
        ("{{schema:0 sum:1 count:1 buckets:[1]}}", "{{schema:0 sum:1 count:1 buckets:[1]}}x5"),
    ],
)
def test_a_series_goes_on_as_its_last_value_does(values: str, longer: str) -> None:
    assert stretched(values, 5) == longer
    assert samples(longer) == samples(values) + 5


def test_a_series_of_the_first_part_is_followed_by_its_second() -> None:
    assert joined({"a": "1x4"}, 5, {"a": "0x4"}) == (("a", "1x4 0x4"),)


def test_a_series_shorter_than_its_part_is_absent_until_the_next() -> None:
    assert joined({"a": "1", "b": "1x4"}, 5, {"a": "0"}) == (("a", "1 _x4 0"), ("b", "1x4"))


def test_a_series_of_the_second_part_alone_is_absent_before() -> None:
    assert joined({}, 5, {"a": "1 1"}) == (("a", "_x5 1 1"),)


def group(fires: Mapping[str, str], silent: Mapping[str, str], *, wait: str = "5m") -> Group:
    rule = Rule(
        kind="alert",
        name="Down",
        expr="up == 0",
        for_=wait,
        labels={"severity": "bad"},
        examples=Examples(fires=fires, silent=silent),
    )
    return Group("g", "prometheus", "30s", (rule,))


FIRING = 'ALERTS{alertname="Down", alertstate="firing", severity="bad"'


def test_an_alert_fires_at_its_last_sample_with_every_label_that_routes_it() -> None:
    (fires,) = cases(group({"up": "0x9"}, {}))
    told = f'count({FIRING}, service!="", team!="", cluster!="", namespace!=""}}) > bool 0'
    assert fires == Case("Down (bad) fires", (("up", "0x9"),), 9, told, 1)


def test_an_alert_with_a_silent_example_stays_silent_and_resolves() -> None:
    _, silent, resolves = cases(group({"up": "0x9"}, {"up": "1x6"}))
    untold = f"count({FIRING}}}) or vector(0)"
    assert silent == Case("Down (bad) stays silent", (("up", "1x6"),), 6, untold, 0)
    assert resolves == Case("Down (bad) resolves", (("up", "0x9 1x6"),), 16, untold, 0)


def test_an_alert_on_something_absent_fires_on_nothing_after_its_time() -> None:
    fires, _, resolves = cases(group({}, {"up": "1x6"}, wait="1h30s"))
    assert (fires.series, fires.minute) == ((), 61 + 15 - 1)
    assert (resolves.series, resolves.minute) == ((("up", "_x76 1x6"),), 76 + 7 - 1)


def test_an_alert_without_examples_has_no_test() -> None:
    rule = Rule("alert", "Down", "up == 0", labels={"severity": "bad"})
    assert cases(Group("g", "prometheus", "30s", (rule,))) == ()


def test_a_test_loads_the_groups_whose_recordings_its_group_reads() -> None:
    recording = Group("records", "prometheus", "30s", (Rule("record", "job:up:sum", "sum by (job) (up)"),))
    reading = Group("reads", "prometheus", "30s", (Rule("alert", "Down", "job:up:sum == 0"),))
    apart = Group("apart", "prometheus", "30s", (Rule("alert", "Down", "up == 0"),))
    all_groups = (recording, reading, apart)
    assert rule_files(reading, all_groups) == ("reads.yaml", "records.yaml")
    assert rule_files(apart, all_groups) == ("apart.yaml",)
    assert rule_files(apart, (apart,)) == ("apart.yaml",)
