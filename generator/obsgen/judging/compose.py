"""What Compose's own parser says of the Compose file, and whether what it mounts is rendered.

Not exercised: images, Docker's own limits, the containers' users; whether the secret files exist.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ..plan import Plan
from .task import Outcome, Task, Text, ask, lay_out, outcome

_READ = ("compose.yaml",)


def tasks(files: Mapping[str, str], plan: Plan) -> Iterator[Task]:
    """Compose's parser reads the file: schema, variables, references between its parts."""
    if "compose.yaml" in files:
        inputs = (Text("compose.yaml", files["compose.yaml"]), Text("FILES", files["FILES"]))
        yield Task("compose-go", "compose-go", "compose.yaml", inputs, _READ, partial(_read, inputs))


def _read(inputs: tuple[Text, Text], program: Path, work: Path) -> Outcome:
    project, owned = inputs
    lay_out(work, [project])
    answer = ask(program, _READ, work)
    if answer.code:
        return outcome(answer)
    paths = [line for line in owned.text.splitlines() if not line.startswith("#")]
    said = [
        f"{service} mounts {source}, where nothing is rendered"
        for service, source in sorted(mounts(json.loads(answer.stdout)))
        if not any(path.startswith(f"{source}/") for path in paths)
    ]
    return Outcome(not said, "\n".join(said))


def mounts(project: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(service, folder) of each mount from the Compose file's own folder, out of the project that Compose makes of it."""
    for name, service in project["services"].items():
        for volume in service.get("volumes") or ():
            if volume["type"] == "bind" and not volume["source"].startswith("/"):
                yield name, volume["source"].removeprefix("./")
