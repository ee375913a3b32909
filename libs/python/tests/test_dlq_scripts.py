"""The scripts are one text for Python and Go."""

from __future__ import annotations

from auralink_shared.dlq import scripts
from conftest import ROOT

LUA = ROOT / "libs" / "lua"


def test_the_hashes_are_the_pinned_ones() -> None:
    # after a change: python -c 'from auralink_shared.dlq import scripts; print(scripts.sums(), end="")' > libs/lua/SHA1SUMS
    assert (LUA / "SHA1SUMS").read_text(encoding="utf-8") == scripts.sums()
