"""Programs that do a part of the same work, on the same fleet, in a process of their own.

`python -m bench.peers NAME FOLDER` prints JSON: CPU seconds, and bytes of what it read or wrote. NAME `prepare` writes the
input of the jsonnet programs, `same` fails if their rules are not ours.
"""

from __future__ import annotations

import gc
import importlib
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
        kept["levels"] = {severity: _as_text(level) for severity, level in alert["levels"].items()}
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


def _as_text(level: dict[str, Any]) -> dict[str, str]:
    """Thresholds as they will stand in the rule: go-jsonnet writes 0.05 with 17 digits."""
    return {key: value if isinstance(value, str) else f"{value:.15g}" for key, value in level.items()}


def _timed(work: Callable[[], str]) -> tuple[float, str]:
    start = time.process_time()
    made = work()
    return time.process_time() - start, made


def rjsonnet(folder: Path, yaml: str = "false") -> tuple[float, str]:
    """The rule files from rjsonnet (jrsonnet, Rust), as one JSON object: files as objects, or with `yaml` as texts of YAML."""
    program = importlib.import_module("rjsonnet")
    fleet = (folder / "fleet.json").read_text(encoding="utf-8")
    return _timed(lambda: program.evaluate_file(str(PROGRAM), tla_vars={"fleet": fleet}, tla_codes={"yaml": yaml}))


def gojsonnet(folder: Path) -> tuple[float, str]:
    """The rule files from gojsonnet (go-jsonnet), as one JSON object; its collector works on a second core."""
    program = importlib.import_module("_gojsonnet")  # the distribution gojsonnet holds only this
    fleet = (folder / "fleet.json").read_text(encoding="utf-8")
    return _timed(lambda: program.evaluate_file(str(PROGRAM), tla_vars={"fleet": fleet}))


def compose(folder: Path, collector: bool = True) -> tuple[float, str]:
    """The declaration through `yaml.compose` with libyaml's loader: nodes with marks, no values yet.

    Most of its time Python's collector walks the growing tree; without `collector` it rests, as it nearly does in obsgen.
    """
    import yaml

    if not collector:
        gc.disable()
    text = (folder / "observability.yaml").read_text(encoding="utf-8")

    def work() -> str:
        yaml.compose(text, Loader=yaml.CSafeLoader)
        return text

    return _timed(work)


PEERS: dict[str, Callable[[Path], tuple[float, str]]] = {
    "rjsonnet": rjsonnet,
    "rjsonnet, YAML": lambda folder: rjsonnet(folder, "true"),
    "gojsonnet": gojsonnet,
    "yaml.compose": compose,
    "yaml.compose, collector off": lambda folder: compose(folder, collector=False),
}


def differing(folder: Path) -> list[str]:
    """Peers whose rules are not those that obsgen has rendered into the folder; jsonnet sorts keys, so order is left out."""
    import yaml

    paths = (folder / "rendered" / "prod" / "monitoring" / "rules").glob("*.yaml")
    ours = {path.name: _rules(yaml.safe_load(path.read_text(encoding="utf-8"))) for path in paths}
    written = {name: json.loads(PEERS[name](folder)[1]) for name in ("rjsonnet", "rjsonnet, YAML", "gojsonnet")}
    read = {
        name: {path: _rules(yaml.safe_load(file) if isinstance(file, str) else file) for path, file in files.items()}
        for name, files in written.items()
    }
    return [name for name, theirs in read.items() if theirs != ours]


def _rules(file: Any) -> dict[str, Any]:
    (group,) = file["groups"]
    rules = [{**rule, "expr": rule["expr"].strip()} for rule in group["rules"]]
    return {**group, "rules": sorted(rules, key=lambda rule: sorted(map(str, rule.values())))}


def _main(name: str, folder: Path) -> None:
    if name == "prepare":
        (folder / "fleet.json").write_text(fleet_json(folder), encoding="utf-8")
    elif name == "same":
        found = differing(folder)
        if found:
            raise SystemExit(f"other rules than ours: {', '.join(found)}")
    else:
        seconds, made = PEERS[name](folder)
        print(json.dumps({"seconds": {name: seconds}, "bytes": {name: len(made.encode())}}))


if __name__ == "__main__":
    _main(sys.argv[1], Path(sys.argv[2]))
