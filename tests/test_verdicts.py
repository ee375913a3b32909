"""The committed verdicts are those on the committed bytes: what CI relies on where Loki, Promtail and Alloy are absent."""

from pathlib import Path

import pytest

from obsgen.judging.verdicts import RECORDED
from obsgen.judging.verify import verify
from obsgen.road import load, texts

ROOT = Path(__file__).parents[1]
FLEETS = sorted((ROOT / "tests" / "fleets").glob("*/observability.yaml"))
DECLARATIONS = [ROOT / "observability.yaml", *FLEETS, ROOT / "tests" / "matrix" / "observability.yaml"]


@pytest.mark.parametrize("declaration", DECLARATIONS, ids=lambda path: path.parent.name)
def test_every_text_of_a_judge_that_no_registry_carries_has_a_kept_verdict(
    declaration: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # no judge is here
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("OBSGEN_TOOLS", raising=False)
    profiles = sorted(path.stem for path in (declaration.parent / "profiles").glob("*.yaml"))
    declared = {profile: load(declaration, profile) for profile in profiles}

    report = verify(
        {profile: one.plan for profile, one in declared.items()},
        {profile: texts(one) for profile, one in declared.items()},
        require=frozenset(RECORDED),
        record=False,
        folder=declaration.parent / "tests" / "verdicts",
        progress=lambda line: None,
    )

    assert [str(problem) for problem in report.problems] == []
    assert any("by record" in line for line in report.lines())
