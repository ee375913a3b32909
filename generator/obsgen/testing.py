"""For the tests of a service in Python, as a plugin of pytest that is there wherever obsgen is installed.

`assert_logs_conform(text)` holds what a test captured to the contract; the fixture `conforming_logs` does so with all that a test
writes to stdout. The contract is the one that pytest's `obsgen_contract` names, else `$OBSGEN_CONTRACT`; `obsgen_service` says
who writes here. The rules are those of `obsgen logs check`: errors fail the test, with `strict` warnings do too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from .problem import ProblemsError

Lines = list[dict[str, Any]]


def assert_logs_conform(
    captured: str | bytes,
    *,
    contract: str | os.PathLike[str] | None = None,
    service: str | None = None,
    allowed: Sequence[str] = (),
    strict: bool = False,
) -> Lines:
    """The captured lines as objects; AssertionError with the report where they don't conform, or where there are none.

    `contract` is a rendered contract.json (default `$OBSGEN_CONTRACT`), `service` who writes (default any declared one), `allowed`
    what `--max` takes, as in `["json=2"]`.
    """
    __tracebackhide__ = True
    from .conformance import standard
    from .conformance.checker import Checker
    from .conformance.frames import lines, unframed
    from .conformance.rules import allowance
    from .conformance.stream import conclude

    named = contract or os.environ.get("OBSGEN_CONTRACT")
    if not named:
        raise pytest.UsageError("no contract: set obsgen_contract in pytest's configuration, or OBSGEN_CONTRACT")
    try:
        checker = Checker(standard.read(Path(named)), source="captured", service=service)
    except ProblemsError as stopped:
        raise pytest.UsageError(str(stopped)) from None
    text = captured.encode("utf-8", "surrogateescape") if isinstance(captured, str) else captured
    objects = [checker.check(*line) for line in unframed(lines([text]))]
    found = conclude(checker, dict(map(allowance, allowed)))
    if found.failed or (strict and found.problems):
        raise AssertionError(f"log lines that don't conform to {named}\n{found.text('text')}")
    return [one for one in objects if one is not None]


def pytest_addoption(parser: pytest.Parser) -> None:
    """The keys of pytest's configuration."""
    parser.addini("obsgen_contract", "rendered contract.json that log lines must conform to", type="string")
    parser.addini("obsgen_service", "the service whose log lines these are", type="string")


@pytest.fixture
def conforming_logs(capfd: pytest.CaptureFixture[str], pytestconfig: pytest.Config) -> Iterator[Callable[[], Lines]]:
    """All that the test writes to stdout must conform. A call gives the lines since the last one, as objects."""
    named, service = pytestconfig.getini("obsgen_contract"), pytestconfig.getini("obsgen_service") or None
    contract = pytestconfig.rootpath / named if named else None
    calls = 0

    def conforming() -> Lines:
        __tracebackhide__ = True
        nonlocal calls
        calls += 1
        return assert_logs_conform(capfd.readouterr().out, contract=contract, service=service)

    yield conforming
    rest = capfd.readouterr().out
    if rest or not calls:
        assert_logs_conform(rest, contract=contract, service=service)
