"""A test whose judge is not here says so, and fails where `.ci/run` requires the judges: there is one door for that."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conftest import absent

TESTS = Path(__file__).parent


@pytest.mark.parametrize(
    ("name", "required", "ends", "where"),
    [
        ("amtool", "1", pytest.fail.Exception, "make tools; docs/judges.md"),
        ("amtool", "", pytest.skip.Exception, "make tools; docs/judges.md"),
        ("loki", "1", pytest.skip.Exception, "docs/judges.md"),  # in no registry: its verdicts are kept
    ],
)
def test_an_absent_judge_fails_a_test_where_judges_are_required_and_a_registry_carries_it(
    name: str, required: str, ends: type[BaseException], where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OBSGEN_REQUIRE_JUDGES", required)
    with pytest.raises(BaseException) as ended:  # a skip that escaped would skip this test
        absent(name, "nothing was asked")
    assert ended.type is ends
    assert str(ended.value) == f"{name} is not here, so nothing was asked ({where})"


def test_no_other_test_skips_by_itself() -> None:
    word = re.compile(r"pytest\.(skip|importorskip|mark\.skip|mark\.skipif|mark\.xfail)\b")
    found = {path.name for path in TESTS.glob("*.py") if word.search(path.read_text(encoding="utf-8"))}
    assert found == {"conftest.py", "test_absent_judges.py", "test_live_run.py"}
