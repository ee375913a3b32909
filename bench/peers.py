"""Programs that do a part of the same work, on the same fleet, in a process of their own.

`python -m bench.peers NAME FOLDER` prints JSON: seconds, and bytes of what it read or wrote.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).with_name("rules.jsonnet")


def fleet_json(folder: Path) -> str:
    """What `rules.jsonnet` needs of a fleet's declaration, as JSON."""
    from obsgen.road import load

    d = load(folder / "observability.yaml", "prod").layers.data
    groups: dict[str, dict[str, Any]] = {}
    for name, alert in d["alerts"].items():
        kept = {key: alert[key] for key in ("service", "query", "levels", "summary", "description")}
        groups.setdefault(alert["group"], {})[name] = kept
    return json.dumps(
        {
            "cluster": d["cluster"],
            "namespace": d["namespace"],
            "interval": "30s",
            "runbooks": d["urls"]["runbooks"],
            "teams": {name: service["team"] for name, service in d["services"].items()},
            "groups": groups,
        }
    )


def _timed(work: Callable[[], str]) -> tuple[float, int]:
    start = time.perf_counter()
    made = work()
    return time.perf_counter() - start, len(made.encode())


def rjsonnet(folder: Path, yaml: str = "false") -> tuple[float, int]:
    """The rule files from rjsonnet (jrsonnet, Rust), as one JSON object of files."""
    import rjsonnet as program

    fleet = (folder / "fleet.json").read_text(encoding="utf-8")
    return _timed(lambda: program.evaluate_file(str(PROGRAM), tla_vars={"fleet": fleet}, tla_codes={"yaml": yaml}))


def gojsonnet(folder: Path) -> tuple[float, int]:
    """The rule files from gojsonnet (go-jsonnet), as one JSON object of files."""
    import _gojsonnet as program

    fleet = (folder / "fleet.json").read_text(encoding="utf-8")
    return _timed(lambda: program.evaluate_file(str(PROGRAM), tla_vars={"fleet": fleet}))


def compose(folder: Path) -> tuple[float, int]:
    """The declaration through `yaml.compose` with libyaml's loader: nodes with marks, no values yet."""
    import yaml

    text = (folder / "observability.yaml").read_text(encoding="utf-8")

    def work() -> str:
        yaml.compose(text, Loader=yaml.CSafeLoader)
        return text

    return _timed(work)


PEERS: dict[str, Callable[[Path], tuple[float, int]]] = {
    "rjsonnet": rjsonnet,
    "rjsonnet, YAML": lambda folder: rjsonnet(folder, "true"),
    "gojsonnet": gojsonnet,
    "yaml.compose": compose,
}

if __name__ == "__main__":
    seconds, size = PEERS[sys.argv[1]](Path(sys.argv[2]))
    print(json.dumps({"seconds": {sys.argv[1]: seconds}, "bytes": {sys.argv[1]: size}}))
