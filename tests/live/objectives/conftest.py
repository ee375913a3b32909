"""The machine whose success is measured: the tree of profile `objectives` on the engine of tests/live/compose."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from .. import stands
from ..compose import engine
from ..compose.conftest import ALERTING, LOGS
from ..compose.engine import Engine
from ..conftest import VALUES
from ..scenarios import HERE

SERVICES = ("dashboard-service", "ai-core-service")


@pytest.fixture(scope="package")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the rendered tree, `compose`, and the services of tests/live/compose beside it."""
    folder = tmp_path_factory.mktemp("machine")
    stands.render("objectives", folder / "compose")
    engine.secrets(folder / "compose", VALUES)
    (folder / "services").mkdir()
    shutil.copy(HERE / "compose" / "services.yaml", folder / "services" / "compose.yaml")
    return folder


@pytest.fixture(scope="package")
def machine(trees: Path) -> Iterator[Engine]:
    """Up, healthy, with the declared services, of which nobody has asked anything yet."""
    with engine.machine() as made:
        made.up(trees / "compose" / "compose.yaml", (*LOGS, *ALERTING))
        made.up(trees / "services" / "compose.yaml", SERVICES)
        made.await_healthy(*LOGS, *ALERTING, *SERVICES)
        yield made
