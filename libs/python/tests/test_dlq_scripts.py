"""The scripts are one text for Python and Go, and do what commands.txt allows."""

from __future__ import annotations

import re

from auralink_shared.dlq import scripts
from conftest import ROOT

LUA = ROOT / "libs" / "lua"


def test_the_hashes_are_the_pinned_ones() -> None:
    # after a change: python -c 'from auralink_shared.dlq import scripts; print(scripts.sums(), end="")' > libs/lua/SHA1SUMS
    assert (LUA / "SHA1SUMS").read_text(encoding="utf-8") == scripts.sums()


def test_every_command_that_a_script_calls_is_allowed() -> None:
    called = {
        name.lower()
        for path in LUA.glob("*.lua")
        for name in re.findall(r"call\('(\w+)'", path.read_text(encoding="utf-8"))
    }
    allowed = {line.split()[0] for line in (LUA / "commands.txt").read_text(encoding="utf-8").splitlines()}
    assert len(called) > 15
    assert called <= allowed
