"""Compiled templates and the tables of LogQL are kept in the user's cache; what is rendered never depends on it."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def rendered(out: Path, cache: Path) -> dict[str, bytes]:
    """The tree that a fresh process renders, with its cache there."""
    command = [sys.executable, "-m", "obsgen", "render", "--profile", "prod", "--out", str(out)]
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_a_run_from_the_cache_gives_the_same_bytes_as_the_one_that_filled_it(tmp_path: Path) -> None:
    first = rendered(tmp_path / "first", tmp_path / "cache")

    assert list((tmp_path / "cache" / "obsgen" / "compiled").iterdir())
    assert rendered(tmp_path / "second", tmp_path / "cache") == first


def test_a_cache_that_cannot_be_made_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file where the cache's folder would be", encoding="utf-8")

    assert rendered(tmp_path / "out", tmp_path / "file")


def test_a_broken_cache_is_done_without(tmp_path: Path) -> None:
    first = rendered(tmp_path / "first", tmp_path / "cache")
    for kept in (tmp_path / "cache" / "obsgen" / "compiled").iterdir():
        kept.write_bytes(b"not what was kept")

    assert rendered(tmp_path / "second", tmp_path / "cache") == first
