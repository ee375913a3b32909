"""The plugin for a service's own tests, in a pytest of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from auralink_shared.logging import StructuredLogger
from log_lines import CONTRACT, line
from obsgen.testing import Lines, assert_logs_conform

pytest_plugins = "pytester"

SERVICE = f"""
import os

GOOD = {line()!r}
BAD = {line(level="WARNING")!r}

def log(text):
    os.write(1, text.encode())  # past sys.stdout, as the loggers write
"""


@pytest.fixture
def service(pytester: pytest.Pytester) -> pytest.Pytester:
    """A service's folder: its contract is named in its configuration."""
    pytester.makeini(f"[pytest]\nobsgen_contract = {CONTRACT}\nobsgen_service = ai-core-service\n")
    pytester.makepyfile(service=SERVICE)
    return pytester


def outcomes(service: pytest.Pytester, body: str) -> dict[str, int]:
    service.makepyfile(test_it=f"from service import *\nfrom obsgen.testing import assert_logs_conform\n{body}")
    return service.runpytest_subprocess("-p", "no:cacheprovider").parseoutcomes()


def test_a_test_that_logs_what_conforms_passes(service: pytest.Pytester) -> None:
    assert outcomes(service, "def test_it(conforming_logs):\n    log(GOOD)\n") == {"passed": 1}


def test_a_test_that_logs_something_else_fails_at_its_end(service: pytest.Pytester) -> None:
    assert outcomes(service, "def test_it(conforming_logs):\n    log(GOOD + BAD)\n") == {"passed": 1, "errors": 1}


def test_a_call_gives_the_lines_since_the_last_one_and_fails_at_its_place(service: pytest.Pytester) -> None:
    body = """
def test_good(conforming_logs):
    log(GOOD)
    (line,) = conforming_logs()
    assert line["message"] == "Agent created"
    log(GOOD * 2)
    assert len(conforming_logs()) == 2

def test_bad(conforming_logs):
    log(BAD)
    conforming_logs()
"""
    assert outcomes(service, body) == {"passed": 1, "failed": 1}


def test_a_test_that_logs_nothing_proves_nothing_and_fails(service: pytest.Pytester) -> None:
    assert outcomes(service, "def test_it(conforming_logs):\n    pass\n") == {"passed": 1, "errors": 1}


def test_the_report_stands_in_the_failure(service: pytest.Pytester) -> None:
    body = """
def test_it(capfd):
    log(BAD)
    assert_logs_conform(capfd.readouterr().out, contract="CONTRACT")
""".replace("CONTRACT", str(CONTRACT))
    service.makepyfile(test_it=f"from service import *\nfrom obsgen.testing import assert_logs_conform\n{body}")
    result = service.runpytest_subprocess("-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["*captured:1:*: no declared level is 'WARNING' (write WARN) *logs/level*"])


def test_without_a_contract_the_test_says_so(service: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OBSGEN_CONTRACT", raising=False)
    service.makeini("[pytest]\n")
    result_of = outcomes(service, "def test_it(conforming_logs):\n    log(GOOD)\n    conforming_logs()\n")
    assert result_of == {"failed": 1}


def test_what_is_allowed_and_what_is_strict_are_as_on_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OBSGEN_CONTRACT", str(CONTRACT))
    captured = f"Listening on port 8000\n{line()}"
    assert assert_logs_conform(captured, allowed=["json=1"])[0]["message"] == "Agent created"
    with pytest.raises(AssertionError, match="text, not JSON"):
        assert_logs_conform(captured)
    assert_logs_conform(line(level="ERROR"))
    with pytest.raises(AssertionError, match="without any error field"):
        assert_logs_conform(line(level="ERROR"), strict=True)


def test_lines_of_the_library_itself_conform(
    conforming_logs: Callable[[], Lines], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fixture in this very pytest, with the logger that services use."""
    monkeypatch.setenv("OBSGEN_CONTRACT", str(CONTRACT))
    StructuredLogger("ai-core-service").error("LLM call failed", TimeoutError("timed out"), {"retry_count": 2})
    (written,) = conforming_logs()
    assert written["error_type"] == "TimeoutError"
