"""A short soak (docs/soak.md): Redis loses its power under clients at work, alone and as a Cluster."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from conftest import ROOT, server_program


def test_a_power_cut_loses_nothing_that_was_acknowledged_and_everysec_is_seen_to() -> None:
    server_program()
    if not (shutil.which("cc") or shutil.which("gcc")):
        said = "no C compiler is here, so no power was cut (Debian: gcc and libc6-dev)"
        if os.environ.get("OBSGEN_REQUIRE_JUDGES") == "1":
            pytest.fail(said)
        pytest.skip(said)
    command = [sys.executable, "-m", "soak", "--rounds", "1", "--event", "cut", "--python-only"]
    soaked = subprocess.run(command, cwd=ROOT / "libs", capture_output=True, text=True, timeout=300)
    assert soaked.returncode == 0, soaked.stderr
    assert "one Redis, power cut: 1 of 1, 0 lost" in soaked.stderr
    assert "a Cluster of three, power cut: 1 of 1, 0 lost" in soaked.stderr
