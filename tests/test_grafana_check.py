"""`make grafana-check` against a Grafana that is none: a listener on loopback with the answers that Grafana's API documents."""

from __future__ import annotations

import copy
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from snapshot_tree import ROOT
from test_grafana import expanded, mounted

TREE = ROOT / "rendered/prod"
Answers = dict[str, Any]


def answers() -> Answers:
    """What a Grafana answers that has everything of the tree."""
    found: Answers = {"/api/health": {"database": "ok", "version": "12.4.11"}}
    boards = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(TREE.glob("dashboards/*.json"))]
    found["/api/search?type=dash-db&limit=5000"] = [{"uid": board["uid"], "title": board["title"]} for board in boards]
    for board in boards:
        found[f"/api/dashboards/uid/{board['uid']}"] = {
            "dashboard": board | {"id": 7, "version": 1},
            "meta": {"provisioned": True},
        }
        found[f"/apis/dashboard.grafana.app/v1beta1/namespaces/default/dashboards/{board['uid']}"] = {
            "spec": board,
            "status": {},
        }
    text = mounted(
        (TREE / "dashboards/grafana.yaml").read_text(encoding="utf-8"), "grafana-provisioning", "datasources.yaml"
    )
    for source in expanded(yaml.safe_load(text))["datasources"]:
        found[f"/api/datasources/uid/{source['uid']}"] = source | {"id": 1, "readOnly": True}
    return found


@pytest.fixture
def grafana() -> Iterator[tuple[str, Answers]]:
    """Its address, and its answers to be changed."""
    known = copy.deepcopy(answers())

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            allowed = self.path == "/api/health" or self.headers.get("Authorization") == "Bearer right"
            answer = known.get(self.path)
            self.send_response(401 if not allowed else 404 if answer is None else 200)
            self.end_headers()
            self.wfile.write(json.dumps(answer or {"message": "no"}).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", known
    server.shutdown()
    server.server_close()


def asked(url: str, token: str = "right", tree: str = "rendered/prod") -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GRAFANA_")}
    return subprocess.run(
        [sys.executable, "tools/grafana/check.py", url, tree],
        cwd=ROOT,
        env=environment | {"GRAFANA_TOKEN": token},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_grafana_that_has_everything_is_well(grafana: tuple[str, Answers]) -> None:
    ran = asked(grafana[0])
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.endswith("has everything of rendered/prod\n")


def fleet(known: Answers) -> Any:
    return known["/api/dashboards/uid/auralink-fleet"]


CHANGES: dict[str, Callable[[Answers], object]] = {
    "/api/health: its database is 'failing'": lambda k: k["/api/health"].update(database="failing"),
    "auralink-dlq: there is no such dashboard": lambda k: k.pop("/api/dashboards/uid/auralink-dlq"),
    "auralink-fleet: the search doesn't find it": lambda k: k["/api/search?type=dash-db&limit=5000"].pop(2),
    "auralink-fleet: somebody made it by hand": lambda k: fleet(k)["meta"].update(provisioned=False),
    "auralink-fleet: its title is 'Mine'": lambda k: fleet(k)["dashboard"].update(title="Mine"),
    "auralink-fleet: the panel 'Now' (id 1) is not there": lambda k: fleet(k)["dashboard"]["panels"].pop(0),
    "auralink-fleet: the panel 'Firing: critical' (id 2) asks": lambda k: fleet(k)["dashboard"]["panels"][1]["targets"][
        0
    ].update(expr="up"),
    "auralink-fleet: Grafana can't read its model: too new": lambda k: k[
        "/apis/dashboard.grafana.app/v1beta1/namespaces/default/dashboards/auralink-fleet"
    ].update(status={"conversion": {"failed": True, "error": "too new"}}),
    "data source alertmanager: there is none": lambda k: k.pop("/api/datasources/uid/alertmanager"),
    "data source loki: its url is 'http://loki:1'": lambda k: k["/api/datasources/uid/loki"].update(
        url="http://loki:1"
    ),
    "data source loki: its links from a line are ['https://traces.auralink.example/trace/']": lambda k: k[
        "/api/datasources/uid/loki"
    ]["jsonData"]["derivedFields"][0].update(url="https://traces.auralink.example/trace/"),
}


@pytest.mark.parametrize("said", CHANGES)
def test_what_a_grafana_lacks_is_told(said: str, grafana: tuple[str, Answers]) -> None:
    CHANGES[said](grafana[1])
    ran = asked(grafana[0])
    assert (ran.returncode, ran.stderr) == (1, "")
    assert ran.stdout.startswith(said) and ran.stdout.count("\n") == 1


def test_a_grafana_that_cannot_be_asked_is_no_verdict(grafana: tuple[str, Answers]) -> None:
    for ran in (asked(grafana[0], token="wrong"), asked("http://127.0.0.1:1"), asked(grafana[0], tree="docs")):
        assert ran.returncode == 2 and ran.stdout == ""
        assert "Traceback" not in ran.stderr
