"""The cluster that all scenarios of a run share."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import images
from .stage import Stage, staged

TREE = Path(__file__).parent / "rendered" / "live"
TOKEN = "operator-of-the-live-run"
VALUES = {
    "slack-webhook": "https://hooks.slack.com/services/T0/B0/platform",
    "slack-webhook-ai": "https://hooks.slack.com/services/T0/B0/ai",
    "watchdog-url": "https://watchdog.example.com/ping",
    "dlq-tokens": f"{hashlib.sha256(TOKEN.encode()).hexdigest()} operator nina\n",
}


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """The tree of profile `live`, applied; without OBSGEN_LIVE=all what no registry carries stays out."""
    without = () if os.environ.get("OBSGEN_LIVE") == "all" else images.UNREGISTERED
    with staged(TREE, VALUES, without=without) as made:
        for app in ("alertmanager", "prometheus", "dlq-redis", "redis-exporter", "dlq-api"):
            made.await_ready(app)
        yield made
