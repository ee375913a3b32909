"""The ways in which a context is rendered, with orjson and without: they differ in nothing but time."""

from __future__ import annotations

import enum
import json
import math
import types
from typing import Any

import lines
from hypothesis import example, given, settings
from hypothesis import strategies as st
from orjson import Fragment

from auralink_shared import contract
from auralink_shared.logging import values
from auralink_shared.logging.redaction import Redaction
from auralink_shared.logging.trace import current, trace_id_var

THOROUGH, FAST, STDLIB = lines.entry(), lines.entry(), lines.entry(fast=False)
REDACTION = Redaction(contract.load()["logging"]["redact"])

# What patterns are made of, so that they are nearly or wholly there.
fragment = st.sampled_from(
    ["token", "api_key", "apiKey", "password", "=", ":", '"', "'", "\\", " ", "-", "_", "\n", "eyJ", "abcdef", ".", "Bearer",
     "basic", "4111111111111111", "4111 1111", "3782-822463-10005", "123456789", "0", "9", "://", "@", "app", "/", "ü",
     "\u0131", "\u017f", "٣", "\ud800"]
)  # fmt: skip
whole = st.sampled_from(
    ["postgres://app:hunter2@db", "eyJhbGciOi.eyJzdWIi.c2ln", "Bearer abcdefghijkl0", "basic dXNlcjpodW50ZXIyMTIz", "password=hunter2",
     "'apiKey': 'hunter2'", '"access_token":"x', "4111 1111 1111 1111", "378282246310005"]
)  # fmt: skip
text = st.one_of(st.text(max_size=30), st.lists(fragment | whole, max_size=8).map("".join), whole)
number = st.one_of(
    st.integers(),
    st.sampled_from([0, -(2**63), 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 4111111111111111]),
    st.floats(),
    st.sampled_from([0.0, -0.0, 1e16, 1e15, 9e-5, 1e-4, -1e-4, -1e16, math.nan, math.inf, 1e22, 5e-324]),
)


class Text(str):
    """No `str` to an encoder."""


class Colour(enum.Enum):
    RED, PAIR, NOTHING = "red", (1, 2.5), math.nan


leaf = st.one_of(
    text, number, st.booleans(), st.none(), st.binary(max_size=5), st.datetimes(), st.uuids(), st.sampled_from(Colour)
)
key = st.sampled_from(
    ["room_id", "state", "duration_ms", "retry_count", "password", "x_token", "a", "b", "ü", "", "1", 1, None,
     "apiKey", "X-Api.Key", "db:password", "password:", "'secret'", 'to"ken', "Cookie!", "author", "k" * 257, Text("token"), Text("a")]
)  # fmt: skip
value = st.recursive(
    leaf, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(key, inner, max_size=4), max_leaves=12
)


@settings(max_examples=1000, deadline=None)
@given(st.dictionaries(key, leaf | value, max_size=6))
@example({"a": [[[[[[[1]]]]]]]})
@example({"a": [[[[[[[[1]]]]]]]]})
@example({"a": 9e-5})
@example({"a": 1e16})
@example({"a": math.nan})
@example({"a": "x" * 4096, "b": 1})
@example({"a": "x" * 4100})
@example({"a": {"b": "x" * 3000, "c": "x" * 1090}})
@example({"a": ["ü" * 2000]})
@example({"a": {str(i): i for i in range(64)}})
@example({"a": {str(i): i for i in range(65)}, "b": [0] * 65})
@example({"a": [{"b": 0, "k" * 257: 1}]})
@example({"a": [{"b": "x" * 200, "k" * 257: 1}]})
@example({"a": [{"b": "x" * 200, "k" * 250: 1}]})
@example({"a": {"api/key": 1}, "b": {"my=token": 2}, "c": {"password:": 3}})
@example({"a": [Text("password=hunter2")]})
@example({"a": {"b": 0.00001}, "c": [5e-5, 1e-300, 1e300, math.nan]})
def test_all_ways_write_the_same_bytes(context: dict[Any, Any]) -> None:
    thorough = THOROUGH.line("INFO", "x", types.MappingProxyType(context), at=0)  # no dict
    lines.read(thorough)
    for entry in (FAST, STDLIB):
        for _ in range(3):  # keys and shapes that are new are learned
            assert entry.line("INFO", "x", context, at=0) == thorough


# What orjson writes as it is, unread.
written = st.lists(
    st.sampled_from([*'{}[]",:1a \n\r\t\0\\', "null", "NaN", '"a":1', '"password":"hunter2"']), max_size=6
)


@settings(max_examples=1000, deadline=None)
@given(written.map("".join))
@example("{")
@example("1}")
@example("[1,\n2]")
@example('1},"level":"FATAL"')
@example('{"password":"hunter2"}')
def test_a_fragment_that_is_no_json_or_not_of_one_line_leaves_one_line_of_json(said: str) -> None:
    for holding in ({"a": Fragment(said)}, {"a": {"b": [Fragment(said)]}}):
        line = FAST.line("INFO", "m", holding)
        assert line.count(b"\n") == 1 and b"hunter" not in line
        entry = json.loads(line)
        assert entry["level"] == "INFO" and set(entry["context"]) >= {"a"}


def test_a_plain_context_does_go_the_quick_way() -> None:
    context = {"room_id": "r-1", "n": 1, "duration_ms": 2.5, "state": "open", "ok": True, "none": None}
    for entry in (lines.entry(), lines.entry(fast=False)):
        entry.line("INFO", "x", context)
        assert entry._values.quick.context(context, values.DEPTH) is not None


@settings(max_examples=2000, deadline=None)
@given(text)
def test_a_text_that_is_called_quiet_holds_nothing_to_redact(text: str) -> None:
    if REDACTION.quiet(text):
        assert REDACTION.replaced(text) == text


@settings(max_examples=1000, deadline=None)
@given(st.dictionaries(st.sampled_from(["a", "b", "token_count"]), text | st.integers(), max_size=4))
def test_an_encoded_value_that_is_called_quiet_holds_nothing_to_redact(value: dict[str, Any]) -> None:
    encoded = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    if REDACTION.quiet_json(encoded):
        for item in value.values():
            assert isinstance(item, int) or REDACTION.replaced(item) == item


def test_keys_that_are_ids_are_not_kept_for_ever() -> None:
    for entry in (lines.entry(), lines.entry(fast=False)):
        for number in range(10000):
            entry.line("INFO", f"message {number}", {f"id_{number}": 1})
        kept = vars(entry) | vars(entry._values) | vars(entry._values.quick)
        assert all(len(found) < 5000 for found in kept.values() if isinstance(found, dict))


def test_a_line_made_of_known_parts_is_the_line_that_is_made_anew() -> None:
    context = {"room_id": "r-1", "n": 1}
    token = trace_id_var.set("4bf92f3577b34da6a3ce929d0e0e4736")
    try:
        for entry in (lines.entry(), lines.entry(fast=False)):
            for at in (0, 1_000_000, 1_500_000, 7_000_000_000):
                for level in ("INFO", "ERROR", "INFO"):
                    made = entry.line(level, "Room créé", context, current(), at=at)
                    assert entry.here(level, "Room créé", context, at=at) == made
    finally:
        trace_id_var.reset(token)
