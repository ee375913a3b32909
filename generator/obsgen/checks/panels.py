"""Panels, data sources and variables of dashboards that are taken over."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from typing import Any

from .. import grafana, upstream
from ..dashboard_reader import Board, marks, panels, strings, used, variables
from ..document import did_you_mean
from ..panels import COLUMNS
from ..road import Declared
from .dashboards import boards, found, twice
from .finding import Finding

_WORDS = frozenset({"alertlist", "annolist", "dashlist", "gettingstarted", "live", "news", "row", "text", "welcome"})
_UNCOUNTED = frozenset(
    {"logs", "traces", "nodeGraph", "flamegraph", "canvas", "geomap", "datagrid", "debug", "state-timeline"}
)


def bad_panel(declared: Declared) -> Iterator[Finding]:
    """Grafana shows such a panel as another one, over another one, or under another number, and says nothing."""
    for file, board in boards(declared):
        for fact, remedy in (*_of_panels(board), *_of_grid(board)):
            yield found(file, fact, remedy)


def _of_panels(board: Board) -> Iterator[tuple[str, str]]:
    every, model = list(panels(board)), upstream.dashboard_model()
    for panel in every:
        kind = panel.get("type")
        if not kind:
            yield f"{_named(panel)} has no type, so Grafana makes a time series of it", "name its type"
        elif kind not in (*model.panels, *model.replaced) and not isinstance(panel.get("libraryPanel"), dict):
            meant = did_you_mean(str(kind), model.panels)
            hint = f"did you mean {meant!r}?" if meant else "it needs a plugin that is not installed here"
            yield f"{_named(panel)} is of the type {kind!r}, which Grafana does not have", hint
        if isinstance(panel.get("libraryPanel"), dict):
            yield f"{_named(panel)} is a library panel, which can't come from a file", "unlink it, then export again"
        targets = [target.get("refId") for target in panel.get("targets") or () if isinstance(target, dict)]
        for ref in twice(targets):
            yield f"{_named(panel)} has two queries {ref!r}", "give each a letter of its own"
    for number in twice([panel.get("id") for panel in every if panel.get("id") is not None]):
        yield f"two panels have the id {number!r}: Grafana numbers one anew, and links to it break", "choose another"


def _of_grid(board: Board) -> Iterator[tuple[str, str]]:
    listed = board.get("panels")
    top = [panel for panel in listed if isinstance(panel, dict)] if isinstance(listed, list) else []
    for together in (top, *(panel.get("panels") or () for panel in top)):
        placed = [(panel, _box(panel)) for panel in together if isinstance(panel, dict)]
        for panel, box in placed:
            if box is None or box[0] < 0 or box[1] < 0 or box[2] > COLUMNS or box[0] >= box[2] or box[1] >= box[3]:
                yield f"{_named(panel)} does not lie on the grid of {COLUMNS} columns", "give gridPos x, y, w and h"
        boxes = [(panel, box) for panel, box in placed if box]
        for (one, a), (other, b) in combinations(boxes, 2):
            if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]:
                yield f"{_named(one)} and {_named(other)} lie on each other", "change their gridPos"


def _box(panel: Mapping[str, Any]) -> tuple[int, int, int, int] | None:
    place = panel.get("gridPos")
    if not isinstance(place, dict) or not all(isinstance(place.get(key), int) for key in "xywh"):
        return None
    return place["x"], place["y"], place["x"] + place["w"], place["y"] + place["h"]


def _named(panel: Mapping[str, Any]) -> str:
    return f"the panel {panel['title']!r}" if panel.get("title") else f"the panel with the id {panel.get('id')!r}"


def undescribed(declared: Declared) -> Iterator[Finding]:
    """A number without its unit, or a graph that doesn't say what it shows, is read wrongly at night."""
    for file, board in boards(declared):
        for panel in panels(board):
            missing = _missing(panel)
            if missing:
                yield found(file, f"{_named(panel)} has no {' and no '.join(missing)}", "add it")


def _missing(panel: Mapping[str, Any]) -> list[str]:
    kind, config = panel.get("type"), panel.get("fieldConfig")
    missing = [] if panel.get("description") or kind in _WORDS else ["description"]
    defaults = config.get("defaults") if isinstance(config, dict) else None
    if kind not in _WORDS | _UNCOUNTED and not (isinstance(defaults, dict) and defaults.get("unit")):
        missing.append("unit")
    return missing


_FIXED = frozenset({"-- Grafana --", "-- Mixed --", "-- Dashboard --", "grafana"})


def unknown_source(declared: Declared) -> Iterator[Finding]:
    """A panel that asks a data source which isn't there shows an error, and an annotation nothing at all."""
    if not declared.declaration.deploys_grafana:
        return  # nobody here knows what another Grafana has
    for file, board in boards(declared):
        for uid in sorted(_sources(board) - _FIXED - {*grafana.SOURCES}):
            if not uid.startswith(("$", "[[")):
                fact = f"it asks the data source {uid!r}, and there are: {', '.join(grafana.SOURCES)}"
                yield found(file, fact, "use a variable of the type data source")


def _sources(board: Board) -> set[str]:
    asked = [*panels(board), *variables(board).values(), *marks(board)]
    asked += [target for panel in panels(board) for target in panel.get("targets") or () if isinstance(target, dict)]
    found = (one.get("datasource") for one in asked)
    uids = (source.get("uid") if isinstance(source, dict) else source for source in found)
    return {uid for uid in uids if isinstance(uid, str)}


# Where a variable's name is more than text.
_READ = frozenset(
    {
        "expr",
        "query",
        "stream",
        "definition",
        "uid",
        "datasource",
        "url",
        "title",
        "legendFormat",
        "repeat",
        "content",
        "alias",
    }
)
_OLD_GLOBALS = frozenset({"timeFilter", "interval", "dashboard"})


def unknown_variable(declared: Declared) -> Iterator[Finding]:
    """A variable that isn't defined stays as it is written: the query asks for `$job` and finds nothing."""
    for file, board in boards(declared):
        known = set(variables(board))
        for name in sorted(_used(board, _READ) - known - _OLD_GLOBALS):
            meant = did_you_mean(name, known)
            hint = f"did you mean {meant!r}?" if meant else f"there are: {', '.join(sorted(known)) or 'none'}"
            yield found(file, f"no variable is called {name!r}", hint)


def unused_variable(declared: Declared) -> Iterator[Finding]:
    """A choice that changes nothing makes people believe that they see what they chose."""
    for file, board in boards(declared):
        known = {name for name, variable in variables(board).items() if variable.get("type") != "adhoc"}
        repeated = {str(panel.get("repeat")) for panel in panels(board)}
        for name in sorted(known - _used(board, None) - repeated):
            yield found(file, f"nothing uses the variable {name!r}", "use it, or remove it")


def _used(board: Board, under: Iterable[str] | None) -> set[str]:
    """Variables that are named in the texts under these keys, or anywhere."""
    texts = (text for key, text in strings(board) if under is None or key in under)
    return {name for text in texts for name in used(re.sub(r"\$\{(?:DS|VAR)_\w+\}", "", text))}
