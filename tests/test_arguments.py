"""Every argument of every container that we render is one that its program knows: a misspelt flag stops the server at its start."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from conftest import judge

ROOT = Path(__file__).parents[1]
TREES = [*sorted((ROOT / "rendered").iterdir()), *sorted((ROOT / "tests" / "fleets").glob("*/rendered/*"))]
TARGETS = {"prometheus": "3.13", "alertmanager": "0.34", "loki": "3.7", "promtail": "3.6"}


def flags(program: str) -> set[str]:
    """Flags that trees give to a container of this name, without dashes and values."""
    found = set()
    for manifest in (path for tree in TREES for path in sorted(tree.glob("*/*.yaml"))):
        for workload in yaml.safe_load_all(manifest.read_text(encoding="utf-8")):
            template = (workload.get("spec") or {}).get("template", {})
            for container in template.get("spec", {}).get("containers", []) if isinstance(template, dict) else []:
                if container["name"] == program:
                    found |= {argument.lstrip("-").partition("=")[0] for argument in container["args"]}
    return found


@pytest.mark.parametrize("program", sorted(TARGETS))
def test_each_rendered_flag_is_one_that_the_program_knows(program: str) -> None:
    tool = judge(program, TARGETS[program], "its arguments were not checked")
    said = subprocess.run([tool, "--help"], capture_output=True, text=True, timeout=60)
    known = set(re.findall(r"^\s*--?(?:\[no-\])?([a-z][\w.-]*)", said.stdout + said.stderr, re.MULTILINE))

    assert flags(program), "nothing was rendered for it"
    assert flags(program) - known == set()
