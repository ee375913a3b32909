"""What is rendered is what is committed: every profile of the project and of every fleet, file by file.

After a change that should show: pytest tests/test_snapshots.py --snapshot-update, and read the diff.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from obsgen.road import load, texts
from snapshot_tree import ROOT, TreeExtension

FOLDERS = [ROOT, *sorted(path.parent for path in (ROOT / "tests/fleets").glob("*/observability.yaml"))]
TREES = [(folder, path.stem) for folder in FOLDERS for path in sorted((folder / "profiles").glob("*.yaml"))]


@pytest.fixture
def committed(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(TreeExtension)


@pytest.mark.parametrize(
    ("folder", "profile"), TREES, ids=[f"{folder.relative_to(ROOT)}-{name}" for folder, name in TREES]
)
def test_every_rendered_text_is_the_committed_file(folder: Path, profile: str, committed: SnapshotAssertion) -> None:
    tree = folder / "rendered" / profile
    rendered = texts(load(folder / "observability.yaml", profile))
    different = []
    for path, text in rendered.items():
        if text != committed(name=str((tree / path).relative_to(ROOT))):
            different += ["", f"{tree.relative_to(ROOT) / path}:", *committed.get_assert_diff()]
    stale = [path for path in sorted(tree.rglob("*")) if path.is_file() and str(path.relative_to(tree)) not in rendered]
    if committed.update_snapshots:
        while stale:
            stale.pop().unlink()
    assert not different, "\n".join(different)
    assert stale == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_every_committed_tree_belongs_to_a_profile(folder: Path) -> None:
    trees = {path.name for path in (folder / "rendered").iterdir()}
    assert trees == {profile for where, profile in TREES if where == folder}
