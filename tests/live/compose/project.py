"""A Compose file as Compose's own parser reads it: variables filled in, defaults and paths written out."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import images

Object = dict[str, Any]


@dataclass(frozen=True)
class Project:
    """One Compose file: its name, its services by name, and the names that networks and secrets have outside of it."""

    name: str
    services: dict[str, Object]
    networks: dict[str, str]
    secrets: dict[str, Path]

    def networks_of(self, service: str) -> list[str]:
        """The real names of the networks that a service joins; none where `network_mode` says so."""
        declared = self.services[service]
        if declared.get("network_mode"):
            return [declared["network_mode"]]
        return [self.networks[name] for name in declared["networks"]]


def read(file: Path) -> Project:
    """Raises AssertionError with the parser's words."""
    said = subprocess.run(
        [str(images.program("compose-go")), file.name], cwd=file.parent, capture_output=True, text=True
    )
    assert said.returncode == 0, said.stderr
    found = json.loads(said.stdout)
    return Project(
        found["name"],
        found["services"],
        {name: one["name"] for name, one in found["networks"].items()},
        {name: Path(one["file"]) for name, one in (found.get("secrets") or {}).items()},
    )


_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


def seconds(duration: str | None, default: float) -> float:
    """Of `1m30s`; `default` where there is none."""
    if not duration:
        return default
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(duration))
