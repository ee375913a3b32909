"""The road in steps, one process: `python -m bench.stages FOLDER` prints JSON: CPU seconds and bytes of each step.

What a step imports is imported before.
"""

from __future__ import annotations

import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from obsgen import model, road, tree
from obsgen.artifacts import artifacts
from obsgen.checks import check
from obsgen.cli import COLLECTOR
from obsgen.render import environment, render
from obsgen.stack import stack

_PROFILE = "prod"


class Clock:
    """CPU seconds and bytes by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.bytes: dict[str, int] = {}

    def step(self, name: str, work: Callable[[], Any], size: Callable[[Any], int]) -> Any:
        """What `work` gives, timed; `size` says how many bytes went in or came out."""
        start = time.process_time()
        made = work()
        self.seconds[name] = time.process_time() - start
        self.bytes[name] = size(made)
        return made


def _length(texts: dict[str, str]) -> int:
    return sum(len(text.encode()) for text in texts.values())


def measure(folder: Path) -> Clock:
    """Every step once, in order."""
    gc.set_threshold(*COLLECTOR)
    environment()
    clock = Clock()
    config = folder / "observability.yaml"
    written = config.stat().st_size

    def source(_: Any) -> int:
        return written

    layers = clock.step("read", lambda: stack(config, _PROFILE, folder / "profiles"), source)
    clock.step("shape", lambda: road.shape(layers), source)
    d = clock.step("model", lambda: model.declaration(layers.data, road.schema("observability")), source)
    declared = road.Declared(layers, d, {}, _PROFILE, ("observability.yaml",), {})
    plan = clock.step("rules", lambda: declared.plan, source)  # the checks ask for them, so before them
    clock.step("checks", lambda: check(declared), source)
    ours = [a for a in artifacts(plan) if a.row.template == "rules/group.yaml.j2"]
    clock.step("rule texts", lambda: render(ours), _length)
    boards = [a for a in artifacts(plan) if a.path.startswith("dashboards/") and a.path.endswith(".json")]
    clock.step("dashboards", lambda: render(boards), _length)
    texts = clock.step("all texts", lambda: render(artifacts(plan)), _length)
    with tempfile.TemporaryDirectory() as out:
        clock.step("write", lambda: tree.apply(Path(out), tree.changes(Path(out), texts)), lambda _: _length(texts))
    return clock


if __name__ == "__main__":
    found = measure(Path(sys.argv[1]))
    print(json.dumps({"seconds": found.seconds, "bytes": found.bytes}))
