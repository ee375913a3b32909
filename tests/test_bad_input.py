"""Whatever stands in a file or on the command line: a message with a place, exit 1 or 2, no traceback, nothing written outside.

`run` fails a test at any exception that obsgen doesn't turn into a message.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import FLEETS, Run

SMALLEST = (FLEETS / "smallest" / "observability.yaml").read_text(encoding="utf-8")


def alerts(level: str) -> str:
    return f"{SMALLEST}alerts: {{A: {{group: g, query: up, levels: {{bad: {level}}}, summary: s, description: d}}}}\n"


# What a declaration holds, and what is said of it: a place, words, a rule.
FILES: dict[str, tuple[str | bytes, str]] = {
    "nothing": ("", "observability.yaml: this file is empty"),
    "a byte order mark alone": (b"\xef\xbb\xbf", "observability.yaml: this file is empty"),
    "several documents": (f"{SMALLEST}---\n{SMALLEST}", "a second document begins here"),
    "UTF-16": (SMALLEST.encode("utf-16"), "observability.yaml: this file is UTF-16, not UTF-8"),
    "all bytes": (bytes(range(256)), "observability.yaml:2:118: the byte 0x80 is not UTF-8"),
    "zeros": (b"\0" * 1000, "not UTF-8"),
    "a list": ("- a\n", "observability.yaml:1:1: this file is not a map"),
    "a word": ("x", "observability.yaml:1:1: this file is not a map"),
    "brackets without end": (SMALLEST + "zz: " + "[" * 100_000, "[yaml/too-deep]"),
    "a deep list": (SMALLEST + "zz: " + "[" * 5000 + "]" * 5000, "[yaml/too-deep]"),
    "a deep map": (SMALLEST + "zz:\n" + "".join(" " * depth + "a:\n" for depth in range(1, 2000)), "[yaml/too-deep]"),
    "an alias bomb": (
        "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
        "[yaml/alias-bomb]",
    ),
    "an object of Python": (SMALLEST + 'zz: !!python/object/apply:os.system ["true"]\n', "[yaml/tag]"),
    "a merge key": (SMALLEST + "<<: {a: 1}\n", "[yaml/merge-key]"),
    "a line of a megabyte": (SMALLEST + "zz: " + "x" * 1_000_000, "unknown key 'zz'"),
    "a number of 5,000 digits": (
        SMALLEST + "alertmanager: {replicas: " + "9" * 5000 + "}\n",
        "[yaml/number-too-large]",
    ),
    "a number of 20 digits": (SMALLEST + "alertmanager: {replicas: " + "9" * 20 + "}\n", "[yaml/number-too-large]"),
    "a million replicas": (SMALLEST + "alertmanager: {replicas: 1000000}\n", "1000000 is too large"),
    "an infinite threshold": (alerts("{above: .inf}"), "this is read as infinity"),
    "a threshold of another age": (alerts("{above: 1e400}"), "[yaml/read-as-number]"),
    "no threshold": (alerts("{}"), "a level needs above or below"),
    "a key that is a list": (SMALLEST + "[a, b]: 1\n", "observability.yaml:24:1: "),
    "a key that is nothing": (SMALLEST + "null: 1\n", "observability.yaml:24:1: "),
    "every section wrong": ("".join(f"{key}: 7\n" for key in yaml.safe_load(SMALLEST)), "observability.yaml:1:13: "),
}


@pytest.mark.parametrize("verb", ["check", "render"])
@pytest.mark.parametrize(("held", "said"), FILES.values(), ids=FILES)
def test_a_declaration_that_holds_nonsense_is_told(
    run: Run, fleet: Path, verb: str, held: str | bytes, said: str
) -> None:
    (fleet / "observability.yaml").write_bytes(held if isinstance(held, bytes) else held.encode())
    ran = run(verb, "--profile", "one")
    assert ran.code == 1
    assert said in ran.out + ran.err
    assert sorted(path.name for path in fleet.iterdir()) == ["observability.yaml", "profiles"]


def test_one_mistake_in_a_hundred_thousand_lines_is_found(run: Run, fleet: Path) -> None:
    services = "".join(
        f"  s{n}:\n    team: all\n    metrics:\n      port: 8080\n      path: /m\n" for n in range(20_000)
    )
    text = SMALLEST.replace("services:\n", f"services:\n{services}  last:\n    taem: all\n    team: all\n")
    (fleet / "observability.yaml").write_text(text, encoding="utf-8")
    ran = run("check", "--profile", "one")
    line = text.split("\n").index("    taem: all") + 1
    assert ran.out.startswith(f"observability.yaml:{line}:5: unknown key 'taem' ")
    assert ran.out.endswith("\n1 error\n")
    assert ran.code == 1


PROFILES: dict[str, tuple[str, str]] = {
    "a map made a list": ("services: [web]\n", "profiles/one.yaml:1:11: this is a list, not a map"),
    "a map made a number": ("loki: 1\n", "profiles/one.yaml:1:7: this is a number, not a map"),
    "a list made a map": ("routing: {unrouted: {a: b}}\n", "profiles/one.yaml:1:21: this is a map, not a list"),
    "what must be, deleted": ("teams: null\n", "profiles/one.yaml:1:8: 'teams' is missing"),
    "nothing": ("", "profiles/one.yaml: this file is empty"),
    "a list": ("- a\n", "profiles/one.yaml:1:1: this file is not a map"),
    "another that is not there": ("extends: other\n", "profiles/one.yaml:1:10: there is no profile 'other'"),
    "a path": ("extends: ../other\n", "profiles/one.yaml:1:10: '../other' is not the name of a profile"),
    "itself": ("extends: one\n", "profiles/one.yaml:1:10: profile 'one' extends itself"),
}


@pytest.mark.parametrize(("held", "said"), PROFILES.values(), ids=PROFILES)
def test_a_profile_that_holds_nonsense_is_told_where_it_is(run: Run, fleet: Path, held: str, said: str) -> None:
    (fleet / "profiles" / "one.yaml").write_text(held, encoding="utf-8")
    ran = run("render", "--profile", "one")
    assert ran.code == 1
    assert said in ran.err
    assert not (fleet / "rendered").exists()


NAMES = [
    "a/b",
    "../../victim",
    "..",
    "a'b",
    'a"b',
    "a\nb",
    "{{x}}",
    "${X}",
    "🚨",
    "",
    " ",
    "a b",
    "a\\b",
    "%s",
    "x" * 300,
]


def renamed(old: str, new: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda names: {new if name == old else name: value for name, value in names.items()}


def put(data: dict[str, Any], path: str, name: str) -> None:
    """The name as the value at a path; with a `~` before the last step as the key in its place."""
    *steps, last = path.split(".")
    place = data
    for step in steps[:-1] if last.startswith("~") else steps:
        place = place[step]
    if last.startswith("~"):
        place[steps[-1]] = renamed(last[1:], name)(place[steps[-1]])
    else:
        place[last] = name


ROOMY = yaml.safe_load(SMALLEST) | {
    "alerts": {
        "Down": {
            "group": "g",
            "expr": "up == 0",
            "severity": "bad",
            "summary": "s",
            "description": "d",
            "service": "web",
        }
    },
    "dlq": {
        "image": "example.com/dlq:1",
        "api": {"tokens": {"secret": "hook"}},
        "redis": {"password": {"secret": "hook"}},
        "queues": {"orders": {"owner": "web"}},
    },
    "packs": {"watchdog": {"alerts": {"Mine": {"group": "g"}}}},
    "objectives": {"log_volume": {"max": "1GB"}},
    "tests": [],
}
POSITIONS = [
    *("name", "namespace", "cluster", "services.web.team", "services.~web", "teams.~all", "teams.all.channels.~chat"),
    *(
        "severities.~bad",
        "secrets.~hook",
        "teams.all.channels.chat.url.secret",
        "secrets.hook.secret",
        "secrets.hook.key",
    ),
    *("alerts.~Down", "alerts.Down.group", "alerts.Down.name", "alerts.Down.severity", "alerts.Down.service"),
    *("dlq.queues.~orders", "dlq.queues.orders.owner", "packs.~watchdog", "packs.watchdog.alerts.~Mine"),
    *("packs.watchdog.alerts.Mine.group", "logging.fields.~level", "objectives.~log_volume", "loki.schema.~2025-10-01"),
]


@pytest.mark.parametrize("position", POSITIONS)
def test_a_name_that_is_none_is_told_on_one_line_and_becomes_no_path(run: Run, fleet: Path, position: str) -> None:
    for name in NAMES:
        data = yaml.safe_load(yaml.safe_dump(ROOMY))
        put(data, position, name)
        (fleet / "observability.yaml").write_text(yaml.safe_dump(data, sort_keys=False, width=10_000), encoding="utf-8")
        ran = run("render", "--profile", "one")
        assert (ran.code, ran.out) == (1, ""), name
        problems = ran.err.splitlines()[:-1]
        assert problems and all(line.startswith("observability.yaml:") and line.endswith("]") for line in problems), (
            name
        )
        assert max(map(len, problems)) < 600, name
        assert sorted(path.name for path in fleet.iterdir()) == ["observability.yaml", "profiles"], name


def test_the_same_declaration_with_good_names_is_rendered(run: Run, fleet: Path) -> None:
    data = ROOMY | {
        "packs": {"watchdog": {}},
        "routing": ROOMY["routing"] | {"watchdog": {"type": "webhook", "address": "http://x"}},
    }
    (fleet / "observability.yaml").write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    ran = run("render", "--profile", "one")
    assert ran.code == 0, ran.err


@pytest.mark.parametrize(
    "name", ["../one", "/etc/passwd", "a/b", "", "one.yaml", "ONE", "one\n", "x\0y", "..", "🚨", "-", "{{x}}"]
)
@pytest.mark.parametrize("verb", [["check"], ["render"], ["explain", "cluster"]], ids=lambda verb: verb[0])
def test_a_word_that_names_no_profile_becomes_no_path(run: Run, fleet: Path, verb: list[str], name: str) -> None:
    ran = run(*verb, f"--profile={name}")
    assert ran.code == 2
    assert "is not the name of a profile" in ran.out + ran.err
    assert not (fleet / "rendered").exists()


CONFIGS = {
    "missing": ("none.yaml", "none.yaml: there is no such file (YAML files here: observability.yaml)"),
    "nearly right": ("observabilty.yaml", "did you mean 'observability.yaml'?"),
    "in no folder": ("no/where.yaml", "no/where.yaml: there is no such file (there is no folder no either)"),
    "below a file": ("observability.yaml/x.yaml", "this file cannot be read: not a directory"),
    "a folder": (".", "this is a folder, not a file"),
    "too long": ("x" * 300, "this file cannot be read: file name too long"),
    "a folder too long": ("x" * 300 + "/y", "this file cannot be read: file name too long"),
}


@pytest.mark.parametrize("verb", [["check"], ["render"], ["diff"], ["explain", "cluster"]], ids=lambda verb: verb[0])
@pytest.mark.parametrize(("config", "said"), CONFIGS.values(), ids=CONFIGS)
def test_a_declaration_that_cannot_be_read_is_told(
    run: Run, fleet: Path, verb: list[str], config: str, said: str
) -> None:
    ran = run(*verb, "--profile", "one", "--config", config)
    assert ran.code == 2
    assert said in ran.out + ran.err


@pytest.mark.parametrize("verb", ["check", "render"])
def test_without_any_declaration_the_way_out_is_told(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = run(verb, "--all")
    assert ran.code == 2
    assert "Profiles here: none" in ran.out + ran.err


@pytest.mark.parametrize("out", ["x" * 300, "observability.yaml", "observability.yaml/below", "/proc/none"])
def test_an_output_folder_that_cannot_be_is_told(run: Run, fleet: Path, out: str) -> None:
    ran = run("render", "--profile", "one", "--out", out)
    assert ran.code == 2
    assert "can't be" in ran.err
    assert (fleet / "observability.yaml").read_text(encoding="utf-8") == SMALLEST


def test_a_path_that_is_no_text_is_told(fleet: Path) -> None:
    odd = os.fsdecode(b"\xff\x1b[31m.yaml")
    words = [sys.executable, "-m", "obsgen", "check", "--profile", "one", "--config", odd]
    ran = subprocess.run(words, capture_output=True)
    assert ran.returncode == 2
    assert b"there is no such file" in ran.stdout
    assert b"Traceback" not in ran.stderr


def test_a_key_that_would_colour_the_terminal_is_shown_by_its_code(run: Run, fleet: Path) -> None:
    (fleet / "observability.yaml").write_text(SMALLEST + '"\\e[31mred\\a": 1\n', encoding="utf-8")
    ran = run("check", "--profile", "one")
    assert ran.code == 1
    assert "\x1b" not in ran.out and "\a" not in ran.out
    assert "red" in ran.out
