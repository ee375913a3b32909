"""`obsgen logs check --loki`: of a listener in Loki's place what is asked and how, of a real Loki whether it answers so."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from conftest import Ran, Run, absent
from log_lines import CONTRACT, TRACE, line
from obsgen.judging import tools
from test_dashboard_queries import started

END = 1_772_445_600  # 2026-03-02T10:00:00Z
UNTIL = "2026-03-02T10:00:00Z"


class Request(NamedTuple):
    """What was asked, and with which headers."""

    path: str
    asked: dict[str, str]
    headers: dict[str, str]


Answer = Callable[[Request], tuple[int, Any]]


@contextlib.contextmanager
def listening(answer: Answer) -> Iterator[tuple[str, list[Request]]]:
    """A listener on loopback; a status of 302 sends on to the address that is the answer."""
    requests: list[Request] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            requests.append(
                Request(
                    path,
                    dict(urllib.parse.parse_qsl(query)),
                    {name.lower(): value for name, value in self.headers.items()},
                )
            )
            status, said = answer(requests[-1])
            self.send_response(status)
            if status == 302:
                self.send_header("Location", said)
            self.end_headers()
            self.wfile.write(said.encode() if isinstance(said, str) else json.dumps(said).encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", requests
        finally:
            server.shutdown()
            thread.join()


def holding(period: int, app: str = "ai-core-service", **changes: Any) -> Answer:
    """A Loki that holds a line of an app at every `period` seconds of all time."""

    def answer(request: Request) -> tuple[int, Any]:
        start, end = int(request.asked["start"]), int(request.asked["end"])
        step = period * 10**9
        times = range(-(-start // step) * step, end, step)
        limit = int(request.asked["limit"])
        chosen = times[:limit] if request.asked["direction"] == "forward" else times[::-1][:limit]
        values = [[str(at), line(timestamp=stamp(at), **changes).strip()] for at in chosen]
        return 200, {"data": {"resultType": "streams", "result": [{"stream": {"app": app}, "values": values}]}}

    return answer


def stamp(nanoseconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(nanoseconds // 10**9))


def check(run: Run, url: str, *words: str) -> Ran:
    return run(
        "logs", "check", "--contract", str(CONTRACT), "--loki", url, "--query", '{app="ai-core-service"}', "--until", UNTIL, *words
    )  # fmt: skip


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("USERNAME", "PASSWORD", "BEARER_TOKEN", "BEARER_TOKEN_FILE", "ORG_ID", "CA_CERT_PATH"):
        monkeypatch.delenv(f"LOKI_{name}", raising=False)


def test_a_sample_is_as_many_lines_as_asked_for_from_all_over_the_time(run: Run) -> None:
    with listening(holding(period=1)) as (url, requests):
        said = check(run, url, "--sample", "1000", "--since", "10h", "--strict")
    assert said.code == 0, said.out
    assert said.out.startswith("1,000 lines, ")
    assert {one.asked["direction"] for one in requests} == {"forward", "backward"}
    hours = {
        (END - int(one.asked["start"]) // 10**9) // 3600 for one in requests if one.asked["direction"] == "forward"
    }
    assert len(hours) >= 8


def test_no_question_asks_for_more_lines_than_loki_gives(run: Run) -> None:
    with listening(holding(period=1)) as (url, requests):
        said = check(run, url, "--sample", "120000", "--since", "48h")
    assert said.out.startswith("120,000 lines, ")
    assert max(int(one.asked["limit"]) for one in requests) <= 5000


def test_the_same_seed_asks_the_same_and_another_something_else(run: Run) -> None:
    asked = []
    for seed in ("1", "1", "2"):
        with listening(holding(period=7)) as (url, requests):
            check(run, url, "--seed", seed, "--sample", "100")
        asked.append([one.asked for one in requests])
    assert asked[0] == asked[1] != asked[2]


def test_of_a_service_that_writes_little_every_line_is_read(run: Run) -> None:
    with listening(holding(period=60)) as (url, _):
        said = check(run, url, "--since", "6h")
    assert said.out.startswith("360 lines, ")


def test_a_day_is_made_of_the_time_that_was_read(run: Run) -> None:
    for sample, period in (("1000", 1), ("5000", 60)):  # some moments of much; all of little
        with listening(holding(period)) as (url, _):
            said = check(run, url, "--sample", sample, "--max", "volume=1KB", "--output", "json")
        (rule,) = json.loads(said.out)["rules"]
        assert rule["rule"] == "logs/volume"
        assert rule["count"] == pytest.approx(len(line()) * 86_400 / period, rel=0.05)


def test_the_stream_says_whose_a_line_is(run: Run) -> None:
    with listening(holding(3600, service="dashboard-service")) as (url, _):
        said = check(run, url)
    assert "'dashboard-service' is not the service that writes here; so in 24 of 24 lines (100 %)" in said.out


def test_lines_of_what_is_no_service_are_left_out_and_counted(run: Run) -> None:
    with listening(holding(3600, app="dlq-redis")) as (url, _):
        said = check(run, url)
    assert "loki: no line was read" in said.out
    assert "not asked: 24 lines, of what is no declared service: dlq-redis" in said.out
    assert said.code == 1


def test_lokis_time_is_that_of_the_capture(run: Run) -> None:
    def late(request: Request) -> tuple[int, Any]:
        values = [[request.asked["start"], line(timestamp="2026-03-01T00:00:00.000Z").strip()]]
        return 200, {"data": {"resultType": "streams", "result": [{"stream": {}, "values": values}]}}

    with listening(late) as (url, _):
        assert "more than 60 s before that of its capture" in check(run, url, "--since", "1h").out


def nothing(request: Request) -> tuple[int, Any]:
    return 200, {"data": {"resultType": "streams", "result": []}}


def test_credentials_are_those_that_logcli_reads(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-a-file\n", encoding="utf-8")
    shown = []
    for variables in (
        {"USERNAME": "ann", "PASSWORD": "p"},
        {"BEARER_TOKEN": "a-token", "ORG_ID": "shop"},
        {"BEARER_TOKEN_FILE": str(tmp_path / "token")},
    ):
        with monkeypatch.context() as environment, listening(nothing) as (url, requests):
            for name, value in variables.items():
                environment.setenv(f"LOKI_{name}", value)
            check(run, url)
            shown.append((requests[0].headers["authorization"], requests[0].headers.get("x-scope-orgid")))
    basic = base64.b64encode(b"ann:p").decode()
    assert shown == [(f"Basic {basic}", None), ("Bearer a-token", "shop"), ("Bearer from-a-file", None)]


def test_another_address_that_loki_sends_to_gets_no_credentials(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOKI_BEARER_TOKEN", "a-token")
    with (
        listening(nothing) as (other, stolen),
        listening(lambda request: (302, f"{other}/loki/api/v1/query_range")) as (url, _),
    ):
        check(run, url)
    assert stolen and not any("authorization" in one.headers for one in stolen)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((400, "parse error at line 1, col 7: syntax error"), "loki: Loki answers 400: parse error at line 1, col 7"),
        ((401, "no org id"), "loki: Loki answers 401: no org id (set LOKI_USERNAME"),
        ((200, {"data": {"resultType": "matrix", "result": []}}), "the query gives numbers, not lines"),
        ((200, "<html>"), "Loki can't be asked: "),
        ((200, []), "Loki can't be asked: "),
    ],
)
def test_an_answer_that_is_none_ends_with_2_and_lokis_own_words(answer: tuple[int, Any], said: str, run: Run) -> None:
    with listening(lambda request: answer) as (url, _):
        ended = check(run, url)
    assert ended.code == 2
    assert said in ended.err


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "ftp://loki", "loki:3100", "http://ann:hunter2@loki:3100", "file:///etc/passwd"]
)
def test_an_address_that_leads_nowhere_ends_with_2(url: str, run: Run) -> None:
    ended = check(run, url)
    assert ended.code == 2
    assert ended.err.startswith("loki: ")
    assert "hunter2" not in ended.err


@pytest.fixture(scope="module")
def loki(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real Loki with lines of the last two hours: one in ten of them at a level that nobody declared."""
    found = tools.find("loki", "3.7")
    if found is None or found.source == "image":
        absent("loki", "nothing shows that a real one answers as these tests suppose")
    with started(found.path, tmp_path_factory.mktemp("loki")) as url:
        now = time.time_ns()
        lines = [
            (at, line(timestamp=stamp(at), level="INFO" if number % 10 else "WARNING").strip())
            for number, at in enumerate(range(now - 7200 * 10**9, now, 10**9))
        ]
        for part in range(0, len(lines), 1000):
            values = [[str(at), text, {"trace_id": TRACE}] for at, text in lines[part : part + 1000]]
            streams = [{"stream": {"app": "ai-core-service", "cluster": "use1"}, "values": values}]
            body = json.dumps({"streams": streams}).encode()
            request = urllib.request.Request(f"{url}/loki/api/v1/push", body, {"Content-Type": "application/json"})
            urllib.request.urlopen(request, timeout=30).close()
        yield url


def test_a_real_loki_gives_the_sample(loki: str, run: Run) -> None:
    words = (
        "logs",
        "check",
        "--contract",
        str(CONTRACT),
        "--loki",
        loki,
        "--since",
        "2h",
        "--service",
        "ai-core-service",
    )
    said = run(*words, "--sample", "1000", "--max", "level=15%", "--max", "volume=1GB")
    assert said.code == 0, said.out + said.err
    assert said.out.startswith("1,000 lines, ")
    whole = json.loads(run(*words, "--sample", "20000", "--output", "json", "--max", "volume=1KB").out)
    assert whole["lines"] == pytest.approx(7200, abs=20)  # each of them, a moment later
    rules = {rule["rule"]: rule for rule in whole["rules"]}
    assert set(rules) == {"logs/level", "logs/volume"}
    assert rules["logs/level"]["share"] == pytest.approx(0.1, abs=0.001)
    assert rules["logs/volume"]["count"] == pytest.approx(86_400 * len(line()), rel=0.02)


def test_a_real_loki_refuses_a_bad_query_in_its_own_words(loki: str, run: Run) -> None:
    ended = run("logs", "check", "--contract", str(CONTRACT), "--loki", loki, "--query", "{app=")
    assert ended.code == 2
    assert ended.err.startswith("loki: Loki answers 400: parse error at line 1, col ")
    ended = run(
        "logs", "check", "--contract", str(CONTRACT), "--loki", loki, "--query", 'count_over_time({app=~".+"}[1m])'
    )
    assert "the query gives numbers, not lines" in ended.err
