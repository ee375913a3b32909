"""Lines of other libraries: stdlib logging, warnings, hooks, asyncio, structlog."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import lines
import pytest
import structlog

from auralink_shared.logging import ObsFormatter, ObsHandler, StructlogRenderer


def run(program: str, *, status: int = 0) -> list[dict[str, Any]]:
    """Every line of a program that begins with `setup`; nothing else comes out of it, on either stream."""
    head = "import logging, sys, threading, warnings, asyncio\nfrom auralink_shared.logging import setup\n"
    done = subprocess.run([sys.executable, "-c", head + program], capture_output=True)
    assert done.returncode == status and done.stderr == b""
    return [lines.read(line) for line in done.stdout.splitlines(keepends=True)]


def test_a_librarys_record_has_its_logger_its_extra_and_its_exception() -> None:
    (found,) = run(
        "setup('a')\ntry:\n 1 / 0\nexcept ZeroDivisionError:\n"
        " logging.getLogger('lib.x').exception('%s failed', 'it', extra={'room': 7, 'context': {'b': 1}})"
    )
    assert found["message"] == "it failed" and found["level"] == "ERROR" and found["error_type"] == "ZeroDivisionError"
    assert found["context"] == {"logger": "lib.x", "room": 7, "b": 1}


def test_arguments_that_do_not_fit_are_shown() -> None:
    (found,) = run("setup('a'); logging.getLogger().error('%d', 'text')")
    assert found["message"] == "%d ('text',)"


def test_a_logger_with_a_handler_of_its_own_comes_over() -> None:
    found = run(
        "own = logging.getLogger('uvicorn.access'); own.addHandler(logging.StreamHandler()); own.propagate = False\n"
        "logging.basicConfig(); setup('a'); own.warning('x'); setup('a'); own.warning('y')"
    )
    assert [(line["level"], line["message"]) for line in found] == [("WARN", "x"), ("WARN", "y")]


def test_warnings_and_uncaught_exceptions_are_lines() -> None:
    found = run(
        "setup('a'); warnings.warn('old')\n"
        "t = threading.Thread(target=lambda: 1 / 0, name='t'); t.start(); t.join()\n"
        "class D:\n def __del__(self): raise ValueError('d')\n"
        "D(); raise RuntimeError('end')",
        status=1,
    )
    assert [line["level"] for line in found] == ["WARN", "ERROR", "ERROR", "FATAL"]
    assert [line.get("error_type") for line in found[1:]] == ["ZeroDivisionError", "ValueError", "RuntimeError"]


def test_a_task_that_nobody_awaited_is_a_line() -> None:
    (found,) = run(
        "setup('a')\nasync def fail(): raise ValueError('t')\n"
        "async def main():\n task = asyncio.create_task(fail()); await asyncio.sleep(0); del task\n"
        "asyncio.run(main())"
    )
    assert found["context"]["logger"] == "asyncio" and found["error"] == "t"


def test_a_formatter_serves_any_handler(tmp_path: Path) -> None:
    handler = logging.FileHandler(tmp_path / "f")
    handler.setFormatter(ObsFormatter(lines.entry()))
    handler.emit(logging.makeLogRecord({"msg": "x", "levelno": 25, "created": 0.5}))
    handler.close()
    found = lines.read((tmp_path / "f").read_bytes())
    assert found["level"] == "INFO" and found["timestamp"] == "1970-01-01T00:00:00.500Z"


def test_another_formatters_text_is_written_too(tmp_path: Path) -> None:
    out = lines.Logged(tmp_path)
    handler = ObsHandler(out.log.entry, out.log.writer)
    handler.setFormatter(logging.Formatter("%(message)s"))
    handler.emit(logging.makeLogRecord({"msg": "plain"}))
    assert out.path.read_bytes() == b"plain\n"


@pytest.mark.parametrize(("method", "level"), [("debug", "DEBUG"), ("warning", "WARN"), ("critical", "FATAL")])
def test_structlogs_events_are_lines(tmp_path: Path, method: str, level: str) -> None:
    with (tmp_path / "s").open("wb") as file:
        log = structlog.wrap_logger(
            structlog.BytesLogger(file),
            processors=[structlog.processors.add_log_level, StructlogRenderer(lines.entry())],
            wrapper_class=structlog.BoundLogger,
        )
        getattr(log.bind(room=7), method)("hello", password="x")
    found = lines.read((tmp_path / "s").read_bytes())
    assert (found["level"], found["message"]) == (level, "hello")
    assert found["context"] == {"room": 7, "password": "[REDACTED]"}


def test_structlogs_exception_has_its_stack(tmp_path: Path) -> None:
    with (tmp_path / "s").open("wb") as file:
        log = structlog.wrap_logger(structlog.BytesLogger(file), processors=[StructlogRenderer(lines.entry())])
        try:
            raise KeyError("k")
        except KeyError:
            log.error("hello", exc_info=True)
    found = lines.read((tmp_path / "s").read_bytes())
    assert found["error_type"] == "KeyError" and "Traceback" in found["stack_trace"]
