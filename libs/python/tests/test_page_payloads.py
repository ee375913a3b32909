"""A payload that is shown, edited and compared stays the bytes that it was."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auralink_shared.dlq.admin.page import payloads
from auralink_shared.dlq.admin.page.payloads import NotReadable, compact, cut, difference, read, view

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(JSON, st.booleans())
def test_an_editor_that_nobody_touches_gives_back_the_same_json(value: Any, ascii: bool) -> None:
    written = json.dumps(value, ensure_ascii=ascii)
    if not ascii and any("\ud800" <= one <= "\udfff" for one in written):
        written = json.dumps(value)
    for separators in (",", ":"), (", ", ": "):
        text = written if separators == (", ", ": ") else json.dumps(json.loads(written), separators=separators)
        shown = view(text.encode())
        assert shown.kind == "json"
        assert json.loads(shown.text) == value
        assert read("json", shown.text.replace("\n", "\r\n")) == compact(text).encode()
        assert difference(text.encode(), read("json", shown.text)) == []


@given(st.binary())
def test_an_editor_that_nobody_touches_gives_back_the_same_bytes(payload: bytes) -> None:
    shown = view(payload)
    sent = read(shown.kind, shown.text.replace("\n", "\r\n"))
    assert sent == (compact(payload.decode()).encode() if shown.kind == "json" else payload)


@pytest.mark.parametrize(
    "text",
    [
        '{"a":9007199254740993,"b":1.10,"c":1e400,"d":-0.0}',
        '{"a":1,"a":2}',
        r'{"e":"\u00e9\ud800\/"}',
        f'{{"n":{"9" * 5000}}}',
        '"{[,:]}"',
        "0",
        "[]",
        '{"empty":{},"none":[]}',
    ],
)
def test_every_token_stays_as_it_was_written(text: str) -> None:
    assert view(text.encode()).kind == "json"
    assert read("json", view(text.encode()).text) == text.encode()


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (b"plain text\n\twith a tab", "text"),
        (b"NaN", "text"),
        (b"line\r\nline", "base64"),  # a textarea would give it back with other line ends
        (b"\x00", "base64"),
        (b"\xff", "base64"),
        (b"{", "text"),
    ],
)
def test_what_is_no_json_is_text_or_base64(payload: bytes, kind: str) -> None:
    assert view(payload).kind == kind
    assert read(kind, view(payload).text) == payload


@pytest.mark.parametrize(
    ("kind", "typed", "said"),
    [
        ("json", '{\r\n  "a": x\r\n}', "line 2, column 8"),
        ("json", "", "line 1, column 1"),
        ("json", "[NaN]", "NaN is no JSON"),
        ("json", "[" * 100_000, "recursion"),
        ("base64", "a", "no base64"),
        ("base64", "ä", "no base64"),
    ],
)
def test_what_was_mistyped_is_said_with_its_place(kind: str, typed: str, said: str) -> None:
    with pytest.raises(NotReadable, match=said):
        read(kind, typed)


def test_depth_does_not_blow_a_page_up() -> None:
    hostile = "[" * 900 + ",".join("1" for _ in range(50_000)) + "]" * 900
    assert len(view(hostile.encode()).text) < 40 * len(hostile)
    shown, more = cut(view(hostile.encode()).text, "json")
    assert more
    assert sum(len(text) for _, text in shown) <= payloads.SHOWN


def test_what_is_shown_says_what_it_is() -> None:
    shown, more = cut(view(b'{"a":["b",1,-2,true,null]}').text, "json")
    assert not more
    assert [one for one in shown if one[0]] == [
        ("key", '"a"'), ("string", '"b"'), ("number", "1"), ("number", "-2"), ("word", "true"), ("word", "null"),
    ]  # fmt: skip


def test_a_difference_has_three_lines_around_it_and_says_where_it_leaves_some_out() -> None:
    old = json.dumps({"list": list(range(20)), "last": 1}).encode()
    new = json.dumps({"list": [0, 1, *range(3, 20)], "last": 2}).encode()
    assert difference(old, new) == [
        ("…", ""), (" ", '  "list": ['), (" ", "    0,"), (" ", "    1,"), ("-", "    2,"), (" ", "    3,"), (" ", "    4,"),
        (" ", "    5,"), ("…", ""), (" ", "    18,"), (" ", "    19"), (" ", "  ],"), ("-", '  "last": 1'), ("+", '  "last": 2'),
        (" ", "}"),
    ]  # fmt: skip


@given(JSON, JSON)
def test_a_difference_leads_from_the_one_to_the_other(one: Any, other: Any) -> None:
    old, new = json.dumps([one] * 9 + [other]).encode(), json.dumps([other] + [one] * 9).encode()
    lines = difference(old, new)
    assert bool(lines) == (compact(old.decode()) != compact(new.decode()))
    for sign, payload in (("-", old), ("+", new)):
        wanted = iter(view(payload).text.splitlines())
        assert all(any(line == text for line in wanted) for kept, text in lines if kept in (" ", sign)), (
            "in their order"
        )


def test_a_great_difference_takes_no_longer_than_a_page() -> None:
    old, new = (json.dumps([f"{word} {at % 7}" for at in range(20_000)]).encode() for word in ("old", "new"))
    lines = difference(old, new)
    assert sum(sign == "-" for sign, _ in lines) == sum(sign == "+" for sign, _ in lines) == 20_000


def test_bytes_are_compared_by_what_they_are() -> None:
    assert difference(b"\x00", b"\x00") == []
    assert difference(b"\x00", b"\x01") == [
        ("-", base64.b64encode(b"\x00").decode()),
        ("+", base64.b64encode(b"\x01").decode()),
    ]
    assert difference(b"text", b'"text"') == [("-", "text"), ("+", '"text"')]
