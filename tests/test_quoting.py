"""Whatever a writer writes comes back as it was written, from every file that it ends up in."""

from __future__ import annotations

import json
import math
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alloy_reading import read
from conftest import FLEETS, judge
from obsgen.quoting import alloy_value, block, expand_env, expression, go_duration, json_value, patched, yaml_value
from obsgen.road import load, texts

LOADERS = [yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)]
# Lone surrogates are left out: no UTF-8 file holds one.
CHARACTERS = st.characters(exclude_categories=["Cs"])
BITING = st.sampled_from(
    [
        *(
            "{{",
            "}}",
            "${",
            "$",
            "#",
            " #",
            ":",
            ": ",
            "- ",
            "'",
            '"',
            "\\",
            "\n",
            "\t",
            "\r",
            "\0",
            "\x7f",
            "\x85",
            "\u2028",
        ),
        *(
            "\ufeff",
            "\ufffe",
            "🚨",
            "~",
            "yes",
            "null",
            "1e3",
            "0o7",
            "12",
            "5m",
            "=",
            "<<",
            "*a",
            "&a",
            "!t",
            "%",
            "@",
            "`",
        ),
        *("|", ">", "---", "...", " ", ",", "[", "]", "{", "}", "?", "a", "/", "http://x"),
    ]
)
TEXTS = st.text(CHARACTERS, max_size=40) | st.lists(BITING | CHARACTERS, max_size=8).map("".join)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def readings(text: str) -> list[Any]:
    """What PyYAML's own reader and libyaml make of it."""
    return [yaml.load(text, loader) for loader in LOADERS]


@given(TEXTS)
@settings(max_examples=300)
def test_any_text_comes_back_from_one_line_of_yaml(text: str) -> None:
    quoted = yaml_value(text)
    assert len(quoted.splitlines()) == 1
    assert readings(f"- {quoted}\n- k: {quoted}\n- {quoted}: v\n") == [[text, {"k": text}, {text: "v"}]] * 2
    assert readings(f"[{quoted}, {quoted}]") == [[text, text]] * 2
    assert readings(f"{{{quoted}: {quoted}}}") == [{text: text}] * 2


@given(VALUES)
def test_any_value_comes_back_in_flow_style(value: Any) -> None:
    assert readings(f"k: {yaml_value(value)}") == [{"k": value}] * 2


@pytest.mark.parametrize("number", [1e16, -1e16, 1.5e300, 1e-7, 0.1, math.inf, -math.inf])
def test_a_number_stays_one_for_readers_of_yaml_1_1(number: float) -> None:
    assert readings(yaml_value(number)) == [number] * 2


# What YAML 1.1 or 1.2 readers, Go's among them, take for something else; PyYAML alone would not notice all of them.
AMBIGUOUS = "y N on Off true null ~ 1e3 0o17 0x1F 1_000 1:30 012 .5 .inf 2026-01-31 = << 0b1 +1"


@pytest.mark.parametrize("text", AMBIGUOUS.split())
def test_a_text_that_some_reader_takes_for_something_else_is_quoted(text: str) -> None:
    assert yaml_value(text) == f'"{text}"'


@pytest.mark.parametrize("text", ["loki", "30d", "1h30m", "orders:create", "/etc/x", "a-b_c.d", "docker.io/x/y:1.2"])
def test_a_plain_word_stays_plain(text: str) -> None:
    assert yaml_value(text) == text


@given(TEXTS)
@example("a\n  ")
@example("  indented\nfirst")
def test_any_text_comes_back_from_a_block_with_one_final_newline(text: str) -> None:
    assert readings(f"data:\n  k: {block(text, 4)}\n  l: 1\n") == [{"data": {"k": text.strip("\n") + "\n", "l": 1}}] * 2


@given(TEXTS)
def test_any_text_comes_back_from_a_file_within_a_config_map(text: str) -> None:
    outer = f"data:\n  k: {block(f'v: {yaml_value(text)}', 4)}\n"
    for reading in readings(outer):
        assert readings(reading["data"]["k"]) == [{"v": text}] * 2


@given(TEXTS)
def test_any_text_comes_back_from_json_and_from_json_within_yaml(text: str) -> None:
    written = json_value({text: [text]})
    assert json.loads(written) == {text: [text]}
    assert [json.loads(reading["k"]) for reading in readings(f"k: {block(written, 2)}")] == [{text: [text]}] * 2


@given(TEXTS)
def test_a_query_comes_back_but_for_the_space_around_it(text: str) -> None:
    assert [reading["expr"].strip() for reading in readings(f"expr: {expression(text, 2)}\nx: 1")] == [text.strip()] * 2


@given(st.dictionaries(TEXTS, VALUES.filter(lambda value: value is not None), min_size=1, max_size=3))
def test_any_patch_comes_back_from_the_patched_configuration(patch: dict[str, Any]) -> None:
    assert readings(patched("{}", {"x": [patch]})) == [{"x": [patch]}] * 2


@pytest.mark.parametrize("text", ["1e3", "0o17", "y", "N", "+1e5"])
def test_a_text_that_go_takes_for_something_else_stays_text_beside_a_patch(text: str) -> None:
    assert patched(f'v: "{text}"', {"w": text}) == f'v: "{text}"\nw: "{text}"\n'


def test_without_a_patch_the_configuration_keeps_its_comments() -> None:
    assert patched("a: 1 # why\n", {}) == "a: 1 # why\n"


@pytest.mark.parametrize(("declared", "go"), [("30d", "720h"), ("1w", "168h"), ("90m", "90m"), ("1d12h", "36h")])
def test_a_duration_is_one_that_go_can_read(declared: str, go: str) -> None:
    assert go_duration(declared) == go


FIELD = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40)


@pytest.fixture(scope="module")
def declaration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fleet")
    (folder / "profiles").mkdir()
    (folder / "profiles" / "one.yaml").write_text("cluster: home\n", encoding="utf-8")
    return folder / "observability.yaml"


@given(summary=FIELD, description=FIELD, channel=FIELD)
@example(summary="{{ $x }} ${HOME} # : \u2028\x85\ufeff", description="a\n\n  b\t'\"\\", channel="é{{${\u2028")
@settings(max_examples=40)
def test_any_declared_text_comes_back_from_the_files_that_carry_it(
    declaration: Path, summary: str, description: str, channel: str
) -> None:
    data = yaml.safe_load((FLEETS / "smallest" / "observability.yaml").read_text(encoding="utf-8"))
    channel = re.sub(r"[\s#@]", "-", channel)
    data["teams"]["all"]["channels"]["chat"] = {"type": "slack", "channel": channel, "webhook": {"secret": "hook"}}
    question = {"group": "g", "expr": "up == 0", "severity": "bad"}
    data["alerts"] = {"Down": question | {"summary": summary, "description": f"{description}\nend"}}
    # not PyYAML's dump: it leaves "0E0" bare, which YAML 1.1 reads as text and 1.2 as a number; obsgen refuses such a word
    declaration.write_text(yaml_value(data), encoding="utf-8")
    files = texts(load(declaration, "one"))
    rules = files["monitoring/rules/g.yaml"]
    for said in (yaml.safe_load(rules)["groups"][0]["rules"][-1]["annotations"],):
        assert said["summary"] == summary
        assert said["description"] == f"{description}\nend".strip()
    assert yaml.safe_load(files["monitoring/alert-rules.yaml"])["data"]["g.yaml"] == rules
    maps = {one["metadata"]["name"]: one for one in yaml.safe_load_all(files["monitoring/alertmanager.yaml"])}
    inner = yaml.safe_load(maps["alertmanager-config"]["data"]["alertmanager.yaml"])
    assert {one["channel"] for receiver in inner["receivers"] for one in receiver["slack_configs"]} == {channel}


LOKI = """
common: {path_prefix: /tmp/none, replication_factor: 1, instance_addr: 127.0.0.1, ring: {kvstore: {store: inmemory}}}
schema_config: {configs: [{from: "2025-10-01", store: tsdb, object_store: filesystem, schema: v13, index: {period: 24h}}]}
storage_config: {use_thanos_objstore: true, object_store: {filesystem: {dir: /tmp/none}}}
memberlist:
  join_members:
"""


def test_loki_gives_back_what_would_be_a_variable(tmp_path: Path) -> None:
    loki = judge("loki", "3.7", "that it expands no declared text was not asked")
    wanted = ["a$b", "${X}", "$1", "$${", "$$", "$$$${X}", "x$", "${X:-d}", r"\d+\\.\/", r"'\\'$", '"\\', "${", "é$$"]
    path = tmp_path / "loki.yaml"
    path.write_text(LOKI + "".join(f"    - {expand_env(yaml_value(text))}\n" for text in wanted), encoding="utf-8")
    words = [f"-config.file={path}", "-config.expand-env=true", "-verify-config", "-print-config-stderr"]
    ran = subprocess.run([loki, *words], capture_output=True, text=True, check=True)
    printed = re.search(r"^  join_members:.*\n(?:    .*\n)*", ran.stderr, re.MULTILINE)
    assert printed and yaml.safe_load(printed[0])["join_members"].split(",") == wanted


# Go's escapes that JSON has too, with the same meaning (strconv.Unquote); a surrogate's number would be refused.
GO = re.compile(r'"(?:[^"\\\n\0\ufeff]|\\[\\"nrtbf]|\\u(?!d[89a-f])[0-9a-f]{4})*"')


@given(TEXTS)
@settings(max_examples=300)
def test_any_text_comes_back_from_a_string_of_alloy(text: str) -> None:
    quoted = alloy_value(text)
    assert GO.fullmatch(quoted)
    assert json.loads(quoted) == text
    assert read(f"a = {{{alloy_value(text)} = [{quoted}]}}").attributes == {"a": {text: [text]}}


@given(st.dictionaries(TEXTS, TEXTS | st.lists(TEXTS, max_size=3) | st.booleans() | st.integers(0), max_size=3))
@settings(max_examples=50)
def test_any_value_comes_back_from_alloy(value: dict[str, Any]) -> None:
    assert read(f"a = {alloy_value(value)}").attributes == {"a": value}


def test_alloys_own_parser_reads_every_character(tmp_path: Path) -> None:
    parser = judge("alloy-syntax", "", "only our reading of Go's escapes is tested")
    texts = [chr(number) for number in (*range(0x300), *range(0x2000, 0x2100), 0xFEFF, 0xFFFE, 0xFFFF, 0x1F6A8)]
    lines = [f"a{number} = {alloy_value(text)}" for number, text in enumerate([*texts, "".join(texts), *AMBIGUOUS])]
    (tmp_path / "a.alloy").write_text("\n".join(lines), encoding="utf-8", newline="\n")
    said = subprocess.run([parser, "a.alloy"], cwd=tmp_path, capture_output=True, text=True)
    assert (said.returncode, said.stderr) == (0, "")
