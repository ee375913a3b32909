"""Route by role: who may what. The rows are computed from the application's routes, so a new one without a row fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from admin import DLQ, PEOPLE, Api, kind
from fastapi import APIRouter
from test_admin_letters import dead

from auralink_shared.dlq import DeadLetters
from auralink_shared.dlq.admin.auth import ANYONE, Principal, role_of
from conftest import OTHER, QUEUE, Server

# What is sent, and what each gets: viewer, operator, admin, those three limited to the other queue, nobody.
# The letter `1` is in the queue, `gone` in the trash; {job} is a job that has ended.
ASKED: dict[str, tuple[str, dict[str, Any], tuple[int, int, int, int, int, int, int]]] = {
    "GET /healthz": ("/healthz", {}, (200, 200, 200, 200, 200, 200, 200)),
    "GET /readyz": ("/readyz", {}, (200, 200, 200, 200, 200, 200, 200)),
    "GET /metrics": ("/metrics", {}, (200, 200, 200, 200, 200, 200, 200)),
    f"GET {DLQ}": (f"{DLQ}?queue={QUEUE}", {}, (200, 200, 200, 403, 403, 403, 401)),
    f"GET {DLQ}/{{id}}": (f"{DLQ}/1?queue={QUEUE}", {}, (200, 200, 200, 403, 403, 403, 401)),
    f"POST {DLQ}/{{id}}/retry": (f"{DLQ}/1/retry?queue={QUEUE}", {}, (403, 204, 204, 403, 403, 403, 401)),
    f"DELETE {DLQ}/{{id}}": (f"{DLQ}/1?queue={QUEUE}", {}, (403, 204, 204, 403, 403, 403, 401)),
    f"POST {DLQ}/{{id}}/restore": (f"{DLQ}/gone/restore?queue={QUEUE}", {}, (403, 204, 204, 403, 403, 403, 401)),
    f"POST {DLQ}/{{id}}/purge": (f"{DLQ}/gone/purge?queue={QUEUE}", {}, (403, 403, 204, 403, 403, 403, 401)),
    f"GET {DLQ}/queues": (f"{DLQ}/queues", {}, (200, 200, 200, 200, 200, 200, 401)),
    f"GET {DLQ}/groups": (f"{DLQ}/groups?queue={QUEUE}", {}, (200, 200, 200, 403, 403, 403, 401)),
    f"GET {DLQ}/audit": (f"{DLQ}/audit?queue={QUEUE}", {}, (200, 200, 200, 403, 403, 403, 401)),
    f"POST {DLQ}/bulk": (
        f"{DLQ}/bulk",
        {"json": {"queue": QUEUE, "action": "remove", "filter": {"error": "is down"}}},
        (403, 202, 202, 403, 403, 403, 401),
    ),
    f"GET {DLQ}/bulk": (f"{DLQ}/bulk", {}, (200, 200, 200, 200, 200, 200, 401)),
    f"GET {DLQ}/bulk/{{job}}": (f"{DLQ}/bulk/{{job}}", {}, (200, 200, 200, 404, 404, 404, 401)),
    f"DELETE {DLQ}/bulk/{{job}}": (f"{DLQ}/bulk/{{job}}", {}, (403, 202, 202, 403, 404, 404, 401)),
    "GET /openapi.json": ("/openapi.json", {}, (200, 200, 200, 200, 200, 200, 401)),
}
WHO = [*PEOPLE, None]
# Of the page's routes, the role; those not named are for everybody.
PAGE = {
    "GET /ui/": "viewer",
    "GET /ui/audit": "viewer",
    "GET /ui/jobs": "viewer",
    "GET /ui/jobs/{job}": "viewer",
    "GET /ui/jobs/{job}/progress": "viewer",
    "POST /ui/jobs/{job}/cancel": "operator",
    "GET /ui/queues/{queue}": "viewer",
    "GET /ui/queues/{queue}/groups": "viewer",
    "GET /ui/queues/{queue}/letter": "viewer",
    "GET /ui/queues/{queue}/payload": "viewer",
    "POST /ui/queues/{queue}/retry": "operator",
    "POST /ui/queues/{queue}/remove": "operator",
    "POST /ui/queues/{queue}/restore": "operator",
    "POST /ui/queues/{queue}/purge": "admin",
    "GET /ui/queues/{queue}/edit": "operator",
    "POST /ui/queues/{queue}/edit": "operator",
    "POST /ui/queues/{queue}/difference": "operator",
    "GET /ui/queues/{queue}/bulk": "operator",
    "POST /ui/queues/{queue}/bulk": "operator",
}
OPEN = {"GET /", "GET /ui", "GET /ui/static/{name}", "GET /ui/login", "POST /ui/login", "POST /ui/logout"}


@pytest.fixture
def seeded(api: Api) -> Iterator[Api]:
    from auralink_shared.dlq import Filter

    job = api.app.state.jobs.start(QUEUE, "retry", Filter(error="nothing has this"), by="anna")
    api.app.state.jobs.wait(job.id)
    dead(api.letters, "1"), dead(api.letters, "gone")
    api.letters.remove(QUEUE, "gone", by="anna")
    api.job = job.id  # type: ignore[attr-defined]
    yield api
    api.app.state.jobs.close()


def routes(app: Any) -> set[str]:
    return {f"{method} {route.path_format}" for route in app.routes for method in route.methods}


def test_every_route_has_a_row(api: Api) -> None:
    assert routes(api.app) == {*ASKED, *PAGE, *OPEN}


@pytest.mark.parametrize("row", PAGE)
def test_the_page_lets_in_whom_the_api_would(seeded: Api, row: str) -> None:
    method, path = row.split()
    path = path.format(queue=QUEUE, job=seeded.job)  # type: ignore[attr-defined]
    said = {"id": "nobody", "error": "nothing has this"}  # that there is no such letter comes after who asks
    for who, (role, name, queues) in PEOPLE.items():
        with seeded.of(who) as client:
            answer = client.request(method, path, params=said, data=said if method == "POST" else None)
        may = Principal(name, role).may(PAGE[row])
        theirs = not queues or ("{queue}" not in row and "{job}" not in row)
        if may and theirs:
            assert answer.status_code != 403, who
        else:
            assert answer.status_code == (404 if may and "{job}" in row else 403), who
    with seeded.of(None) as nobody:
        answer = nobody.request(method, path)
        assert answer.status_code == 401 or answer.headers["location"].startswith("/ui/login")


@pytest.mark.parametrize("row", ASKED)
def test_each_gets_what_their_role_and_queues_allow(seeded: Api, row: str) -> None:
    (path, more, wanted), method = ASKED[row], row.split()[0]
    for who, status in sorted(zip(WHO, wanted, strict=True), key=lambda one: one[1] < 300):  # refusals change nothing
        with seeded.of(who) as client:
            answer = client.request(method, path.format(job=seeded.job), **more)  # type: ignore[attr-defined]
        assert answer.status_code == status, (row, who, answer.text)
        if status < 300 and method != "GET":  # for the next one that may
            dead(seeded.letters, "1") if seeded.letters.list(QUEUE, place="queue").letters == [] else None
            seeded.app.state.jobs.close()
            _again(seeded.letters)


def _again(letters: DeadLetters) -> None:
    """The two letters once more, as they were."""
    for place in ("queue", "trash"):
        for letter in letters.list(QUEUE, place=place).letters:
            if place == "queue":
                letters.remove(QUEUE, letter.id, by="test")
            letters.purge(QUEUE, letter.id, by="test")
    dead(letters, "1"), dead(letters, "gone")
    letters.remove(QUEUE, "gone", by="test")


def test_a_route_without_a_role_is_refused_to_everybody(letters: DeadLetters, tmp_path: Path) -> None:
    api = Api(letters, tmp_path)
    router = APIRouter()

    @router.get("/forgotten")
    def forgotten() -> str:
        return "secret"

    api.app.router.routes.extend(router.routes)
    api.app.mount("/mounted", lambda *_: None)
    with api.running(), api.of("admin") as anna:
        for path in ("/forgotten", "/mounted/x"):
            assert kind(anna.get(path)) == (403, "forbidden")


def test_every_route_of_the_page_names_a_role_too(api: Api) -> None:
    for route in api.app.routes:
        assert role_of(route), route.path
        if route.path.startswith("/api"):
            assert role_of(route) != ANYONE


def test_what_is_of_another_queue_is_left_out(seeded: Api) -> None:
    dead(seeded.letters, "2", queue=OTHER)
    seeded.letters.remove(OTHER, "2", by="anna")
    with seeded.of("scoped-admin") as sam:
        assert [one["queue"] for one in sam.get(f"{DLQ}/queues").json()] == [OTHER]
        assert sam.get(f"{DLQ}/bulk").json() == []
        assert {one["queue"] for one in sam.get(f"{DLQ}/audit").json()} == {OTHER}
        for more in ({"json": {"payload": 1}}, {"data": {"queue": QUEUE}}):
            assert kind(sam.post(f"{DLQ}/1/retry", params={} if "data" in more else {"queue": QUEUE}, **more))[0] == 403  # type: ignore[arg-type]


def test_what_only_an_admin_may(seeded: Api) -> None:
    everything = {"queue": QUEUE, "action": "remove", "allow_all": True}
    forced = {"queue": QUEUE, "action": "retry", "filter": {"text": "no letter"}, "force": True}
    with seeded.of("operator") as otto, seeded.of("admin") as anna:
        for body in (everything, forced):
            assert kind(otto.post(f"{DLQ}/bulk", json=body)) == (403, "forbidden")
            assert anna.post(f"{DLQ}/bulk", json=body).status_code == 202


def test_read_only_refuses_every_change_and_shows_all(letters: DeadLetters, tmp_path: Path) -> None:
    with Api(letters, tmp_path, read_only=True).running() as api, api.of("admin") as anna:
        dead(letters, "1")
        for row, (path, more, _) in ASKED.items():
            method = row.split()[0]
            answer = anna.request(method, path.format(job="a" * 32), **more)
            assert (answer.status_code == 403) is (method != "GET"), row
            assert method == "GET" or kind(answer) == (403, "read-only")
        assert len(letters.list(QUEUE).letters) == 1


def test_a_redis_that_is_away_is_a_503_and_never_a_traceback(api: Api, server: Server) -> None:
    dead(api.letters, "1")
    server.kill()
    try:
        with api.of("admin") as anna:
            for row, (path, more, _) in ASKED.items():
                method = row.split()[0]
                answer = anna.request(method, path.format(job="a" * 32), **more)
                if path in ("/healthz", "/metrics", "/openapi.json"):
                    assert answer.status_code == 200
                elif path == "/readyz":
                    assert answer.status_code == 503 and answer.json()["ready"] is False
                else:
                    assert kind(answer) == (503, "redis"), row
                    assert "127.0.0.1" not in answer.text and "Error" not in answer.text
            key = {"Idempotency-Key": "k"}
            assert kind(anna.delete(f"{DLQ}/1?queue={QUEUE}", headers=key)) == (503, "redis")
    finally:
        server.start()
