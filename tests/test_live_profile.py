"""Profile `live` asks what is shipped: its queries differ from the declaration's in the length of their windows, and in nothing else.

A recorded series has no window of its own: a query of the profile may hold what is recorded in its place.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import yaml

from obsgen.model import Alert
from obsgen.road import load
from obsgen.rules import alerts

LIVE = Path(__file__).parent / "live"


def _alerts(config: Path) -> tuple[dict[str, Alert], dict[str, str]]:
    """The alerts, and what is recorded under each name."""
    plan = load(config, "live").plan
    records = {name: str(one.query) for pack in plan.packs.values() for name, one in pack.records.items()}
    return dict(alerts(plan.declaration, plan.packs)), records


def _without_queries(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _without_queries(value) for key, value in node.items() if key not in ("query", "logql", "expr")}
    return node


def _unwindowed(alert: Alert, records: dict[str, str]) -> str:
    text = str(alert.query or alert.logql or alert.expr)
    for name, recorded in records.items():
        text = text.replace(name, recorded)
    text = re.sub(r"\[\w+\]", "[…]", text)
    return "".join(re.sub(r"offset \w+|\} / \d+", "…", text).split())


def test_a_query_of_profile_live_is_the_shipped_one_but_for_its_windows(tmp_path: Path) -> None:
    shutil.copy(LIVE / "observability.yaml", tmp_path)
    shutil.copytree(LIVE / "dashboards", tmp_path / "dashboards")
    (tmp_path / "profiles").mkdir()
    profile = yaml.safe_load((LIVE / "profiles" / "live.yaml").read_text(encoding="utf-8"))
    (tmp_path / "profiles" / "live.yaml").write_text(yaml.safe_dump(_without_queries(profile)), encoding="utf-8")

    (live, records), (shipped, _) = _alerts(LIVE / "observability.yaml"), _alerts(tmp_path / "observability.yaml")

    assert live.keys() == shipped.keys()
    assert {name: _unwindowed(one, records) for name, one in live.items()} == {
        name: _unwindowed(one, records) for name, one in shipped.items()
    }
    assert any(one.query != shipped[name].query for name, one in live.items())
