"""Snapshots that are the committed trees themselves: `rendered/PROFILE/PATH` of the project and of every fleet."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from syrupy.data import SnapshotCollections
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

ROOT = Path(__file__).parents[1]


class TreeExtension(SingleFileSnapshotExtension):
    """`snapshot(name="rendered/prod/FILES")` is that file, below the project's root.

    syrupy looks for stale snapshots by the names of tests, and would take files of other trees for them: so it is told that there
    are none, and the test compares the names of files itself.
    """

    _write_mode = WriteMode.TEXT
    file_extension = ""

    @classmethod
    def get_location(cls, *, index: Any, **_: Any) -> str:
        """The path below the root."""
        return str(ROOT / str(index))

    @classmethod
    def matches_test_location(cls, **_: Any) -> bool:
        """Every file belongs to the one test that names it."""
        return True

    def read_snapshot_data_from_location(self, *, snapshot_location: str, **_: Any) -> str | None:
        """The bytes as they are: reading text would hide a carriage return."""
        path = Path(snapshot_location)
        return path.read_bytes().decode("utf-8") if path.is_file() else None

    def discover_snapshots(self, **_: Any) -> SnapshotCollections:
        """None: see above."""
        return SnapshotCollections()

    def diff_lines(self, serialized_data: Any, snapshot_data: Any) -> Iterator[str]:
        """A unified diff: syrupy's own colours each character."""
        before, after = (text.replace("\r", "\\r").split("\n") for text in (snapshot_data, serialized_data))
        return difflib.unified_diff(before, after, "committed", "rendered", n=2, lineterm="")
