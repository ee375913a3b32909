"""Asks a running Grafana whether it has what was rendered: `make grafana-check GRAFANA_URL=https://… PROFILE=prod`.

No part of CI: nothing there can start a Grafana. It reads only. GRAFANA_TOKEN is a service account's token of the role Admin (data
sources need it); without one, GRAFANA_USER and GRAFANA_PASSWORD. Exit 0: all of it is there, 1: not all, 2: could not ask.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

_PATIENCE = 30  # seconds for an answer


class UnreachableError(Exception):
    """Grafana did not answer, or not as Grafana does."""


class Grafana:
    """What is asked of it, all by GET."""

    def __init__(self, url: str, authorization: str) -> None:
        self.url, self.authorization = url.rstrip("/"), authorization

    def get(self, path: str) -> Any:
        """The answer as JSON, None where it is 404. Raises UnreachableError for everything else."""
        request = urllib.request.Request(self.url + path, headers={"Accept": "application/json"})
        if self.authorization:
            request.add_header("Authorization", self.authorization)
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise UnreachableError(f"{path}: {error.code} {error.reason}") from error
        except (OSError, ValueError) as error:
            raise UnreachableError(f"{path}: {error}") from error


def missing(grafana: Grafana, tree: Path) -> Iterator[str]:
    """What the rendered tree has and Grafana has not, or otherwise."""
    health = grafana.get("/api/health") or {}
    if health.get("database") != "ok":
        yield f"/api/health: its database is {health.get('database')!r}"
    files = sorted([*tree.glob("dashboards/*.json"), *tree.glob("grafana/dashboards/*.json")])
    boards = [json.loads(path.read_text(encoding="utf-8")) for path in files]
    if not boards:
        raise UnreachableError(f"{tree} has no dashboards: render it first")
    listed = {found["uid"]: found for found in grafana.get("/api/search?type=dash-db&limit=5000") or []}
    for board in boards:
        yield from _of_board(grafana, board, listed)
    for source in _sources(tree):
        yield from _of_source(grafana, source)


def _of_board(grafana: Grafana, board: dict[str, Any], listed: dict[str, Any]) -> Iterator[str]:
    uid = board["uid"]
    found = grafana.get(f"/api/dashboards/uid/{urllib.parse.quote(uid, safe='')}")
    if found is None:
        yield f"{uid}: there is no such dashboard"
        return
    if uid not in listed:
        yield f"{uid}: the search doesn't find it, so nor do people"
    shown, meta = found["dashboard"], found["meta"]
    if not meta.get("provisioned"):
        yield f"{uid}: somebody made it by hand; what was rendered is not shown"
    if shown.get("title") != board["title"]:
        yield f"{uid}: its title is {shown.get('title')!r}, rendered was {board['title']!r}"
    there, rendered = _panels(shown), _panels(board)
    for number in sorted(rendered.keys() - there.keys()):
        yield f"{uid}: the panel {rendered[number]['title']!r} (id {number}) is not there"
    for number in sorted(rendered.keys() & there.keys()):
        if _asked(there[number]) != _asked(rendered[number]):
            yield f"{uid}: the panel {rendered[number]['title']!r} (id {number}) asks something else"
    # the new API converts the model; a failure stands in the status, and the page stays white
    converted = grafana.get(f"/apis/dashboard.grafana.app/v1beta1/namespaces/default/dashboards/{uid}") or {}
    conversion = (converted.get("status") or {}).get("conversion") or {}
    if conversion.get("failed"):
        yield f"{uid}: Grafana can't read its model: {conversion.get('error')}"


def _panels(board: dict[str, Any]) -> dict[Any, dict[str, Any]]:
    top = board.get("panels") or []
    return {panel.get("id"): panel for panel in (*top, *(inner for row in top for inner in row.get("panels") or ()))}


def _asked(panel: dict[str, Any]) -> list[Any]:
    return [target.get("expr") for target in panel.get("targets") or ()]


def _sources(tree: Path) -> list[dict[str, Any]]:
    """The data sources that were rendered; none where Grafana is somebody else's."""
    raw = sorted(tree.glob("grafana/provisioning/datasources/*.yaml"))
    texts = [path.read_text(encoding="utf-8") for path in raw]
    manifest = tree / "dashboards" / "grafana.yaml"
    if manifest.is_file():
        for one in yaml.safe_load_all(manifest.read_text(encoding="utf-8")):
            texts += [text for key, text in (one.get("data") or {}).items() if key == "datasources.yaml"]
    return [source for text in texts for source in yaml.safe_load(text)["datasources"]]


def _of_source(grafana: Grafana, source: dict[str, Any]) -> Iterator[str]:
    found = grafana.get(f"/api/datasources/uid/{source['uid']}")
    if found is None:
        yield f"data source {source['uid']}: there is none"
        return
    for key in ("type", "url"):
        rendered = source[key].replace("$$", "$")
        if found.get(key) != rendered:
            yield f"data source {source['uid']}: its {key} is {found.get(key)!r}, rendered was {rendered!r}"
    fields = [field["url"].replace("$$", "$") for field in source.get("jsonData", {}).get("derivedFields", ())]
    there = [field.get("url") for field in (found.get("jsonData") or {}).get("derivedFields") or ()]
    if fields != there:
        yield f"data source {source['uid']}: its links from a line are {there}, rendered were {fields}"


def _authorization() -> str:
    if token := os.environ.get("GRAFANA_TOKEN"):
        return f"Bearer {token}"
    if user := os.environ.get("GRAFANA_USER"):
        pair = f"{user}:{os.environ.get('GRAFANA_PASSWORD', '')}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"
    return ""


def main() -> int:
    """Prints what is missing, one a line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("url", help="address of Grafana, as people open it")
    parser.add_argument("tree", type=Path, help="what was rendered, such as rendered/prod")
    given = parser.parse_args()
    if not given.url:
        parser.error("name the Grafana: make grafana-check GRAFANA_URL=https://…")
    try:
        found = list(missing(Grafana(given.url, _authorization()), given.tree))
    except UnreachableError as stopped:
        print(f"could not ask {given.url}: {stopped}", file=sys.stderr)
        return 2
    print("\n".join(found) if found else f"{given.url} has everything of {given.tree}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
