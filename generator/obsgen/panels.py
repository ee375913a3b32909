"""The panels of a dashboard's template → a list with places on Grafana's grid."""

from __future__ import annotations

import json
from typing import Any

COLUMNS = 24
"""Width of Grafana's grid."""


def placed(text: str) -> str:
    """Panels as JSON objects, each with a comma after it → the list, each panel below or right of the one before.

    A panel says how wide and high it is (`gridPos` with w and h); where the line is full the next one begins. A row begins a line and
    takes all of it; one that is collapsed holds the panels up to the next row, which Grafana then asks nothing until it is opened.
    Raises ValueError where the text is no such list.
    """
    found: list[dict[str, Any]] = []
    held: list[dict[str, Any]] | None = None
    x = y = bottom = 0
    for panel in json.loads(listed(text), object_pairs_hook=once):
        size = panel["gridPos"]
        if x + size["w"] > COLUMNS:
            x, y = 0, bottom
        panel["gridPos"] = {"x": x, "y": y, **size}
        x, bottom = x + size["w"], max(bottom, y + size["h"])
        if panel["type"] == "row":
            held = panel["panels"] if panel["collapsed"] else None
            found.append(panel)
        else:
            (found if held is None else held).append(panel)
    return json.dumps(found, ensure_ascii=False)


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; ValueError for a key that is there twice, of which every reader keeps another one."""
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} is there twice")
    return made


def listed(text: str) -> str:
    """What a template wrote with a comma after each → a list of JSON."""
    return f"[{text.strip().rstrip(',')}]"


def oneline(text: str) -> str:
    """Text that a template breaks into lines, on one."""
    return " ".join(text.split())


FILTERS = {"placed": placed, "listed": listed, "oneline": oneline}
