"""What a line is held to, whatever stands in it: framing, strictness, secrets, bounded memory."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from log_lines import CONTRACT, GOOD, TRACE, found, line
from obsgen.conformance import strict
from obsgen.conformance.checker import LONGEST, Checker
from obsgen.conformance.credentials import Credentials
from obsgen.conformance.frames import lines, unframed
from obsgen.conformance.shapes import MOST_KEYS
from obsgen.conformance.standard import Contract, Field, Logging, Standard, read

KEYS = ("password", "token", "api_key", "access_token")
text = st.text(st.characters(codec="utf-8"), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=10,
)


@given(st.binary(max_size=200) | values.map(lambda value: json.dumps(value).encode()))
def test_whatever_the_bytes_a_line_is_counted_and_nothing_is_raised(raw: bytes) -> None:
    checker = Checker(read(CONTRACT))
    checker.check(raw.replace(b"\n", b""), 1)
    assert checker.tally.lines == 1
    assert checker.tally.conforming == 0


@given(st.dictionaries(text, values, max_size=5))
def test_a_context_of_any_json_conforms(context: dict[str, Any]) -> None:
    assume(not {"duration_ms", "retry_count", "state", "dlq_message_id"} & set(context))
    rules = set(found(json.dumps(GOOD | {"context": context}) + "\n"))
    assert rules <= {"redact", "secret", "type-drift"}  # drift: of the objects in a list


colons = st.sampled_from([":", ": ", " : ", "\t:"])


@given(st.lists(st.tuples(st.sampled_from(["a", "b", 'c"', "d: "]), colons, values), max_size=4))
@example([("a", " : ", 1), ("a", " : ", 2)])
@example([("a", " :", 1), ("a", ":", 2)])
@example([("a", ":", {'x":': 1}), ("a", ":", 2)])
def test_a_key_that_stands_twice_is_found_however_the_line_is_spaced(members: list[tuple[str, str, Any]]) -> None:
    text = ",".join(f"{json.dumps(key)}{colon}{json.dumps(value)}" for key, colon, value in members)
    twice = len({key for key, _, _ in members}) < len(members)
    assert ("duplicate-key" in found(f"{{{text}}}\n")) == twice


def test_what_is_the_same_in_every_line_counts_in_every_line() -> None:
    same = line(metadata={"version": "1", "database": "postgres://app:hunter2@db"})
    assert found(same * 3) == {"secret": 3}
    twice = same.replace('"version": "1"', '"version": "1", "version": "1"')
    assert found(same + twice) == {"secret": 2, "duplicate-key": 1}


def test_two_objects_of_a_list_may_have_the_same_keys() -> None:
    assert found(line(context={"items": [{"id": 1}, {"id": 2}]})) == {}
    assert "duplicate-key" in found(line(context={"items": [7]}).replace("[7]", '[{"id":1,"id":2}]'))


@pytest.mark.parametrize(
    ("raw", "fact", "byte"),
    [
        (b"", "an empty line", 0),
        (b"  \t", "an empty line", 0),
        (b"  panic: x", "text, not JSON", 2),
        (b'{"a":NaN}', "NaN is no JSON", 5),
        (b'{"a":-Infinity}', "-Infinity is no JSON", 5),
        (b'{"a":1e999}', "a number that no double holds", 0),
        (b'{"a":"\xff"}', "not UTF-8", 6),
        (b'{"a":"\\ud83d"}', "half of a surrogate pair", 0),
        (b'{"a":"b', "the line ends within the object", 7),
        (b'{"a":"\x01"}', "a control character within a text", 6),
        (b'{"a":1,}', "trailing comma in object", 7),
        (b'{"a":1} {"b":2}', "something follows the object", 8),
        (b'{"a":1}{"b":2}', "something follows the object", 7),
        (b"\xef\xbb\xbf{}", "text, not JSON", 0),
    ],
)
def test_a_broken_line_is_told_in_words_and_at_its_place(raw: bytes, fact: str, byte: int) -> None:
    with pytest.raises((msgspec.MsgspecError, UnicodeDecodeError)) as refused:
        msgspec.json.decode(raw)
    said = strict.fault(raw, refused.value)
    assert (said.fact, said.byte) == (fact, byte)


def test_containers_beyond_any_reader_are_no_traceback() -> None:
    assert found("[" * 100_000 + "\n") == {"size": 1, "json": 1}
    assert "json" in found(line(context=7).replace("7", '{"a":' * 1400 + "1" + "}" * 1400))


# How a credential may stand in a text, and what surrounds it.
PIECES = [
    "password=", "PASSWORD: ", "'token': '", '"api-key" : "', "apiKey=", "access token=", "hunter2", "'", '"', "eyJhbGciOi.eyJzdWIi.x",
    "Bearer ", "basic\t", "BASIC ", "abc123def456ghi7", "x" * 32, "https://", "u:p", "@host",
    "://u:[REDACTED]@h", "[REDACTED]", "=", " ", "\n",
    "4111 1111 1111 1111", "378282246310005", "4111-1111", "-1111-1111", "00000000000000000000",
    "\u017f", "\u212a", "ü", "pa\u017f\u017fword=",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
@example("pa\u017f\u017fword=hunter2")
def test_a_text_that_the_quick_look_lets_pass_is_one_that_the_loggers_leave_as_it_is(text: str) -> None:
    credentials = Credentials(KEYS)
    if not credentials.possible(text):
        assert credentials.text(text) == text


@given(
    st.lists(st.sampled_from(PIECES), max_size=4).map("".join),
    st.lists(st.lists(st.sampled_from(PIECES), max_size=3).map("".join), max_size=3),
)
@example("[REDACTED] password=hunter2", ['token="'])
def test_a_credential_is_found_among_the_other_texts_of_its_line(secret: str, others: list[str]) -> None:
    credentials = Credentials(read(CONTRACT).contract.logging.redact)
    assume(credentials.text(secret) != secret)
    context = {f"k{number}": other for number, other in enumerate(others)} | {"here": [{"deep": secret}]}
    assert "secret" in found(json.dumps(GOOD | {"context": context}) + "\n")


def test_a_secret_is_told_by_its_path_and_not_where_its_key_tells_already() -> None:
    secret = "postgres://app:hunter2@db"
    assert found(line(context={"password": secret})) == {"redact": 1}
    assert found(line(context={"a": {"url": secret}})) == {"secret": 1}
    assert found(line(context={"password": "[REDACTED]", "note": "password=[REDACTED]"})) == {}


@pytest.mark.parametrize(
    ("value", "told"), [("****", 0), ("", 0), (None, 0), (False, 0), ([], 0), ("x", 1), (0, 1), ([1], 1), ({"a": 1}, 1)]
)
def test_under_a_secret_key_only_what_tells_something_is_told(value: Any, told: int) -> None:
    assert found(line(context={"db_password": value})).get("redact", 0) == told


CRI = "2026-03-02T10:00:00.104962483Z {} {} {}\n"


def docker(log: str, stream: str = "stdout") -> str:
    return json.dumps({"log": log, "stream": stream, "time": "2026-03-02T10:00:00.104962483Z"}) + "\n"


def test_lines_are_taken_out_of_what_container_runtimes_put_around_them() -> None:
    whole = line().strip()
    captured = (
        whole + "\n"
        + CRI.format("stdout", "F", whole)
        + CRI.format("stdout", "P", whole[:50])
        + CRI.format("stderr", "P", whole[:20])
        + CRI.format("stdout", "P", whole[50:70])
        + CRI.format("stderr", "F", whole[20:])
        + CRI.format("stdout", "F", whole[70:])
        + docker(whole[:30])
        + docker(whole[30:] + "\n")
        + docker(whole + "\n", "stderr")
    )  # fmt: skip
    assert [(one, number) for one, number, _ in unframed(lines([captured.encode()]))] == [
        (whole.encode(), number) for number in (1, 2, 4, 3, 8, 10)
    ]
    assert found(captured + whole + "\r\n") == {}


def test_a_part_without_its_end_is_a_broken_line() -> None:
    assert found(CRI.format("stdout", "P", line()[:50])) == {"json": 1}


def test_an_object_that_only_begins_as_docker_writes_is_the_services_own() -> None:
    assert set(found('{"log":"x"}\n')) == {"required"}
    assert set(found('{"log":"x","stream":"stdout","time":"t","more":1}\n')) == {"required"}


def test_the_column_is_that_of_the_captured_line() -> None:
    checker = Checker(read(CONTRACT))
    head = CRI.format("stdout", "F", "").rstrip("\n")
    for one in unframed(lines([(head + line(level="x")).encode()])):
        checker.check(*one)
    (problem,) = checker.tally.problems({})
    assert (head + line(level="x"))[problem.column - 1 :].startswith('"level"')


@pytest.mark.parametrize(
    ("captured", "skewed"),
    [
        ("2026-03-02T10:01:00.9Z", False),
        ("2026-03-02T10:01:01.1Z", True),
        ("2026-03-02T09:58:59.9Z", True),
        ("2026-03-02T12:00:00.1+02:00", False),
        ("2026-03-02T10:00:00.1+02:00", True),
    ],
)
def test_a_lines_own_time_is_compared_with_that_of_its_capture(captured: str, skewed: bool) -> None:
    assert ("skew" in found(f"{captured} stdout F {line()}")) == skewed


def test_without_a_time_of_capture_a_line_may_be_old_and_not_of_the_future() -> None:
    assert found(line(timestamp="2001-01-01T00:00:00.000Z")) == {}
    assert found(line(timestamp="2999-01-01T00:00:00.000Z")) == {"skew": 1}


@pytest.mark.parametrize(
    "timestamp", ["2026-02-29T00:00:00.000Z", "2026-03-02T10:00:00.00²Z", "\uff12026-03-02T10:00:00.000Z", " ", ""]
)
def test_a_timestamp_is_a_time_that_exists_in_ascii_digits(timestamp: str) -> None:
    assert found(line() + line(timestamp=timestamp)) == {"timestamp": 1}


def test_the_types_of_a_key_are_followed_through_objects_and_lists() -> None:
    drift = [
        ({"a": 1}, {"a": "1"}),
        ({"a": 1}, {"a": True}),
        ({"a": {"b": [1]}}, {"a": {"b": "1"}}),
        ({"a": [{"b": 1}]}, {"a": [{"b": "1"}]}),
    ]
    for one, other in drift:
        assert found(line(context=one) + line(context=other)) == {"type-drift": 1}
    same = [({"a": 1}, {"a": 1.5}), ({"a": 1}, {"a": None}), ({"a": 1}, {"b": "1"}), ({"a": []}, {"a": [1]})]
    for one, other in same:
        assert found(line(context=one) + line(context=other)) == {}


def test_a_declared_type_is_told_as_such_and_null_is_none() -> None:
    assert found(line(context={"duration_ms": "1"}) + line(context={"duration_ms": 1})) == {"type": 1}
    assert found(line(service=None)) == {"type": 1}
    assert found(line(context="none")) == {"type": 1}


def test_services_are_those_of_the_contract_or_the_one_that_is_named() -> None:
    other = line(service="dashboard-service")
    assert found(other) == {}
    assert found(other, service="ai-core-service") == {"service": 1}
    assert found(line(service="new-service"), service="new-service") == {}


def deep_standard() -> Standard:
    """A contract whose fields all stand somewhere else."""
    at = {"timestamp": ("ts",), "level": ("log", "level"), "service": ("app", "name"), "trace_id": ("ids", "trace")}
    fields = {name: Field(path, "string") for name, path in at.items()}
    return Standard(Contract(1, ("shop",), Logging(("INFO",), tuple(at), fields, ())))


def test_fields_may_stand_deeper_in_a_line() -> None:
    checker = Checker(deep_standard())
    good = {"ts": GOOD["timestamp"], "log": {"level": "INFO"}, "app": {"name": "shop"}, "ids": {"trace": TRACE}}
    bad: dict[str, Any] = {"ts": "now", "log": {"level": "x"}, "app": {"name": "x"}, "ids": {}}
    for number, one in enumerate((good, bad), 1):
        checker.check(json.dumps(one).encode(), number)
    assert set(checker.tally.counts) == {"logs/timestamp", "logs/level", "logs/service", "logs/required"}
    assert checker.tally.conforming == 1
    assert checker.unasked() == {"logs/error-fields": "the contract declares no error field"}


def test_lines_are_given_on_as_they_come() -> None:
    came = []

    def stream() -> Iterator[bytes]:
        for piece in (b"one\ntw", b"o\n", b"three"):
            came.append(piece)
            yield piece

    read_on = lines(stream())
    assert (next(read_on), len(came)) == (b"one", 1)
    assert (next(read_on), len(came)) == (b"two", 2)
    assert list(read_on) == [b"three"]


def test_a_line_without_end_and_ids_as_keys_do_not_fill_the_memory() -> None:
    checker = Checker(read(CONTRACT))

    def stream() -> Iterator[bytes]:
        for _ in range(100 * LONGEST // 65536):
            yield b"x" * 65536
        yield b"\n"
        for number in range(3 * MOST_KEYS):
            yield line(context={f"user_{number}": number}).encode()

    tracemalloc.start()
    for one in unframed(lines(stream())):
        checker.check(*one)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30 * LONGEST
    assert checker.tally.lines == 1 + 3 * MOST_KEYS
    assert "beyond the first 10,000 keys" in checker.unasked()["logs/type-drift"]
    assert checker.tally.counts == {"logs/size": 1}
