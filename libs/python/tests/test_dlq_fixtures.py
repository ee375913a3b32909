"""libs/fixtures/dead-letters.json: what is written and what is read of it, the same in Python and Go."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auralink_shared.dlq import DeadLetters, Record
from auralink_shared.dlq.record import payload_of
from conftest import ROOT, Clock

FIXTURES: dict[str, Any] = json.loads((ROOT / "libs" / "fixtures" / "dead-letters.json").read_text(encoding="utf-8"))
QUEUE: str = FIXTURES["queue"]
SCHEMA: dict[str, Any] = json.loads((ROOT / "schemas" / "dead-letter.schema.json").read_text(encoding="utf-8"))
VALID = jsonschema_rs.validator_for(SCHEMA)


def bytes_of(one: dict[str, Any], name: str) -> bytes | None:
    if f"{name}_base64" in one:
        return base64.b64decode(one[f"{name}_base64"])
    return one[name].encode() if name in one else None


def record_of(given: dict[str, Any]) -> Record:
    times = {name: given[f"{name}_ms"] / 1000 for name in ("first_attempt", "last_attempt", "created_at")}
    names = ("id", "error", "error_type", "reason", "attempts", "trace_id", "replays", "death")
    fields = {name: given[name] for name in names if name in given}
    if isinstance(fields.get("error"), dict):
        text, number = fields["error"]["$repeat"]
        fields["error"] = text * number
    payload = bytes_of(given, "payload")
    assert payload is not None
    return Record(QUEUE, payload, **fields, **times)


@pytest.mark.parametrize("one", FIXTURES["records"], ids=lambda one: one["name"])
def test_a_record_is_written_byte_for_byte(one: dict[str, Any]) -> None:
    record = record_of(one["given"])
    body = record.encode()
    if "body" in one:
        assert body.decode() == one["body"]
    else:
        assert hashlib.sha1(body).hexdigest() == one["body_sha1"]
    assert payload_of(body) == (record.payload or None)


def valid(body: bytes) -> None:
    fields = json.loads(body, parse_float=str)  # 1e400 is a number that few readers have
    VALID.validate(fields)
    assert set(fields) <= set(SCHEMA["properties"]), "a field that the schema doesn't describe"


@pytest.mark.parametrize("one", FIXTURES["records"], ids=lambda one: one["name"])
def test_what_is_written_is_what_the_schema_says(one: dict[str, Any]) -> None:
    valid(
        record_of(one["given"]).encode().replace(b"\\ud800", b"U+D800")
    )  # jsonschema-rs takes no half of a surrogate pair


TIMES = st.integers(0, 4_000_000_000_000).map(lambda milliseconds: milliseconds / 1000)


@given(
    payload=st.binary() | st.text().map(lambda text: json.dumps(text).encode()),
    error=st.text(max_size=5000),
    attempts=st.integers(1, 1000),
    times=st.tuples(TIMES, TIMES, TIMES),
)
def test_any_record_is_what_the_schema_says(
    payload: bytes, error: str, attempts: int, times: tuple[float, ...]
) -> None:
    first, last, created = times
    body = Record(
        QUEUE, payload, error, attempts=attempts, first_attempt=first, last_attempt=last, created_at=created
    ).encode()
    valid(body)
    assert payload_of(body) == (payload or None)


def test_the_schema_s_own_examples_are_valid() -> None:
    jsonschema_rs.meta.validate(SCHEMA)
    for name, field in SCHEMA["properties"].items():
        for example in field.get("examples", []):
            jsonschema_rs.validator_for({**SCHEMA, "required": [], "oneOf": [{}]}).validate({name: example})


@pytest.fixture
def read(letters: DeadLetters, clock: Clock) -> DeadLetters:
    clock.now = FIXTURES["now_ms"] / 1000
    letters.client.lpush(f"dlq:{QUEUE}", *(bytes_of(one, "body") for one in FIXTURES["letters"]))
    letters.adopt(QUEUE)
    return letters


def test_every_letter_of_the_inbox_is_found_and_read(read: DeadLetters) -> None:
    assert read.stats(QUEUE).depth == len(FIXTURES["letters"])
    for one in FIXTURES["letters"]:
        letter = read.get(QUEUE, one["id"])
        assert letter.body == bytes_of(one, "body")
        assert letter.sha1 == one["sha1"]
        assert letter.age // 1000 == one["age_ms"], one["name"]
        assert letter.payload == bytes_of(one, "payload"), one["name"]
        shown = letter.as_json(payload=False)
        for name in ("error", "error_type", "attempts", "trace_id", "fingerprint"):
            assert shown.get(name) == one.get(name), (one["name"], name)
    reasons = [one["reason"] for one in FIXTURES["letters"]]
    counters = read.stats(QUEUE).counters
    assert counters == {"arrived:adopted": reasons.count("adopted"), "arrived:bad": reasons.count("bad")}


def test_one_error_with_other_ids_has_one_fingerprint(read: DeadLetters) -> None:
    first, second, other = (read.get(QUEUE, id).fingerprint for id in ("b1", "b2", "b3"))
    assert first == second != other
