"""What several tests share: a small declaration of their own to break, and one way to run obsgen on it."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, NoReturn

import pytest
from click.testing import CliRunner
from hypothesis import settings

from obsgen.cli import main
from obsgen.judging import tools
from obsgen.judging.verdicts import RECORDED

settings.register_profile("obsgen", deadline=None)  # the machine may be busy
settings.load_profile("obsgen")

# What a test starts must hear SIGINT, also where a shell began this run in the background: those ignore it, and so would their children.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# They want namespaces of their own: tests/live/run makes them.
collect_ignore = [] if "OBSGEN_LIVE" in os.environ else ["live"]

FLEETS = Path(__file__).parent / "fleets"


class Ran(NamedTuple):
    """How a command ended: exit code, stdout, stderr."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


def absent(name: str, unasked: str) -> NoReturn:
    """Skips a test whose judge is not here, and says what was not asked.

    With OBSGEN_REQUIRE_JUDGES=1, as `.ci/run` has it, fails it: but for the judges that no registry carries, whose verdicts are kept.
    """
    recorded = name in RECORDED
    said = f"{name} is not here, so {unasked} ({'' if recorded else 'make tools; '}docs/judges.md)"
    if os.environ.get("OBSGEN_REQUIRE_JUDGES") == "1" and not recorded:
        pytest.fail(said)
    pytest.skip(said)


def judge(name: str, version: str, unasked: str) -> Path:
    """The program of a judge; where there is none, the test ends as `absent` says."""
    found = tools.find(name, version)
    return found.path if found else absent(name, unasked)


@pytest.fixture
def run() -> Run:
    """`run("check", "--all")`; an exception that obsgen doesn't turn into a message fails the test."""

    def ran(*words: str) -> Ran:
        result = CliRunner().invoke(main, words, catch_exceptions=False)
        return Ran(result.exit_code, result.stdout, result.stderr)

    return ran


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The smallest fleet in a folder of its own, which is the working folder; its profile is `one`."""
    shutil.copy(FLEETS / "smallest" / "observability.yaml", tmp_path)
    shutil.copytree(FLEETS / "smallest" / "profiles", tmp_path / "profiles")
    monkeypatch.chdir(tmp_path)
    return tmp_path
