"""Profile `live` asks what is shipped: its queries differ from the declaration's in the length of their windows, and in nothing else."""

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


def _alerts(config: Path) -> dict[str, Alert]:
    plan = load(config, "live").plan
    return dict(alerts(plan.declaration, plan.packs))


def _without_queries(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _without_queries(value) for key, value in node.items() if key not in ("query", "logql", "expr")}
    return node


def _unwindowed(alert: Alert) -> str:
    return re.sub(r"\[\w+\]", "[…]", str(alert.query or alert.logql or alert.expr)).strip()


def test_a_query_of_profile_live_is_the_shipped_one_but_for_its_windows(tmp_path: Path) -> None:
    shutil.copy(LIVE / "observability.yaml", tmp_path)
    shutil.copytree(LIVE / "dashboards", tmp_path / "dashboards")
    (tmp_path / "profiles").mkdir()
    profile = yaml.safe_load((LIVE / "profiles" / "live.yaml").read_text(encoding="utf-8"))
    (tmp_path / "profiles" / "live.yaml").write_text(yaml.safe_dump(_without_queries(profile)), encoding="utf-8")

    live, shipped = _alerts(LIVE / "observability.yaml"), _alerts(tmp_path / "observability.yaml")

    assert live.keys() == shipped.keys()
    assert {name: _unwindowed(one) for name, one in live.items()} == {
        name: _unwindowed(one) for name, one in shipped.items()
    }
    assert any(one.query != shipped[name].query for name, one in live.items())
