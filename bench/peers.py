"""Programs that do a part of the same work, on the same fleet, in a process of their own.

`python -m bench.peers NAME FOLDER` prints JSON: CPU seconds, and bytes of what it read or wrote. NAME `prepare` writes the
input of the jsonnet programs and the builders, `same` fails if their rules are not ours.
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


def panels_json(folder: Path) -> str:
    """What the builders need of the fleet's dashboards, as JSON: of each panel its texts, its place, its queries."""
    from obsgen import road
    from obsgen.artifacts import artifacts
    from obsgen.dashboard_reader import panels, read
    from obsgen.render import render

    declared = road.load(folder / "observability.yaml", "prod")
    ours = [a for a in artifacts(declared.plan) if a.path.startswith("dashboards/") and a.path.endswith(".json")]
    boards = [read(text) for text in render(ours).values()]
    return json.dumps(
        [{"uid": b["uid"], "title": b["title"], "panels": list(map(_of_panel, panels(b)))} for b in boards]
    )


def _of_panel(panel: dict[str, Any]) -> dict[str, Any]:
    defaults = panel.get("fieldConfig", {}).get("defaults", {})
    return {
        **{key: panel.get(key, "") for key in ("type", "title", "description", "gridPos")},
        "unit": defaults.get("unit", ""),
        "steps": defaults.get("thresholds", {}).get("steps", []),
        "queries": [
            [one["datasource"]["type"], one["expr"], one.get("legendFormat", "")] for one in panel.get("targets", ())
        ],
    }


def builders(folder: Path) -> tuple[float, str]:
    """The same panels through the builders of grafana-foundation-sdk, without variables, links, annotations and column settings."""
    names = (
        "dashboard",
        "prometheus",
        "loki",
        "timeseries",
        "stat",
        "table",
        "logs",
        "text",
        "bargauge",
        "statetimeline",
    )
    of = {name: importlib.import_module(f"grafana_foundation_sdk.builders.{name}") for name in names}
    model = importlib.import_module("grafana_foundation_sdk.models.dashboard")
    encoder = importlib.import_module("grafana_foundation_sdk.cog.encoder").JSONEncoder
    boards = json.loads((folder / "panels.json").read_text(encoding="utf-8"))

    def build(panel: dict[str, Any]) -> Any:
        if panel["type"] == "row":
            return of["dashboard"].Row(panel["title"])
        made = of[panel["type"].replace("-", "")].Panel().title(panel["title"]).description(panel["description"])
        made = made.grid_pos(model.GridPos(**panel["gridPos"])).unit(panel["unit"])
        for kind, expr, legend in panel["queries"]:
            made = made.with_target(of[kind].Dataquery().expr(expr).legend_format(legend))
        steps = [model.Threshold(color=step["color"], value=step["value"]) for step in panel["steps"]]
        return made.thresholds(of["dashboard"].ThresholdsConfig().mode("absolute").steps(steps))

    def work() -> str:
        texts = []
        for board in boards:
            made = of["dashboard"].Dashboard(board["title"]).uid(board["uid"]).tags(["obsgen"]).refresh("1m")
            for panel in board["panels"]:
                made = made.with_row(build(panel)) if panel["type"] == "row" else made.with_panel(build(panel))
            texts.append(json.dumps(made.build(), cls=encoder, indent=2))
        return "\n".join(texts)

    return _timed(work)


PEERS: dict[str, Callable[[Path], tuple[float, str]]] = {
    "rjsonnet": rjsonnet,
    "rjsonnet, YAML": lambda folder: rjsonnet(folder, "true"),
    "gojsonnet": gojsonnet,
    "yaml.compose": compose,
    "yaml.compose, collector off": lambda folder: compose(folder, collector=False),
    "grafana-foundation-sdk": builders,
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
        (folder / "panels.json").write_text(panels_json(folder), encoding="utf-8")
    elif name == "same":
        found = differing(folder)
        if found:
            raise SystemExit(f"other rules than ours: {', '.join(found)}")
    else:
        seconds, made = PEERS[name](folder)
        print(json.dumps({"seconds": {name: seconds}, "bytes": {name: len(made.encode())}}))


if __name__ == "__main__":
    _main(sys.argv[1], Path(sys.argv[2]))
