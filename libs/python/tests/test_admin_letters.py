"""The plan's requests, and the faults of its handlers (D5 to D9, D13, D18 of its review) as they can't happen any more."""

from __future__ import annotations

import base64
import json
import threading
from urllib.parse import quote

import pytest
from admin import DLQ, Api, kind
from test_dlq_faults import queued

from auralink_shared.dlq import DeadLetters, Record
from conftest import OTHER, QUEUE, Server

PAYLOAD = b'{"room": 9007199254740993, "price": 1.50, "password": "hunter2"}'


def dead(letters: DeadLetters, id: str, payload: bytes = PAYLOAD, queue: str = QUEUE, **more: object) -> str:
    at = letters.clock()
    more = {"error": "database is down", "created_at": at, "first_attempt": at, "last_attempt": at, **more}
    return letters.add(Record(queue, payload, id=id, **more))  # type: ignore[arg-type]


def test_the_plan_s_three_requests_do_what_they_say(api: Api) -> None:
    dead(api.letters, "1"), dead(api.letters, "2")
    with api.of("operator") as otto:
        answer = otto.get(DLQ, params={"queue": QUEUE})
        assert answer.status_code == 200
        assert [one["id"] for one in answer.json()] == ["2", "1"]
        assert answer.headers["x-total-count"] == "2"
        assert otto.post(f"{DLQ}/1/retry", params={"queue": QUEUE}).status_code == 204
        assert otto.delete(f"{DLQ}/2", params={"queue": QUEUE}).status_code == 204
        assert otto.get(DLQ, params={"queue": QUEUE}).json() == []
    assert queued(api.letters) == [PAYLOAD]


def test_the_plan_s_form_names_the_queue(api: Api) -> None:
    dead(api.letters, "1"), dead(api.letters, "2")
    with api.of("operator") as otto:
        assert otto.post(f"{DLQ}/1/retry", data={"queue": QUEUE}).status_code == 204
        assert otto.post(f"{DLQ}/2/retry", files={"queue": (None, QUEUE)}).status_code == 204
        assert kind(otto.post(f"{DLQ}/1/retry", data={"queue": "NO NAME"})) == (422, "invalid")
    assert len(queued(api.letters)) == 2


def test_a_form_that_cannot_be_read_is_refused_though_the_query_says_all(api: Api) -> None:
    dead(api.letters, "1")
    said = {"queue": QUEUE, "reason": "exhausted"}
    headers = {"content-type": "multipart/form-data; boundary=b"}
    with api.of("operator") as otto:
        cut = otto.post(f"{DLQ}/1/retry", params=said, headers=headers, content=b"--b\r\nNone--b--\r\n")
        assert kind(cut) == (400, "bad-request")
        assert otto.post(f"{DLQ}/1/retry", params=said, headers=headers, content=b"--b--\r\n").status_code == 204
    assert len(queued(api.letters)) == 1


def test_d5_two_operators_at_once_send_it_once(api: Api) -> None:
    answers: list[int] = []

    def press(start: threading.Barrier, id: str) -> None:
        with api.of("operator") as otto:
            start.wait()
            answers.append(otto.post(f"{DLQ}/{id}/retry", params={"queue": QUEUE}).status_code)

    for number in range(10):
        dead(api.letters, str(number))
        start = threading.Barrier(2)
        threads = [threading.Thread(target=press, args=(start, str(number))) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(answers) == [204] * 10 + [404] * 10
    assert len(queued(api.letters)) == 10


def test_d6_the_oldest_of_many_is_reached_by_pages_and_by_its_id(api: Api) -> None:
    api.letters.client.lpush(f"dlq:{QUEUE}", *(json.dumps({"id": str(n), "payload": n}) for n in range(1203)))
    seen, url = [], f"{DLQ}?queue={QUEUE}&limit=400"
    with api.of("operator") as otto:
        while url:
            answer = otto.get(url)
            seen += [one["id"] for one in answer.json()]
            url = answer.links.get("next", {}).get("url", "")
        assert seen == [str(n) for n in reversed(range(1203))]
        assert otto.post(f"{DLQ}/0/retry?queue={QUEUE}").status_code == 204
    assert queued(api.letters) == [b"0"]


def test_d7_an_unknown_letter_is_not_found_and_one_that_changed_is_a_conflict(api: Api) -> None:
    dead(api.letters, "1")
    with api.of("admin") as anna:
        for method, path in [
            ("GET", "/x"),
            ("POST", "/x/retry"),
            ("DELETE", "/x"),
            ("POST", "/x/restore"),
            ("POST", "/x/purge"),
        ]:
            assert kind(anna.request(method, DLQ + path, params={"queue": QUEUE})) == (404, "unknown")
        other = {"If-Match": '"' + "0" * 40 + '"'}
        for method, path in [("POST", "/1/retry"), ("DELETE", "/1")]:
            assert kind(anna.request(method, DLQ + path, params={"queue": QUEUE}, headers=other)) == (409, "conflict")
        tag = anna.get(f"{DLQ}/1", params={"queue": QUEUE}).headers["etag"]
        assert anna.delete(f"{DLQ}/1", params={"queue": QUEUE}, headers={"If-Match": tag}).status_code == 204


def test_a_quarantined_letter_and_a_queue_of_another_type_are_told_apart(api: Api, server: Server) -> None:
    dead(api.letters, "1", replays=5), dead(api.letters, "2")
    server.root.set(QUEUE, "no list")
    with api.of("admin") as anna, api.of("operator") as otto:
        assert kind(otto.post(f"{DLQ}/1/retry?queue={QUEUE}")) == (409, "quarantined")
        assert kind(otto.post(f"{DLQ}/2/retry?queue={QUEUE}")) == (409, "refused")
        assert kind(otto.post(f"{DLQ}/1/retry?queue={QUEUE}", json={"force": True})) == (403, "forbidden")
        server.root.delete(QUEUE)
        assert anna.post(f"{DLQ}/1/retry?queue={QUEUE}", json={"force": True}).status_code == 204


def test_d8_what_no_one_can_decode_is_shown_and_can_be_edited_or_removed(api: Api) -> None:
    api.letters.client.lpush(
        f"dlq:{QUEUE}", b"not JSON \xff", b'{"id":"2","created_at":"2026-01-02T03:04:05","payload":[1]}'
    )
    with api.of("operator") as otto:
        bad, two = otto.get(DLQ, params={"queue": QUEUE, "order": "newest"}).json()
        assert two["payload"] == [1] and bad["id"].startswith("bad-") and "payload" not in bad
        assert kind(otto.post(f"{DLQ}/{bad['id']}/retry?queue={QUEUE}")) == (409, "no-payload")
        assert otto.post(f"{DLQ}/{bad['id']}/retry?queue={QUEUE}", json={"payload": {"a": 1}}).status_code == 204
        assert otto.delete(f"{DLQ}/2?queue={QUEUE}").status_code == 204


def test_d9_a_bulk_retry_gives_the_queue_its_order_back(api: Api) -> None:
    api.letters.client.lpush(f"dlq:{QUEUE}", *(json.dumps({"id": id, "payload": id, "error": "e"}) for id in "zyxabc"))
    with api.of("operator") as otto:
        answer = otto.post(
            f"{DLQ}/bulk", json={"queue": QUEUE, "action": "retry", "filter": {"error": "e"}, "rate": 500}
        )
        api.app.state.jobs.wait(answer.json()["id"])
    assert queued(api.letters) == [json.dumps(id).encode() for id in "zyxabc"]


def test_d18_a_queue_that_is_missing_or_misspelt_is_told(api: Api) -> None:
    with api.of("operator") as otto:
        assert kind(otto.get(DLQ)) == (422, "invalid")
        assert kind(otto.get(DLQ, params={"queue": ""})) == (422, "invalid")
        assert kind(otto.get(DLQ, params={"queue": "room:create"})) == (404, "unknown-queue")
        assert kind(otto.get(f"{DLQ}/audit", params={"queue": "room:create"})) == (404, "unknown-queue")
        assert kind(otto.get(f"{DLQ}/groups", params={"queue": "room:create"})) == (404, "unknown-queue")
        assert kind(otto.get(f"{DLQ}?queue={QUEUE}&queue={OTHER}")) == (422, "invalid")
        assert kind(otto.get(DLQ, params={"queue": QUEUE, "eror": "x"})) == (422, "invalid")
        for method, path in [("POST", "/x/retry"), ("DELETE", "/x"), ("GET", "/x")]:
            answer = otto.request(method, DLQ + path)
            assert kind(answer) == (422, "invalid") and answer.json()["errors"][0]["at"] == ["query", "queue"]


@pytest.mark.parametrize(
    "id", ["a/b", "?queue=x", "a%2Fb", "/", "#!~", "x/retry", "bulk", "queues", "groups", "audit", "bulk/1", "..a"]
)
def test_an_id_may_hold_any_printable_character(api: Api, id: str) -> None:
    dead(api.letters, id, b"1"), dead(api.letters, "other", b"2")
    # percent-encoded, also where a word of the API would be meant otherwise
    path = DLQ + "/" + (f"%{ord(id[0]):02X}{quote(id[1:], safe='')}" if id[0].isalpha() else quote(id, safe=""))
    with api.of("admin") as anna:
        assert anna.get(f"{path}?queue={QUEUE}").json()["id"] == id
        assert anna.delete(f"{path}?queue={QUEUE}").status_code == 204
        assert anna.post(f"{path}/restore?queue={QUEUE}").status_code == 204
        assert anna.post(f"{path}/retry?queue={QUEUE}").status_code == 204
    assert queued(api.letters) == [b"1"]


def test_an_edited_payload_is_sent_byte_for_byte_and_the_old_body_is_kept(api: Api) -> None:
    dead(api.letters, "1")
    said = b'{"reason": "typo", "payload": {"n": 9007199254740993, "p": 1.50,\n "u": "\\u00e9"}}'
    with api.of("operator") as otto:
        answer = otto.post(f"{DLQ}/1/retry?queue={QUEUE}", content=said, headers={"Content-Type": "application/json"})
        assert answer.status_code == 204
        (old,) = otto.get(DLQ, params={"queue": QUEUE, "place": "trash"}).json()
        (entry,) = otto.get(f"{DLQ}/audit").json()
    assert queued(api.letters) == [b'{"n": 9007199254740993, "p": 1.50,\n "u": "\\u00e9"}']
    assert old["id"] == "1" and old["payload"]["password"] == "hunter2"
    assert (entry["what"], entry["by"], entry["result"], entry["more"]["note"]) == ("edit", "otto", "ok", "typo")
    assert len(entry["more"]["trace_id"]) == 32


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"payload": NaN}',
        b'{"payload": 1, "payload_base64": "MQ=="}',
        b'{"payload_base64": "no base64"}',
        b'{"payload_base64": ""}',
        b'{"payload_base64": null}',
        b'{"paylod": 1}',
        b'{"force": "yes"}',
        b'{"reason": "' + b"x" * 501 + b'"}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_a_body_that_can_t_be_read_sends_nothing(api: Api, body: bytes) -> None:
    dead(api.letters, "1")
    with api.of("operator") as otto:
        answer = otto.post(f"{DLQ}/1/retry?queue={QUEUE}", content=body, headers={"Content-Type": "application/json"})
        assert kind(answer) == (422, "invalid")
        assert (
            kind(otto.post(f"{DLQ}/1/retry?queue={QUEUE}", content=b"x", headers={"Content-Type": "text/x"}))[0] == 415
        )
    assert queued(api.letters) == []


def test_bytes_that_are_no_json_go_as_base64_both_ways(api: Api) -> None:
    dead(api.letters, "1", b"\x00\xff")
    with api.of("operator") as otto:
        (one,) = otto.get(DLQ, params={"queue": QUEUE}).json()
        assert base64.b64decode(one["payload_base64"]) == b"\x00\xff"
        edit = {"payload_base64": base64.b64encode(b"\x01\xfe").decode()}
        assert otto.post(f"{DLQ}/1/retry?queue={QUEUE}", json=edit).status_code == 204
    assert queued(api.letters) == [b"\x01\xfe"]


def test_a_payload_is_shown_as_it_stands_in_the_body(api: Api) -> None:
    dead(api.letters, "1", b'{"n": 9007199254740993, "p": 1.50, "e": "\\u00e9"}')
    dead(api.letters, "2", b"[1e400]")  # no number that JSON's readers have
    with api.of("operator") as otto:
        text = otto.get(f"{DLQ}/1?queue={QUEUE}").text
        assert '"payload": {"n": 9007199254740993, "p": 1.50, "e": "\\u00e9"}' in text
        assert base64.b64decode(otto.get(f"{DLQ}/2?queue={QUEUE}").json()["payload_base64"]) == b"[1e400]"


def test_an_edited_payload_over_the_limit_is_refused(api: Api) -> None:
    dead(api.letters, "1")
    with api.of("operator") as otto:
        answer = otto.post(f"{DLQ}/1/retry?queue={QUEUE}", json={"payload": "x" * api.letters.settings.body_limit})
    assert kind(answer) == (413, "too-large")


def test_queues_groups_and_the_audit_are_told(api: Api) -> None:
    for id, error in [("1", "room 7 is gone"), ("2", "room 8 is gone"), ("3", "timeout")]:
        dead(api.letters, id, error=error)
    with api.of("operator") as otto:
        queues = {one["queue"]: one for one in otto.get(f"{DLQ}/queues").json()}
        assert (queues[QUEUE]["depth"], queues[OTHER]["depth"]) == (3, 0)
        assert "oldest" in queues[QUEUE] and "oldest" not in queues[OTHER]
        first, second = otto.get(f"{DLQ}/groups", params={"queue": QUEUE}).json()
        assert (first["count"], second["count"]) == (2, 1)
        ids = {one["id"] for one in otto.get(DLQ, params={"queue": QUEUE, "fingerprint": first["fingerprint"]}).json()}
        assert ids == {"1", "2"}
        for id in "123":
            otto.delete(f"{DLQ}/{id}", params={"queue": QUEUE, "reason": f"no {id}"})
        page = otto.get(f"{DLQ}/audit", params={"queue": QUEUE, "limit": 2})
        rest = otto.get(page.links["next"]["url"])
    assert [one["more"]["note"] for one in [*page.json(), *rest.json()]] == ["no 3", "no 2", "no 1"]
