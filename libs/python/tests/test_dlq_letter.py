"""A letter as JSON, and filters as data."""

from __future__ import annotations

import json
from typing import Any

import pytest

from auralink_shared.dlq import DeadLetters, Filter, Letter, Record
from auralink_shared.dlq.shape import shape_of
from conftest import QUEUE, Clock


def letter(body: bytes, **more: Any) -> Letter:
    return Letter(**{"queue": QUEUE, "id": "1", "age": 1_780_000_000_000_001, "body": body, "state": {}, **more})


def test_a_letter_as_json_leaves_out_what_is_absent() -> None:
    record = Record(
        QUEUE,
        b'{"n":9007199254740993}',
        "no answer",
        attempts=3,
        first_attempt=0.25,
        last_attempt=0.5,
        created_at=0.5,
        id="1",
    )
    one = letter(record.encode())
    assert one.as_json() == {
        "id": "1",
        "queue": QUEUE,
        "place": "queue",
        "age": "2026-05-28T20:26:40.000001Z",
        "error": "no answer",
        "reason": "exhausted",
        "attempts": 3,
        "first_attempt": "1970-01-01T00:00:00.250Z",
        "last_attempt": "1970-01-01T00:00:00.500Z",
        "created_at": "1970-01-01T00:00:00.500Z",
        "payload": {"n": 9007199254740993},
        "sha1": one.sha1,
        "fingerprint": one.fingerprint,
    }
    assert "payload" not in one.as_json(payload=False)
    state = {"replays": 5, "quarantined": True, "edited": True, "token": "t"}
    more = letter(record.encode(), state=state).as_json()
    assert {name: more[name] for name in ("replays", "quarantined", "edited", "pending")} == {
        "replays": 5, "quarantined": True, "edited": True, "pending": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    "payload", [b"null", b'""', b"0", b"false", b"[1e400]", b'"\\ud800"', b"\xff", b"[%s]" % (b"9" * 5000)]
)
def test_a_letter_as_json_can_always_be_written(payload: bytes) -> None:
    found = letter(Record(QUEUE, payload, error="\ud800").encode()).as_json()
    assert json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    assert ("payload" in found) != ("payload_base64" in found)


@pytest.mark.parametrize(
    "body", [b"no JSON", b"[1]", b'{"error":{"code":7},"attempts":"3","error_type":null}', b'{"error":"\xff"}']
)
def test_whatever_stands_in_a_body_is_shown(body: bytes) -> None:
    found = letter(body).as_json()
    assert found["sha1"] and len(found["fingerprint"]) == 12
    assert found.get("error") in (None, '{"code":7}', "\ufffd")


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("room 'b-7' of 5f0c1d2e-0000-4000-8000-000000000000", "room * of *"),
        ("can't find \"x\", won't retry", "can't find *, won't retry"),
        ("at 0x7fffA0: 3.5 s, id deadbeefcafe, 10.0.0.1:6379", "at *: *.* s, id *, *.*.*.*:*"),
        ("the facade of a decade", "the facade of a decade"),
    ],
)
def test_what_changes_from_time_to_time_is_no_part_of_an_error_s_shape(text: str, shape: str) -> None:
    assert shape_of(text) == shape


def test_filters_are_data_and_come_back() -> None:
    only = Filter(error="a", text="b", min_attempts=2, since=1.5, until=2.5, fingerprint="abc", quarantined=False)
    assert Filter.from_dict(json.loads(json.dumps(only.as_dict()))) == only
    assert Filter().as_dict() == {} and Filter().empty and Filter.from_dict({}).empty
    assert not only.empty and not Filter(quarantined=False).empty
    assert Filter.from_dict({"since": "1970-01-01T00:00:01Z", "until": "1970-01-01T01:00:00+01:00"}) == Filter(
        since=1.0, until=0.0
    )


@pytest.mark.parametrize(
    "given",
    [{"errors": "x"}, {"error": 1}, {"min_attempts": -1}, {"min_attempts": True}, {"since": "soon"}, {"until": float("inf")},
     {"until": 1e400}, {"quarantined": "yes"}, {"match": None}],
)  # fmt: skip
def test_a_filter_that_is_none_names_the_key(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(given))):
        Filter.from_dict(given)


def test_the_quarantined_are_found(letters: DeadLetters, clock: Clock) -> None:
    letters.add(Record(QUEUE, b"1", id="free"))
    letters.add(Record(QUEUE, b"1", id="kept", replays=5))
    for wanted, id in ((True, "kept"), (False, "free")):
        assert [one.id for one in letters.each(QUEUE, only=Filter(quarantined=wanted))] == [id]
