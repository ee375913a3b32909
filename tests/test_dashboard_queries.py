"""Each LogQL of the rendered dashboards, asked of a real Loki that holds lines of the declared standard: all of them find some.

Without Loki, which no package registry carries, these tests skip, saying so. An answer without data would prove nothing: Loki answers a
query for a label that nobody writes as well as any other.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from conftest import absent
from obsgen.dashboard_reader import filled, queries, read, variables
from obsgen.judging import tools
from snapshot_tree import ROOT

BOARDS = [ROOT / f"rendered/prod/dashboards/auralink-{name}.json" for name in ("fleet", "service-logs", "dlq")]

CONFIG = """
auth_enabled: false
server:
  http_listen_address: 127.0.0.1
  http_listen_port: {http}
  grpc_listen_address: 127.0.0.1
  grpc_listen_port: {grpc}
common:
  instance_addr: 127.0.0.1
  path_prefix: {folder}
  replication_factor: 1
  ring: {{kvstore: {{store: inmemory}}}}
  storage: {{filesystem: {{chunks_directory: {folder}/chunks, rules_directory: {folder}/rules}}}}
schema_config:
  configs: [{{from: "2025-01-01", store: tsdb, object_store: filesystem, schema: v13, index: {{prefix: index_, period: 24h}}}}]
limits_config: {{discover_service_name: [], volume_enabled: true}}
analytics: {{reporting_enabled: false}}
"""


class Line(NamedTuple):
    """A line as the agent would send it: with the level that it gives it, and what it stores beside it."""

    app: str
    level: str
    text: str
    beside: dict[str, str]


def entry(app: str, level: str, message: str, **context: Any) -> Line:
    beside = {"trace_id": "4bf92f3577b34da6", "user_id": "user_123", "pod": f"{app}-0", "stream": "stdout"}
    content = {
        "level": level,
        "service": app,
        "message": message,
        "trace_id": beside["trace_id"],
        "user_id": "user_123",
    }
    if level in ("ERROR", "FATAL"):
        content |= {"error": "timed out", "error_type": "TimeoutError"}
    return Line(app, level, json.dumps(content | {"context": context}), beside)


LINES = [
    entry("dashboard-service", "INFO", "Room created", duration_ms=45),
    entry("dashboard-service", "WARN", "Slow room", duration_ms=2300),
    entry("dashboard-service", "INFO", "Of duration_ms it only speaks"),
    entry("dashboard-service", "INFO", "Took long", duration_ms="long"),
    entry("dashboard-service", "ERROR", "Operation moved to DLQ", dlq_message_id="01JB6V"),
    entry("ai-core-service", "FATAL", "Circuit Breaker to the LLM", state="open", duration_ms=3000),
    Line(
        "ai-core-service",
        "UNKNOWN",
        "Traceback (most recent call last):",
        {"pod": "ai-core-service-0", "stream": "stderr"},
    ),
]


def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def get(url: str, **parameters: str) -> Any:
    with urllib.request.urlopen(f"{url}?{urllib.parse.urlencode(parameters)}", timeout=30) as answer:
        return json.load(answer)


def wait_until_ready(url: str, running: subprocess.Popen[bytes]) -> None:
    latest = time.monotonic() + 60
    while time.monotonic() < latest:
        assert running.poll() is None, "Loki has ended"
        try:
            with urllib.request.urlopen(f"{url}/ready", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise AssertionError("Loki is not ready after a minute")


def push(url: str) -> None:
    now = time.time_ns()
    streams = [
        {
            "stream": {
                "cluster": "use1",
                "namespace": "auralink",
                "app": line.app,
                "container": line.app,
                "level": line.level,
            },
            # every ten seconds of the last ten minutes, so that a rate has what to work on
            "values": [[str(now - second * 10**9), line.text, line.beside] for second in range(600, 0, -10)],
        }
        for line in LINES
    ]
    body = json.dumps({"streams": streams}).encode()
    request = urllib.request.Request(f"{url}/loki/api/v1/push", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 204


@contextlib.contextmanager
def started(program: Path, folder: Path) -> Iterator[str]:
    """The address of an empty Loki, until the end of the `with`."""
    http = port()
    (folder / "loki.yaml").write_text(CONFIG.format(http=http, grpc=port(), folder=folder), encoding="utf-8")
    with subprocess.Popen(
        [str(program), f"-config.file={folder / 'loki.yaml'}"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as running:
        try:
            url = f"http://127.0.0.1:{http}"
            wait_until_ready(url, running)
            yield url
        finally:
            running.kill()


@pytest.fixture(scope="module")
def loki(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Loki with the lines in it."""
    found = tools.find("loki", "3.7")
    if found is None or found.source == "image":
        absent("loki", "nothing shows that the dashboards' queries find lines")
    with started(found.path, tmp_path_factory.mktemp("loki")) as url:
        push(url)
        yield url


ASKED = [
    (f"{path.stem}: {one.where}", filled(one.text, variables(read(path.read_text(encoding="utf-8")))))
    for path in BOARDS
    for one in queries(read(path.read_text(encoding="utf-8")))
    if one.of == "loki"
]


@pytest.mark.parametrize(("where", "query"), ASKED, ids=[where for where, _ in ASKED])
def test_a_query_of_a_dashboard_finds_the_lines_that_it_is_for(where: str, query: str, loki: str) -> None:
    end = time.time()
    answer = get(
        f"{loki}/loki/api/v1/query_range", query=query, start=f"{end - 600}", end=f"{end}", step="60", limit="100"
    )
    found = answer["data"]["result"]
    assert found, f"{where} finds nothing: {query}"
    if "error lines" in where.lower() and answer["data"]["resultType"] == "streams":
        assert {one["stream"]["level"] for one in found} == {"ERROR", "FATAL"}


def test_a_line_whose_duration_is_no_number_is_not_slow(loki: str) -> None:
    board = read((BOARDS[1]).read_text(encoding="utf-8"))
    (slow,) = [one.text for one in queries(board) if one.where == "panel 'Requests over a second', A"]
    end = time.time()
    answer = get(
        f"{loki}/loki/api/v1/query_range", query=filled(slow, variables(board)), start=f"{end - 600}", end=f"{end}"
    )
    found = {json.loads(line)["message"] for one in answer["data"]["result"] for _, line in one["values"]}
    assert found == {"Slow room", "Circuit Breaker to the LLM"}


def test_a_choice_leaves_the_others_out(loki: str) -> None:
    board = read((BOARDS[1]).read_text(encoding="utf-8"))
    known = variables(board)
    known["app"] = known["app"] | {"query": "ai-core-service"}
    (lines,) = [one.text for one in queries(board) if one.where == "panel 'Lines', A"]
    end = time.time()
    answer = get(
        f"{loki}/loki/api/v1/query_range", query=filled(lines, known), start=f"{end - 600}", end=f"{end}", limit="500"
    )
    assert {one["stream"]["app"] for one in answer["data"]["result"]} == {"ai-core-service"}
