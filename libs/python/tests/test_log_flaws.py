"""Each fault of the plan's own logger, as the test that it is gone."""

from __future__ import annotations

import datetime
import decimal
import os
import re
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import lines
import pytest

from auralink_shared.logging import ContextThreadPoolExecutor, StructuredLogger, continue_trace, new_trace, trace_id_var
from auralink_shared.logging.trace import ZEROS


class BrokenError(Exception):
    def __str__(self) -> str:
        raise ValueError("broken")

    __repr__ = __str__


@pytest.fixture
def out(tmp_path: Path) -> lines.Logged:
    return lines.Logged(tmp_path, "TRACE")


def _circle() -> dict[str, Any]:
    found: dict[str, Any] = {}
    found["self"] = found
    return found


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (datetime.datetime(2025, 1, 2, 3, 4, 5), "2025-01-02T03:04:05"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (decimal.Decimal("1.10"), "1.10"),
        (b"\xff<b>", "\ufffd<b>"),
        ({2, 1}, [1, 2]),
        ({(1, 2): 3}, {"(1, 2)": 3}),
        (_circle(), {"self": "<circular>"}),
        (BrokenError(), "BrokenError: <unprintable BrokenError>"),
        (float("nan"), "NaN"),
        (10**400, hex(10**400)),
    ],
)
def test_a_value_without_a_json_form_is_shown_as_well_as_can_be(out: lines.Logged, value: Any, shown: Any) -> None:
    out.log.info("x", {"value": value})
    assert out.line()["context"] == {"value": shown}


def test_a_logging_error_never_replaces_the_real_one(out: lines.Logged) -> None:
    with pytest.raises(KeyError):
        try:
            raise KeyError("real")
        except KeyError as error:
            out.log.error("x", error=error, context={"value": BrokenError(), "more": _circle()})
            raise
    assert out.line()["error_type"] == "KeyError"


def test_secrets_are_in_no_part_of_a_line(out: lines.Logged) -> None:
    secret = "".join(["hun", "ter2"])  # a stack shows this source
    try:
        raise ConnectionError(f"postgres://app:{secret}@db refused, token={secret}")
    except ConnectionError as error:
        out.log.error(f"password={secret}", error, {"a": [{"dbPassword": secret, "text": f"Bearer {secret * 2}"}]})
    found = out.line()
    assert "hunter2" not in out.path.read_text() and "refused" in found["stack_trace"]
    assert found["error"] == "postgres://app:[REDACTED]@db refused, token=[REDACTED]"


def test_an_error_without_text_is_told_by_its_type(out: lines.Logged) -> None:
    out.log.error("x", error=TimeoutError())
    assert out.line()["error"] == "TimeoutError"


@pytest.mark.parametrize("level", ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "warning", "Critical"])
def test_levels_are_honoured_and_all_are_known(tmp_path: Path, level: str) -> None:
    out = lines.Logged(tmp_path, level)
    for name in ("trace", "debug", "info", "warn", "error", "fatal"):
        getattr(out.log, name)("x")
    all_ = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]
    least = {"warning": "WARN", "Critical": "FATAL"}.get(level, level)
    assert [line["level"] for line in out.lines()] == all_[all_.index(least) :]


def test_an_unknown_level_is_told_where_it_is_given() -> None:
    with pytest.raises(ValueError, match="unknown level 'LOUD'"):
        StructuredLogger("x", "LOUD")


def test_the_exception_at_hand_is_taken(out: lines.Logged) -> None:
    try:
        raise OSError(110, "late")
    except OSError:
        out.log.exception("x")
    found = out.line()
    assert found["error_code"] == "ETIMEDOUT" and "test_log_flaws.py" in found["stack_trace"]


def test_bound_context_is_on_every_line_and_gives_way_to_the_calls_own(out: lines.Logged) -> None:
    bound = out.log.bind(room="a", step=1)
    bound.info("x", {"step": 2})
    out.log.info("y")
    assert [line["context"] for line in out.lines()] == [{"room": "a", "step": 2}, {}]


def test_a_line_without_a_trace_has_zeros(out: lines.Logged) -> None:
    out.log.info("x")
    assert out.line()["trace_id"] == ZEROS


def test_the_trace_is_opentelemetrys_before_what_was_propagated(out: lines.Logged) -> None:
    from opentelemetry.sdk.trace import TracerProvider

    with new_trace() as unit:
        out.log.info("unit")
        with continue_trace("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"):
            out.log.info("propagated")
            with TracerProvider().get_tracer("t").start_as_current_span("s") as span:
                out.log.info("span")
    first, second, third = out.lines()
    assert first["trace_id"] == unit and "span_id" not in first
    assert (second["trace_id"], second["span_id"]) == ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
    assert third["trace_id"] == f"{span.get_span_context().trace_id:032x}"


@pytest.mark.parametrize(
    "header", [None, "", "junk", f"00-{ZEROS}-00f067aa0ba902b7-01", "ff-" + "a" * 32 + "-" + "b" * 16 + "-01"]
)
def test_a_malformed_traceparent_opens_a_fresh_trace(header: str | None) -> None:
    with continue_trace(header) as trace_id:
        assert re.fullmatch("[0-9a-f]{32}", trace_id) and trace_id not in (ZEROS, "a" * 32)
    assert trace_id_var.get() == ""


def test_a_pool_of_threads_keeps_the_trace(out: lines.Logged) -> None:
    with new_trace() as trace_id, ContextThreadPoolExecutor(1) as pool:
        pool.submit(out.log.info, "x").result()
    assert out.line()["trace_id"] == trace_id


@pytest.mark.parametrize("at", [0, 10**9, 1760570460123999999])
def test_a_timestamp_has_three_digits_always(at: int) -> None:
    found = lines.read(lines.entry().line("INFO", "x", at=at))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found["timestamp"])


def test_nothing_warns_even_where_warnings_are_errors() -> None:
    program = "from auralink_shared.logging import StructuredLogger as S; S('a').info('x')"
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, check=True)
    assert lines.read(done.stdout)["message"] == "x" and done.stderr == b""


def test_the_folder_on_the_path_itself_is_told_in_words() -> None:
    package = lines.LIBS / "python" / "auralink_shared"
    done = subprocess.run(
        [sys.executable, "-c", "import logging"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(package)},
    )
    assert "put its parent there" in done.stderr
