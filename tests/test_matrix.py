"""The shipped declaration with each agent, Loki in each mode, for each output: rendered, pinned by hashes, judged by `obsgen verify`.

The trees that people read are committed (rendered/, tests/fleets/*/rendered); of these, tests/matrix/pinned/PROFILE.sha256 holds a hash
of every file, as sha256sum writes it. After a change that should show: pytest tests/test_matrix.py --snapshot-update.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from conftest import Run
from obsgen.quoting import sha256
from obsgen.road import load, schema, texts
from snapshot_tree import ROOT, TreeExtension

MATRIX = ROOT / "tests" / "matrix"
PROFILES = sorted(path.stem for path in (MATRIX / "profiles").glob("*.yaml"))


def words(*path: str) -> list[str]:
    """The values that the grammar allows at a place."""
    found: Any = schema("observability")
    for key in path:
        found = found["properties"][key]
        found = schema("observability")["$defs"][found["$ref"].rpartition("/")[2]] if "$ref" in found else found
    return [str(word) for word in found["enum"]]


ALL = list(itertools.product(words("output"), words("logging", "agent", "type"), words("loki", "mode")))


def test_every_agent_mode_and_output_has_a_profile_or_is_refused(run: Run, tmp_path: Path) -> None:
    refused = sorted("-".join(one) for one in ALL if "-".join(one) not in PROFILES)
    assert {name.partition("-")[0] for name in refused} == {"compose"}
    (tmp_path / "observability.yaml").symlink_to(ROOT / "observability.yaml")
    (tmp_path / "profiles").mkdir()
    for name in refused:
        mode = name.split("-", 2)[2]
        (tmp_path / "profiles" / f"{name}.yaml").write_text(
            f"output: compose\nloki: {{mode: {mode}}}\n", encoding="utf-8"
        )
        ran = run("check", "--profile", name, "--config", str(tmp_path / "observability.yaml"))
        assert ran.code == 1
        assert f"profiles/{name}.yaml:2:14" in ran.out


@pytest.mark.parametrize("profile", PROFILES)
def test_every_file_has_the_pinned_hash(profile: str, snapshot: SnapshotAssertion) -> None:
    rendered = texts(load(MATRIX / "observability.yaml", profile))
    hashes = "".join(f"{sha256(text)}  {path}\n" for path, text in rendered.items())
    pinned = snapshot.use_extension(TreeExtension)
    assert hashes == pinned(name=f"tests/matrix/pinned/{profile}.sha256")


def test_every_pinned_list_belongs_to_a_profile() -> None:
    assert sorted(path.stem for path in (MATRIX / "pinned").iterdir()) == PROFILES


@pytest.mark.parametrize("profile", sorted(path.stem for path in (ROOT / "profiles").glob("*.yaml")))
@pytest.mark.parametrize(("output", "agent", "mode"), ALL, ids="-".join)
def test_every_shipped_profile_renders_or_is_refused(
    run: Run, tmp_path: Path, profile: str, output: str, agent: str, mode: str
) -> None:
    """Refused is what one machine can't hold, and Loki on several pods without a bucket; nothing else, and nothing fails."""
    (tmp_path / "observability.yaml").symlink_to(ROOT / "observability.yaml")
    (tmp_path / "profiles").mkdir()
    for shipped in (ROOT / "profiles").glob("*.yaml"):
        (tmp_path / "profiles" / shipped.name).symlink_to(shipped)
    moved = (
        f"extends: {profile}\noutput: {output}\nlogging: {{agent: {{type: {agent}}}}}\nloki: {{mode: {mode}}}\n"
        "operator: {labels: {release: kube-prometheus-stack}}\n"
    )
    (tmp_path / "profiles" / "moved.yaml").write_text(moved, encoding="utf-8")
    ran = run(
        "render", "--profile", "moved", "--config", str(tmp_path / "observability.yaml"), "--out", str(tmp_path / "out")
    )
    said = {
        line.rpartition("[")[2].rstrip("]")
        for line in ran.err.splitlines()
        if "[" in line and ": warning: " not in line
    }
    if ran.code == 0:
        assert (tmp_path / "out" / "FILES").is_file()
    else:
        assert ran.code == 1
        assert said <= {"output/one-machine", "loki/no-bucket"}
        assert said
        assert not (tmp_path / "out").exists()
