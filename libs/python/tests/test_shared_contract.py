"""The contract that a service reads: the rendered one, or this release's."""

from __future__ import annotations

from pathlib import Path

import lines
import pytest

from auralink_shared import contract
from auralink_shared.logging import StructuredLogger


def test_the_embedded_contract_is_the_rendered_one() -> None:
    embedded = lines.LIBS / "python" / "auralink_shared" / "default_contract.json"
    rendered = lines.RENDERED / "contract.json"
    assert embedded.read_text() == rendered.read_text(), f"cp {rendered} {embedded}"


def test_a_named_contract_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (lines.RENDERED / "contract.json").read_text().replace('"cookie"', '"cookie", "colour"')
    (tmp_path / "c.json").write_text(text)
    monkeypatch.setenv("OBSGEN_CONTRACT", str(tmp_path / "c.json"))
    contract.load.cache_clear()
    try:
        out = lines.Logged(tmp_path)
    finally:
        contract.load.cache_clear()
    out.log.info("x", {"colour": "red"})
    assert out.line()["context"] == {"colour": "[REDACTED]"}


@pytest.mark.parametrize("text", [None, "{", "[]", '{"version": 2, "logging": {}}'])
def test_a_named_contract_that_is_none_is_an_error_and_the_logger_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    path = tmp_path / "c.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(contract.ContractError, match=r"c\.json: "):
        contract.load(str(path))
    monkeypatch.setenv("OBSGEN_CONTRACT", str(path))
    contract.load.cache_clear()
    try:
        found = lines.Logged(tmp_path).line()
    finally:
        contract.load.cache_clear()
    assert found["level"] == "ERROR" and "c.json: " in found["error"]
    assert StructuredLogger("x").service_name == "x"
