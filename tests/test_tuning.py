"""Every alert of every pack can be tuned (threshold, window, `for`) and removed by a profile, and its rule says so."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import judge
from obsgen.model import Alert, Level, seconds
from obsgen.road import Declared, load, texts
from obsgen.rules import Rule

ROOT = Path(__file__).parents[1]
FLEETS = {
    "shipped": (ROOT / "observability.yaml", "prod"),
    "everything": (ROOT / "tests/fleets/everything/observability.yaml", "one"),
}
SHIPPED = {name: load(*where) for name, where in FLEETS.items()}
EVERY = [
    (fleet, pack, alert)
    for fleet, declared in SHIPPED.items()
    for pack, expanded in declared.packs.items()
    for alert in expanded.alerts
    if fleet == "shipped"
    or (pack, alert) not in {(p, a) for p, e in SHIPPED["shipped"].packs.items() for a in e.alerts}
]
each = pytest.mark.parametrize(("fleet", "pack", "alert"), EVERY, ids=lambda value: str(value))


def tuned(folder: Path, fleet: str, packs: dict[str, Any]) -> Declared:
    """The fleet with a profile over its own that tunes packs."""
    config, profile = FLEETS[fleet]
    shutil.copy(config, folder)
    for name in ("profiles", "rules", "dashboards"):
        if (config.parent / name).is_dir():
            shutil.copytree(config.parent / name, folder / name)
    over = {"extends": profile, "packs": packs}
    (folder / "profiles" / "tuned.yaml").write_text(yaml.safe_dump(over), encoding="utf-8")
    return load(folder / config.name, "tuned")


def rules(declared: Declared, name: str) -> list[Rule]:
    return [
        rule for group in declared.plan.groups for rule in group.rules if rule.kind == "alert" and rule.name == name
    ]


def numbers(alert: Alert) -> dict[str, dict[str, Any]]:
    """Another threshold and another time for each level."""
    return {
        severity: {"above" if level.above is not None else "below": 123.5, "for": "47m"}
        for severity, level in alert.levels.items()
    }


def test_there_are_alerts_to_tune() -> None:
    assert {pack for _, pack, _ in EVERY} == set(SHIPPED["shipped"].packs)
    assert len(EVERY) > 30


@each
def test_an_alert_of_a_pack_takes_another_time_and_threshold_from_a_profile(
    fleet: str, pack: str, alert: str, tmp_path: Path
) -> None:
    shipped = SHIPPED[fleet].packs[pack].alerts[alert]
    tuning: dict[str, Any] = {"levels": numbers(shipped)} if shipped.levels else {"for": "47m"}
    found = rules(tuned(tmp_path, fleet, {pack: {"alerts": {alert: tuning}}}), shipped.name or alert)
    assert len(found) == (len(shipped.levels) or 1)
    assert [rule.for_ for rule in found] == ["47m"] * len(found)
    if shipped.levels:
        assert all(re.search(r"[<>] 123\.5$", rule.expr) for rule in found)


@each
def test_an_alert_of_a_pack_takes_another_window_from_a_profile(
    fleet: str, pack: str, alert: str, tmp_path: Path
) -> None:
    shipped = SHIPPED[fleet].packs[pack].alerts[alert]
    key = "logql" if shipped.logql else "query" if shipped.query else "expr"
    text = getattr(shipped, key)
    wider = re.sub(r"\[\d+[smhd]\]", "[77m]", text) if "[" in text else f"max_over_time(({text})[77m:])"
    wider += " > 0" if key == "expr" and "[" not in text else ""
    declared = tuned(tmp_path, fleet, {pack: {"alerts": {alert: {key: wider}}}})
    (group,) = {
        group.name: group
        for group in declared.plan.groups
        if any(r.name == alert and r.kind == "alert" for r in group.rules)
    }.values()
    assert any("77m" in rule.expr for rule in group.rules)


@each
def test_an_alert_of_a_pack_is_removed_by_a_profile(fleet: str, pack: str, alert: str, tmp_path: Path) -> None:
    declared = tuned(tmp_path, fleet, {pack: {"alerts": {alert: None}}})
    assert rules(declared, SHIPPED[fleet].packs[pack].alerts[alert].name or alert) == []
    assert rules(SHIPPED[fleet], alert)


def extremes(shipped: Alert, far: bool) -> dict[str, Any]:
    """Thresholds next to what the examples say they reach, or where the silent ones rest; three times the `for`."""
    levels: dict[str, dict[str, Any]] = {}
    for severity, level in shipped.levels.items():
        levels[severity] = {"for": three_times(level.for_)}
        examples = shipped.examples
        if examples and examples.reaches is not None:
            rests = examples.rests if examples.rests is not None else shipped_number(level)
            levels[severity][side(level)] = rests + (examples.reaches - rests) * (0.99 if far else 0)
    return {"levels": levels} if levels else {"for": three_times(shipped.for_)}


def side(level: Level) -> str:
    return "above" if level.above is not None else "below"


def shipped_number(level: Level) -> float:
    return level.above if level.above is not None else level.below or 0


def three_times(duration: str) -> str:
    return f"{seconds(duration) * 3:.0f}s"


@pytest.mark.parametrize("far", [True, False], ids=["reaches", "rests"])
@pytest.mark.parametrize("fleet", FLEETS)
def test_the_shipped_examples_show_their_alert_as_far_as_they_say_and_however_long_it_waits(
    fleet: str, far: bool, tmp_path: Path
) -> None:
    promtool = judge("promtool", "3.13", "whether tuned alerts fire on their examples was not asked")
    over = {
        pack: {"alerts": {name: extremes(alert, far) for name, alert in expanded.alerts.items()}}
        for pack, expanded in SHIPPED[fleet].packs.items()
    }
    declared = tuned(
        tmp_path, fleet, {pack: {"alerts": {n: t for n, t in of["alerts"].items() if t}} for pack, of in over.items()}
    )
    files = {path: text for path, text in texts(declared).items() if path.startswith("monitoring/rules/")}
    for path, text in files.items():
        (tmp_path / Path(path).name).write_text(text, encoding="utf-8")
    tests = sorted(Path(path).name for path in files if path.endswith("_test.yaml"))
    ran = subprocess.run([promtool, "test", "rules", *tests], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
