"""What Alloy's parser, formatter and validation say of its configuration.

Not exercised here: what only a start shows, which is `alloyrun`'s, and on one machine `dockerrun`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from ..plan import Plan
from . import alloyrun, dockerrun, texts
from .task import Outcome, Task, Text, ask, lay_out, outcome

_FORMAT = ("fmt", "-t", "config.alloy")
_VALIDATE = ("validate", "config.alloy")
_SYNTAX = ("config.alloy",)


def tasks(files: Mapping[str, str], plan: Plan) -> Iterator[Task]:
    """Alloy's parser, its formatter and its validation read the configuration; then Alloy runs it."""
    for config in texts.configs(files, "config.alloy"):
        yield Task("alloy-syntax", "alloy-syntax", config.name, (config,), _SYNTAX, partial(_read, config, _SYNTAX))
        yield Task("alloy", "alloy", config.name, (config,), _VALIDATE, partial(_read, config, _VALIDATE))
        formatted = f"{config.name}: format"
        yield Task("alloy", "alloy", formatted, (config,), _FORMAT, partial(_read, config, _FORMAT))
        path = config.name.partition("#")[0]
        if path != config.name:
            yield alloyrun.task(config, Text(path, files[path]), plan)
        elif "compose.yaml" in files:
            yield dockerrun.task("alloy", config, Text("compose.yaml", files["compose.yaml"]), plan)


def _read(config: Text, arguments: tuple[str, ...], program: Path, work: Path) -> Outcome:
    lay_out(work, [config])
    return outcome(ask(program, arguments, work))
