"""The cluster that all scenarios of a run share."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import images
from .stage import Stage, staged

CONFIG = Path(__file__).parent / "observability.yaml"
SERVICES = Path(__file__).parent / "services.yaml"
TOKEN = "operator-of-the-live-run"
VALUES = {
    "slack-webhook": "https://hooks.slack.com/services/T0/B0/platform",
    "slack-webhook-ai": "https://hooks.slack.com/services/T0/B0/ai",
    "watchdog-url": "https://watchdog.example.com/ping",
    "dlq-tokens": f"{hashlib.sha256(TOKEN.encode()).hexdigest()} operator nina\n",
}


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The tree of profile `live`, rendered and applied; without OBSGEN_LIVE=all what no registry carries stays out."""
    tree = tmp_path_factory.mktemp("rendered") / "live"
    words = ("render", "--config", str(CONFIG), "--profile", "live", "--out", str(tree))
    subprocess.run([sys.executable, "-m", "obsgen", *words], check=True)
    without = () if os.environ.get("OBSGEN_LIVE") == "all" else images.UNREGISTERED
    with staged(tree, VALUES, without=without) as made:
        made.plane.kubectl("apply", "--server-side", "-f", str(SERVICES))
        for app in (
            "alertmanager",
            "prometheus",
            "dlq-redis",
            "redis-exporter",
            "dlq-api",
            "dashboard-service",
            "ai-core-service",
        ):
            made.await_ready(app)
        yield made
