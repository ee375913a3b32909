"""The form of a line: its keys, its limits, whatever the values are."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import lines
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auralink_shared.logging.failure import Failure, failure
from auralink_shared.logging.trace import ZEROS, Identity

KEYS = (
    "timestamp level service trace_id span_id user_id request_id message error error_type error_code stack_trace "
    "context metadata truncated"
)
ORDER = KEYS.split()
ALWAYS = {"timestamp", "level", "service", "trace_id", "message", "context", "metadata"}
_vectors = json.loads(lines.VECTORS.read_text())["vectors"]

text = st.text(st.characters(), max_size=50)  # half surrogate pairs too
leaf = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), text, st.binary(), st.datetimes(), st.decimals(), st.uuids(),
    st.timedeltas(), st.just(object()), st.sets(st.integers()), st.builds(ValueError, text),
)  # fmt: skip
keys = st.one_of(
    text, st.integers(), st.tuples(st.integers()), st.sampled_from(["duration_ms", "state", "retry_count"])
)
values = st.recursive(leaf, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=30)


@pytest.mark.parametrize("fast", [True, False], ids=["orjson", "stdlib"])
@pytest.mark.parametrize("vector", _vectors, ids=lambda vector: vector["name"])
def test_a_line_is_the_shared_vector_byte_for_byte(vector: dict[str, Any], fast: bool) -> None:
    entry = lines.entry(fast=fast)
    for _ in range(3):  # what is new, what was there once, what is known
        assert lines.rendered(vector, entry) == vector["line"]
    lines.read(vector["line"].encode())


def _harmless(text: str) -> bool:
    return not any(mark in text for mark in "=:'\"") and not any(character.isdigit() for character in text)


def test_every_key_stands_in_its_place() -> None:
    who = Identity("a" * 32, "b" * 16, "user", "request")
    line = lines.entry().line("ERROR", "m" * 9000, {"a": 1}, who, Failure("e", "E", "C", "s"), lines.AT)
    assert list(lines.read(line)) == ORDER


def test_what_is_always_there_is_there_without_anything_given() -> None:
    found = lines.read(lines.entry().line("INFO", "x"))
    assert set(found) == ALWAYS
    assert found["trace_id"] == ZEROS and found["context"] == {} and list(found["metadata"]) == list(lines.METADATA)


@settings(max_examples=300, deadline=None)
@given(message=st.one_of(text, leaf), context=st.dictionaries(keys, values) | values)
def test_any_value_gives_one_valid_line(message: Any, context: Any) -> None:
    found = lines.read(lines.entry().line("INFO", message, context))
    assert list(found) == [key for key in ORDER if key in found]


@settings(max_examples=50, deadline=None)
@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(_harmless),
    st.integers(1, 9000),
    st.integers(1, 9),
    st.booleans(),
)
def test_any_length_fits_a_line_and_what_is_cut_is_said(text: str, length: int, times: int, both: bool) -> None:
    long = (text * length)[:length]
    context = {f"k{i}": long for i in range(times)} if both else {"k": [long] * times}
    given = Failure(long, "E", "", long * times)
    found = lines.read(lines.entry().line("ERROR", long * times, context, Identity(), given))
    whole = [found["message"], found["error"], found["stack_trace"], *_texts(found["context"])]
    assert found.get("truncated") is True or sum(map(len, whole)) == length * (3 * times + 1)


def _texts(context: dict[str, Any]) -> list[str]:
    return [text for value in context.values() for text in (value if isinstance(value, list) else [value])]


def test_a_small_member_after_a_large_one_stays() -> None:
    context = {"large": list(range(100000)), "id": 7}
    found = lines.read(lines.entry().line("INFO", "x", context))
    assert found["context"]["id"] == 7 and found["truncated"] is True


def test_a_secret_across_the_cut_is_not_half_shown() -> None:
    for pad in range(8150, 8200):
        found = lines.read(lines.entry().line("INFO", "x" * pad + ' {"password": "hunter2hunter2hunter2"}'))
        assert "hunter2" not in found["message"]


def test_causes_stand_in_the_stack() -> None:
    try:
        try:
            raise KeyError("first")
        except KeyError as error:
            raise RuntimeError("second") from error
    except RuntimeError as error:
        found = failure(error)
    assert found.error == "second" and "KeyError: 'first'" in found.stack_trace


@pytest.mark.parametrize(
    ("error", "code"), [(FileNotFoundError(2, "gone"), "ENOENT"), (ValueError("x"), ""), (SystemExit(3), "")]
)
def test_an_error_code_is_the_exceptions_own(error: BaseException, code: str) -> None:
    assert failure(error).error_code == code


def test_the_design_says_the_order_that_lines_have() -> None:
    design = (lines.LIBS.parent / "docs" / "design.md").read_text()
    assert f"`{KEYS}`" in design


def test_the_example_of_the_readme_runs(capfd: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (lines.LIBS / "python" / "README.md").read_text(), re.S)
    subprocess.run([sys.executable, "-c", example], check=True)
    out, err = capfd.readouterr()
    first, second = (lines.read(line.encode()) for line in out.splitlines(keepends=True))
    assert first["trace_id"] == second["trace_id"] != ZEROS and second["error_type"] == "TimeoutError" and not err
