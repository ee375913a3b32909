"""`Idempotency-Key`: an answer that got lost is asked for again, and nothing is done twice."""

from __future__ import annotations

import threading

import pytest
from admin import DLQ, Api, kind
from test_admin_letters import dead
from test_dlq_faults import queued

from conftest import QUEUE, Server

KEY = {"Idempotency-Key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}
RETRY = f"{DLQ}/1/retry?queue={QUEUE}"


def test_the_same_key_gets_the_same_answer_and_sends_once(api: Api) -> None:
    dead(api.letters, "1")
    with api.of("operator") as otto:
        first, again = otto.post(RETRY, headers=KEY), otto.post(RETRY, headers=KEY)
        assert (first.status_code, again.status_code) == (204, 204)
        assert "idempotent-replayed" not in first.headers and again.headers["idempotent-replayed"] == "true"
        assert otto.post(RETRY, headers=KEY).status_code == 204  # however often
        assert kind(otto.post(RETRY)) == (404, "unknown")  # without it, the letter has gone
    assert len(queued(api.letters)) == 1


def test_a_job_is_started_once_and_its_location_comes_again(api: Api) -> None:
    body = {"queue": QUEUE, "action": "remove", "filter": {"error": "x"}}
    with api.of("operator") as otto:
        first, again = (
            otto.post(f"{DLQ}/bulk", json=body, headers=KEY),
            otto.post(f"{DLQ}/bulk", json=body, headers=KEY),
        )
        assert first.json()["id"] == again.json()["id"] and first.headers["location"] == again.headers["location"]
        assert len(otto.get(f"{DLQ}/bulk").json()) == 1


def test_a_refusal_is_an_answer_too(api: Api) -> None:
    with api.of("operator") as otto:
        assert kind(otto.post(RETRY, headers=KEY)) == (404, "unknown")
        dead(api.letters, "1")
        again = otto.post(RETRY, headers=KEY)
        assert kind(again) == (404, "unknown") and again.headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize("other", ["path", "query", "body", "method"])
def test_another_request_under_a_known_key_is_refused(api: Api, other: str) -> None:
    dead(api.letters, "1"), dead(api.letters, "2")
    with api.of("operator") as otto:
        assert otto.post(RETRY, json={"reason": "a"}, headers=KEY).status_code == 204
        answer = {
            "path": lambda: otto.post(RETRY.replace("/1/", "/2/"), json={"reason": "a"}, headers=KEY),
            "query": lambda: otto.post(RETRY + "&x=1", json={"reason": "a"}, headers=KEY),
            "body": lambda: otto.post(RETRY, json={"reason": "b"}, headers=KEY),
            "method": lambda: otto.request("DELETE", f"{DLQ}/1?queue={QUEUE}", json={"reason": "a"}, headers=KEY),
        }[other]()
    assert kind(answer) == (422, "key-reused")
    assert len(queued(api.letters)) == 1


def test_keys_of_two_people_are_two(api: Api) -> None:
    dead(api.letters, "1")
    with api.of("operator") as otto, api.of("admin") as anna:
        assert otto.post(RETRY, headers=KEY).status_code == 204
        assert kind(anna.post(RETRY, headers=KEY)) == (404, "unknown")


def test_while_the_first_is_being_answered_the_second_is_told_so(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    dead(api.letters, "1")
    begun, go, retry = threading.Event(), threading.Event(), api.letters.retry

    def slow(*arguments: object, **named: object) -> None:
        begun.set()
        assert go.wait(10)
        retry(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(api.letters, "retry", slow)
    with api.of("operator") as otto, api.of("operator") as same:
        answers: list[int] = []
        first = threading.Thread(target=lambda: answers.append(otto.post(RETRY, headers=KEY).status_code))
        first.start()
        assert begun.wait(10)
        answer = same.post(RETRY, headers=KEY)
        go.set()
        first.join()
        assert kind(answer) == (409, "running") and answer.headers["retry-after"] == "1"
        assert answers == [204] and same.post(RETRY, headers=KEY).status_code == 204
    assert len(queued(api.letters)) == 1


def test_what_failed_on_our_side_may_be_tried_again(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    dead(api.letters, "1")

    def fault(*_: object, **__: object) -> None:
        raise RuntimeError

    with api.of("operator") as otto:
        with monkeypatch.context() as patched:
            patched.setattr(api.letters, "retry", fault)
            assert kind(otto.post(RETRY, headers=KEY)) == (500, "internal")
        answer = otto.post(RETRY, headers=KEY)
        while answer.status_code == 409:  # for a millisecond
            answer = otto.post(RETRY, headers=KEY)
        assert answer.status_code == 204


@pytest.mark.parametrize("key", ["", "x" * 256, "a b"])
def test_a_key_that_is_none_is_refused(api: Api, key: str) -> None:
    dead(api.letters, "1")
    with api.of("operator") as otto:
        assert kind(otto.post(RETRY, headers={"Idempotency-Key": key})) == (422, "invalid")
    assert queued(api.letters) == []


def test_an_answer_is_kept_for_a_day(api: Api, server: Server) -> None:
    dead(api.letters, "1")
    with api.of("operator") as otto:
        otto.post(RETRY, headers=KEY)
    (place,) = server.root.keys("{dlq}:idem:*")
    assert 86_000 < server.root.ttl(place) <= 86_400
