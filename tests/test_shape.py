"""What a schema says of data is told in the words of the person who wrote the data, at the place where it was written."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from obsgen.document import parse
from obsgen.overlay import Layers
from obsgen.shape import check_shape

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "https://obsgen.example/test.schema.json",
    "type": "object",
    "additionalProperties": False,
    "required": ["kind"],
    "properties": {
        "kind": {"const": "Observability"},
        "retention": {"$ref": "#/$defs/duration"},
        "window": {"$ref": "#/$defs/duration", "examples": ["30d"]},
        "agent": {"enum": ["promtail", "alloy"]},
        "deploy": {"type": "boolean"},
        "replicas": {"type": "integer", "minimum": 1, "maximum": 9},
        "ratio": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        "step": {"type": "integer", "multipleOf": 5},
        "name": {"type": "string", "minLength": 1, "maxLength": 10, "examples": ["auralink"]},
        "code": {"type": "string", "pattern": "^[A-Z]+$"},
        "page": {"type": "string", "not": {"const": "default", "description": "this word is reserved"}},
        "levels": {"type": "array", "minItems": 1, "maxItems": 3, "uniqueItems": True, "items": {"type": "string"}},
        "channels": {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 3,
            "propertyNames": {"pattern": "^[a-z][a-z0-9-]*$", "examples": ["page"]},
            "additionalProperties": {"$ref": "#/$defs/channel"},
        },
        "open": {"$ref": "#/$defs/open"},
        "redis": {
            "type": "object",
            "properties": {"deploy": {"type": "boolean"}, "address": {"type": "string"}, "size": {"type": "string"}},
            "not": {"required": ["address", "size"]},
            "if": {"required": ["deploy"], "properties": {"deploy": {"const": False}}},
            "then": {"required": ["address"], "properties": {"size": False}},
            "dependentRequired": {"size": ["deploy"]},
        },
        "alert": {
            "type": "object",
            "properties": {
                "expr": {"type": "string"},
                "query": {"type": "string"},
                "for": {"$ref": "#/$defs/duration"},
            },
            "oneOf": [{"required": ["expr"]}, {"required": ["query"]}],
        },
        "rule": {"type": "object", "anyOf": [{"required": ["expr"]}, {"required": ["query"]}]},
        "to": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
        "patch": {"anyOf": [{"$ref": "#/$defs/duration"}, {"type": "null"}]},
    },
    "$defs": {
        "duration": {"type": "string", "pattern": "^([0-9]+[smhd])+$", "examples": ["7d"]},
        "channel": {
            "type": "object",
            "required": ["type"],
            "properties": {"type": {"enum": ["slack", "email"], "examples": ["slack"]}},
            "allOf": [
                {
                    "if": {"required": ["type"], "properties": {"type": {"const": "slack"}}},
                    "then": {"$ref": "#/$defs/slack"},
                },
                {
                    "if": {"required": ["type"], "properties": {"type": {"const": "email"}}},
                    "then": {"$ref": "#/$defs/email"},
                },
            ],
        },
        "slack": {
            "additionalProperties": False,
            "required": ["channel"],
            "properties": {
                "type": True,
                "channel": {"type": "string", "examples": ["#alerts"]},
                "title": {"type": "string"},
            },
        },
        "email": {
            "additionalProperties": False,
            "required": ["to"],
            "properties": {"type": True, "to": {"type": "string", "examples": ["oncall@example.com"]}},
        },
        "open": {
            "type": "object",
            "required": ["type"],
            "unevaluatedProperties": False,
            "properties": {"type": {"enum": ["s3", "file"]}},
            "allOf": [
                {
                    "if": {"required": ["type"], "properties": {"type": {"const": "s3"}}},
                    "then": {
                        "required": ["bucket"],
                        "properties": {"bucket": {"type": "string", "examples": ["logs"]}},
                    },
                }
            ],
        },
    },
}


def told(text: str, schema: dict[str, Any] = SCHEMA) -> list[str]:
    """Each problem as `line:column fact (remedy) [rule]`; `kind` is added, at the end."""
    document = parse(text if "kind" in text else f"{text}\nkind: Observability\n", "o")
    return [str(problem).removeprefix("o:") for problem in check_shape(document.data, document.spot, schema)]


WRONG = {
    "retenshun: 7d": "1:1: unknown key 'retenshun' (did you mean 'retention'?) [shape/unknown-key]",
    "channels: {a: {type: email, to: x, cc: y, zebra: 1}}": [
        "1:36: unknown key 'cc' (known here: 'type', 'to') [shape/unknown-key]",
        "1:43: unknown key 'zebra' (known here: 'type', 'to') [shape/unknown-key]",
    ],
    "xyzzy: 1": "1:1: unknown key 'xyzzy' [shape/unknown-key]",
    "name: 5": "1:7: this is a number, not text (put it in quotes) [shape/type]",
    "name: true": "1:7: this is true, not text (put it in quotes) [shape/type]",
    "name: null": "1:7: this is null, not text (write a value, or leave the key out) [shape/type]",
    "name: [a]": "1:7: this is a list, not text (for example 'auralink') [shape/type]",
    "replicas: '3'": "1:11: this is text, not a whole number (leave the quotes out) [shape/type]",
    "replicas: three": "1:11: this is text, not a whole number [shape/type]",
    "replicas: 1.5": "1:11: this is 1.5, not a whole number [shape/type]",
    "replicas: 'true'": "1:11: this is text, not a whole number [shape/type]",
    "deploy: 'true'": "1:9: this is text, not true or false (leave the quotes out) [shape/type]",
    "deploy: 1": "1:9: this is a number, not true or false [shape/type]",
    "levels: INFO": "1:9: this is text, not a list (write [INFO]) [shape/type]",
    "channels: {a: slack}": "1:15: this is text, not a map (expected a map with 'type', 'channel', 'title', 'to') [shape/type]",
    "redis: [a]": "1:8: this is a list, not a map (expected a map with 'deploy', 'address', 'size') [shape/type]",
    "to: 5": "1:5: this is a number, not text or a list (put it in quotes) [shape/type]",
    "to: [a, 5]": "1:9: this is a number, not text (put it in quotes) [shape/type]",
    "patch: 5": "1:8: this is a number, not text (put it in quotes) [shape/type]",
    "patch: 30 days": "1:8: '30 days' is not valid (for example '7d') [shape/pattern]",
    "agent: promtial": "1:8: 'promtial' is not one of 'promtail', 'alloy' (did you mean 'promtail'?) [shape/enum]",
    "agent: vector": "1:8: 'vector' is not one of 'promtail', 'alloy' [shape/enum]",
    "agent: 5": "1:8: 5 is not one of 'promtail', 'alloy' [shape/enum]",
    "kind: observability": "1:7: 'observability' is not 'Observability' (write Observability) [shape/const]",
    "retention: 30 days": "1:12: '30 days' is not valid (for example '7d') [shape/pattern]",
    "window: 30 days": "1:9: '30 days' is not valid (for example '30d') [shape/pattern]",
    "code: abc": "1:7: 'abc' is not valid (it must match ^[A-Z]+$) [shape/pattern]",
    "replicas: 0": "1:11: 0 is too small (at least 1) [shape/range]",
    "replicas: 10": "1:11: 10 is too large (at most 9) [shape/range]",
    "ratio: 0": "1:8: 0 is too small (more than 0) [shape/range]",
    "ratio: 1": "1:8: 1 is too large (less than 1) [shape/range]",
    "step: 7": "1:7: 7 is not a whole step (write a multiple of 5) [shape/range]",
    "name: ''": "1:7: this text has no characters (for example 'auralink') [shape/length]",
    "name: abcdefghijk": "1:7: this text has 11 characters (write at most 10) [shape/length]",
    "levels: []": "1:9: this list has no entries (write at least 1) [shape/length]",
    "levels: [a, b, c, d]": "1:9: this list has 4 entries (write at most 3) [shape/length]",
    "levels: [a, b, a]": "1:16: 'a' stands in this list already (leave it out) [shape/unique]",
    "channels: {}": "1:11: this map has no keys (write at least 1) [shape/length]",
    "channels:\n  Page: {type: email, to: x}": "2:3: 'Page' is not a valid name here (for example 'page') [shape/name]",
    "channels:\n  a:\n    to: x": "2:3: 'type' is missing (add for example `type: slack`) [shape/required]",
    "channels:\n  a:\n    typ: slack\n    channel: x": "2:3: 'type' is missing (add for example `type: slack`) [shape/required]",
    "channels:\n  a: {type: slak, to: x}": (
        "2:13: 'slak' is not one of 'slack', 'email' (did you mean 'slack'?) [shape/enum]"
    ),
    "channels:\n  a: {type: slack}": "2:3: 'channel' is missing (add for example `channel: '#alerts'`) [shape/required]",
    "channels:\n  a: {type: slack, chanel: x}": "2:20: unknown key 'chanel' (did you mean 'channel'?) [shape/unknown-key]",
    "channels:\n  a: {type: slack, channel: x, to: y}": (
        "2:32: unknown key 'to' (known here: 'type', 'channel', 'title') [shape/unknown-key]"
    ),
    "channels:\n  a: {type: slack, channel: x, chanel: y}": (
        "2:32: unknown key 'chanel' (known here: 'type', 'channel', 'title') [shape/unknown-key]"
    ),
    "open:\n  type: s3\n  bukket: x": "3:3: unknown key 'bukket' (did you mean 'bucket'?) [shape/unknown-key]",
    "open:\n  bucket: x": "1:1: 'type' is missing (add for example `type: s3`) [shape/required]",
    "open: {type: file, bucket: x}": "1:20: 'bucket' is not allowed here (leave it out) [shape/not-allowed]",
    "redis: {deploy: false}": "1:1: 'address' is missing (add it) [shape/required]",
    "redis: {size: 1Gi}": "1:1: 'deploy' is missing (add it) [shape/required]",
    "redis: {deploy: true, size: 1Gi, address: a}": (
        "1:23: 'address' and 'size' cannot stand together (leave one of them out) [shape/not-allowed]"
    ),
    "redis: {deploy: false, size: 1Gi}": [
        "1:1: 'address' is missing (add it) [shape/required]",
        "1:24: 'size' is not allowed here (leave it out) [shape/not-allowed]",
    ],
    "page: default": "1:7: 'default' is not allowed here (this word is reserved) [shape/not-allowed]",
    "alert: {expr: a, query: b}": (
        "1:18: only one of 'expr', 'query' can be given (leave the others out) [shape/not-allowed]"
    ),
    "alert: {for: 5m}": "1:1: one of 'expr', 'query' is missing (add one of them) [shape/required]",
    "rule: {}": "1:1: one of 'expr', 'query' is missing (add one of them) [shape/required]",
    "name: a": [],
    "channels: {a: {type: slack, channel: x, title: y}, b: {type: email, to: x}}": [],
    "levels: [a, b, c]\nreplicas: 9\nratio: 0.5\nstep: 10\ndeploy: false\ncode: ABC": [],
    "open: {type: s3, bucket: x}\nredis: {deploy: false, address: a}\nalert: {expr: a}\nrule: {expr: a, query: b}": [],
    "retention: 7d\nwindow: 1h30m\nagent: alloy\npage: other\nto: [a]\npatch: null": [],
}


@pytest.mark.parametrize("text", WRONG)
def test_each_mistake_is_told_once_where_it_stands(text: str) -> None:
    expected = WRONG[text]
    assert told(text) == ([expected] if isinstance(expected, str) else expected)


def test_all_mistakes_are_told_in_the_order_of_their_places() -> None:
    text = "retention: 5\nagent: x\nchannels:\n  a: {type: slack, channel: 5}\nlevels: [1, 2]\nkind: b"
    assert [fact.split(": ")[0] for fact in told(text)] == ["1:12", "2:8", "4:29", "5:10", "5:13", "6:7"]


def test_a_missing_key_of_the_whole_is_told_at_its_beginning() -> None:
    document = parse("name: a", "o")
    (problem,) = check_shape(document.data, document.spot, SCHEMA)
    assert str(problem) == "o:1:1: 'kind' is missing (add for example `kind: Observability`) [shape/required]"


def test_a_mistake_of_a_profile_is_told_in_the_profile() -> None:
    layers = Layers((parse("kind: Observability\nretention: 7d\n", "o"), parse("retention: 7 d\nname: null\n", "prod")))
    (problem,) = check_shape(layers.data, layers.spot, SCHEMA)
    assert (problem.file, problem.line, problem.column) == ("prod", 1, 12)


def test_a_key_that_a_profile_deleted_is_missing_there() -> None:
    layers = Layers((parse("kind: Observability\n", "o"), parse("kind: null\n", "prod")))
    (problem,) = check_shape(layers.data, layers.spot, SCHEMA)
    assert (problem.file, problem.line, problem.rule) == ("prod", 1, "shape/required")


def test_keys_named_like_words_of_the_schema_language_are_just_keys() -> None:
    words = ["properties", "items", "$ref", "allOf", "if", "examples"]
    schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {word: {"type": "string", "pattern": "^x", "examples": [f"x-{word}"]} for word in words},
    }
    for word in words:
        assert told(f"{word}: kind", schema) == [
            f"1:{len(word) + 3}: 'kind' is not valid (for example 'x-{word}') [shape/pattern]"
        ]


def test_a_long_value_is_cut_in_the_message() -> None:
    (fact,) = told(f"code: {'a' * 5000}")
    assert len(fact) < 150


def test_deep_and_recursive_schemas_are_followed() -> None:
    tree = {
        "type": "object",
        "properties": {"sub": {"$ref": "#"}, "n": {"type": "integer"}},
        "additionalProperties": False,
    }
    assert told("sub: {sub: {sub: {kind: 1}}}", tree) == [
        "1:19: unknown key 'kind' (known here: 'sub', 'n') [shape/unknown-key]"
    ]
    assert told("sub: {sub: {n: kind}}", tree) == ["1:16: this is text, not a whole number [shape/type]"]


def test_routes_below_prefix_items_and_patterns_are_found() -> None:
    schema = {
        "type": "object",
        "properties": {
            "pair": {"prefixItems": [{"type": "string"}, {"type": "string", "pattern": "^a", "examples": ["ab"]}]}
        },
        "patternProperties": {"^k": {"type": "string", "pattern": "^b", "examples": ["bc"]}},
    }
    assert told("pair: [a, x]\nkind: x", schema) == [
        "1:11: 'x' is not valid (for example 'ab') [shape/pattern]",
        "2:7: 'x' is not valid (for example 'bc') [shape/pattern]",
    ]


NAMES = st.sampled_from([*SCHEMA["properties"], *SCHEMA["$defs"], "type", "to", "expr", "size", "x"])
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([None, True, 0, 7, 1.5, "", "7d", "slack", "s3", "Observability"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=300, deadline=None)
@given(ANYTHING)
def test_whatever_the_data_each_place_has_one_problem_and_a_sentence(data: Any) -> None:
    document = parse(json.dumps(data) if isinstance(data, dict) else json.dumps({"open": data}), "o")
    problems = check_shape(document.data, document.spot, SCHEMA)
    assert bool(problems) is not jsonschema_rs.is_valid(SCHEMA, document.data)
    assert all(problem.line and problem.fact and "\n" not in str(problem) for problem in problems)
    wrong_type = [(problem.line, problem.column) for problem in problems if problem.rule == "shape/type"]
    assert len(wrong_type) == len(set(wrong_type))
