"""The machine that all scenarios of this folder share: the tree of profile `compose`; it is gone when the cluster of the others comes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from .. import stands
from ..conftest import RUN, VALUES
from . import engine
from .engine import Engine

ALERTING = ("alertmanager", "prometheus", "dlq-redis", "redis-exporter", "dlq-api", "dlq-cleanup")
LOGS = ("loki", "alloy")
SERVICES = ("dashboard-service", "ai-core-service", "silent", "stranger")


@pytest.fixture(scope="package")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tree of each profile, and beside them the services that their owners run."""
    folder = tmp_path_factory.mktemp("machine")
    for profile in ("compose", "compose-promtail"):
        tree = folder / profile
        stands.render(profile, tree)
        engine.secrets(tree, VALUES)
    (folder / "services").mkdir()
    shutil.copy(Path(__file__).with_name("services.yaml"), folder / "services" / "compose.yaml")
    return folder


@pytest.fixture(scope="package")
def machine(trees: Path) -> Iterator[Engine]:
    """Up, and healthy; without OBSGEN_LIVE=all what no registry carries stays out. Grafana is not here at all."""
    started = (*LOGS, *ALERTING) if RUN == "all" else ALERTING
    with engine.machine() as made:
        made.up(trees / "compose" / "compose.yaml", started)
        made.up(trees / "services" / "compose.yaml")
        made.await_healthy(*started, *SERVICES)
        yield made
