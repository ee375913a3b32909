"""The machine that all scenarios of this folder share: the tree of profile `compose`, up before the cluster of the others and gone when it comes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..conftest import CONFIG, VALUES
from . import engine
from .engine import Engine
from .project import read

ALERTING = ("alertmanager", "prometheus", "dlq-redis", "redis-exporter", "dlq-api", "dlq-cleanup")
LOGS = ("loki", "alloy")
NEVER = ("grafana",)  # no registry carries it, and there is none here


@pytest.fixture(scope="package")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Up, and healthy; without OBSGEN_LIVE=all what no registry carries stays out."""
    tree = rendered("compose", tmp_path_factory.mktemp("rendered"))
    started = (*LOGS, *ALERTING) if os.environ.get("OBSGEN_LIVE") == "all" else ALERTING
    with engine.machine() as made:
        made.up(tree / "compose.yaml", started)
        made.await_healthy(*started)
        yield made


def rendered(profile: str, folder: Path) -> Path:
    """The tree of a profile, with the files of its SECRETS.md."""
    tree = folder / profile
    words = ("render", "--config", str(CONFIG), "--profile", profile, "--out", str(tree))
    subprocess.run([sys.executable, "-m", "obsgen", *words], check=True)
    engine.secrets(tree, VALUES)
    return tree
