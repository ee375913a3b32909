"""Bulk jobs over HTTP, from two replicas; and what probes and Prometheus see."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from admin import DLQ, Api, kind
from prometheus_client.parser import text_string_to_metric_families
from test_admin_letters import dead
from test_dlq_faults import queued

from auralink_shared.dlq import DeadLetters, Filter
from conftest import OTHER, QUEUE, SETTINGS, Clock, Server

ASKED = {"queue": QUEUE, "action": "retry", "filter": {"error": "is down"}, "reason": "the database is back"}


def test_a_dry_run_counts_and_changes_nothing(api: Api) -> None:
    for id in "123":
        dead(api.letters, id, error="database is down" if id != "3" else "timeout")
    with api.of("operator") as otto:
        answer = otto.post(
            f"{DLQ}/bulk",
            json=ASKED | {"dry_run": True, "rate": 1, "filter": {"error": "is down", "min_attempts": 1.0}},
        )
        assert (answer.status_code, answer.json()) == (200, {"matched": 2})
        assert otto.get(f"{DLQ}/bulk").json() == [] and otto.get(f"{DLQ}/audit").json() == []
    assert len(api.letters.list(QUEUE).letters) == 3


def test_a_job_does_what_its_filter_takes_and_says_how_far_it_is(api: Api) -> None:
    for id in "123":
        dead(api.letters, id, error="database is down" if id != "3" else "timeout")
    dead(api.letters, "4", replays=5)
    with api.of("operator") as otto:
        answer = otto.post(f"{DLQ}/bulk", json=ASKED | {"rate": 500})
        assert answer.status_code == 202 and answer.json()["state"] == "running"
        api.app.state.jobs.wait(answer.json()["id"])
        job = otto.get(answer.headers["location"]).json()
        entries = otto.get(f"{DLQ}/audit").json()
    assert (job["matched"], job["done"], job["ok"], job["failed"]) == (3, 3, 2, {"quarantined": 1})
    assert (job["state"], job["by"], job["filter"]) == ("done", "otto", {"error": "is down"})
    (whole,) = [one for one in entries if one["what"] == "bulk"]
    assert (whole["by"], whole["more"]["note"]) == ("otto", "the database is back")
    assert {one["more"]["trace_id"] for one in entries} == {whole["more"]["trace_id"]}
    assert len(queued(api.letters)) == 2


def test_a_job_is_seen_and_stopped_from_another_replica(api: Api, server: Server, tmp_path: Path) -> None:
    for number in range(20):
        dead(api.letters, str(number))
    (tmp_path / "other").mkdir()
    other = DeadLetters(server.connect(), settings=SETTINGS, clock=api.letters.clock)
    with Api(other, tmp_path / "other").running() as second, api.of("operator") as here, second.of("operator") as there:
        job = here.post(f"{DLQ}/bulk", json=ASKED | {"rate": 0.5}).headers["location"]
        while there.get(job).json()["matched"] != 20:
            time.sleep(0.05)  # its process tells once a second
        assert [one["id"] for one in there.get(f"{DLQ}/bulk").json()] == [job.rpartition("/")[2]]
        assert there.delete(job).status_code == 202
        api.app.state.jobs.wait(job.rpartition("/")[2])
        told = here.get(job).json()
        assert told["state"] == "cancelled" and told["done"] < 20
        assert there.delete(job).json()["state"] == "cancelled"  # once more does no harm


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"filter": {}}, 422, "needs-allow-all"),
        ({"filter": {"eror": "x"}}, 422, "invalid"),
        ({"filtre": {"error": "x"}}, 422, "invalid"),
        ({"rate": 0}, 422, "invalid"),
        ({"rate": 501}, 422, "invalid"),
        ({"rate": "NaN"}, 422, "invalid"),
        ({"action": "purge"}, 422, "invalid"),
        ({"queue": "room:create"}, 404, "unknown-queue"),
        ({"queue": "a{b}"}, 422, "invalid"),
        ({"filter": {"since": "2026-01-01"}}, 422, "invalid"),
        ({"filter": {"since": 1769860800}}, 422, "invalid"),
        ({"filter": {"since": "1769860800"}}, 422, "invalid"),
        ({"filter": {"min_attempts": "3"}}, 422, "invalid"),
        ({"filter": {"quarantined": "true"}}, 422, "invalid"),
        ({"filter": {"error": "is down", "since": None}}, 422, "invalid"),
        ({"dry_run": "no"}, 422, "invalid"),
        ({"force": 0}, 422, "invalid"),
        ({"reason": "x" * 501}, 422, "invalid"),
    ],
)
def test_a_job_that_may_mean_too_much_is_refused(api: Api, change: dict[str, Any], status: int, said: str) -> None:
    dead(api.letters, "1")
    with api.of("operator") as otto:
        assert kind(otto.post(f"{DLQ}/bulk", json=ASKED | change)) == (status, said)
        assert kind(otto.post(f"{DLQ}/bulk", content=b"{")) == (422, "invalid")
        # FastAPI's own answer to JSON that is no UTF-8; the description names it
        headers = {"content-type": "application/json"}
        assert kind(otto.post(f"{DLQ}/bulk", content=b'{"queue": "\xff"}', headers=headers)) == (400, "bad-request")
    assert len(api.letters.list(QUEUE).letters) == 1


def test_jobs_of_a_process_that_ends_say_that_they_were_stopped(letters: DeadLetters, tmp_path: Path) -> None:
    for id in "12345":
        dead(letters, id)
    api = Api(letters, tmp_path)
    with api.running(), api.of("operator") as otto:
        job = otto.post(f"{DLQ}/bulk", json=ASKED | {"rate": 0.1}).json()["id"]
    assert api.app.state.jobs.get(job).state == "cancelled"


def test_ready_is_that_redis_answers_and_settings_that_lose_letters_are_told(api: Api, server: Server) -> None:
    with api.of(None) as probe:
        told = probe.get("/readyz")
        assert (told.status_code, told.json()["ready"], told.json()["durable"]) == (200, True, True)
        server.root.config_set("appendfsync", "everysec")
        try:
            told = probe.get("/readyz")
        finally:
            server.root.config_set("appendfsync", "always")
        assert (told.status_code, told.json()["ready"], told.json()["durable"]) == (200, True, False)
        (finding,) = [one for one in told.json()["findings"] if not one["ok"]]
        assert (finding["name"], finding["value"]) == ("appendfsync", "everysec") and finding["remedy"]


def test_metrics_are_those_of_all_processes_from_0(api: Api) -> None:
    dead(api.letters, "1")
    api.letters.retry(QUEUE, "1", by="ann")
    with api.of(None) as prometheus:
        answer = prometheus.get("/metrics", headers={"Accept": "text/plain"})
        assert answer.headers["content-type"].startswith("text/plain")
        found = {
            (one.name, *sorted(one.labels.values())): one.value
            for family in text_string_to_metric_families(answer.text)
            for one in family.samples
        }
    assert found["dlq_messages_total", "exhausted", QUEUE] == found["dlq_replayed_messages_total", "ok", QUEUE] == 1
    assert found["dlq_messages_total", "exhausted", OTHER] == found["dlq_depth_messages", QUEUE] == 0
    assert found["dlq_durability_ok",] == 1


def test_the_filter_of_times_is_that_of_the_query(api: Api) -> None:
    dead(api.letters, "old", created_at=1_770_000_000.0), dead(api.letters, "new", created_at=1_775_000_000.0)
    with api.of("operator") as otto:
        for asked, ids in [
            ({"since": "2026-03-01T00:00:00Z"}, ["new"]),
            ({"until": "2026-03-01T00:00:00+02:00"}, ["old"]),
            ({"since": "2026-01-01T00:00:00Z", "order": "oldest"}, ["old", "new"]),
            ({"quarantined": "false", "text": "ROOM", "order": "oldest"}, ["old", "new"]),
            ({"quarantined": "true"}, []),
        ]:
            assert [one["id"] for one in otto.get(DLQ, params={"queue": QUEUE, **asked}).json()] == ids, asked
        assert api.letters.count(QUEUE, Filter(since=1_772_000_000)) == 1


def test_d13_one_redis_and_a_cluster_answer_alike(place: Any, tmp_path: Path, clock: Clock) -> None:
    letters = DeadLetters(place.connect(), settings=SETTINGS, clock=clock)
    for id in "1234":
        dead(letters, id), dead(letters, id, queue=OTHER)
    with Api(letters, tmp_path).running() as api, api.of("admin") as anna:
        assert anna.get("/readyz").json()["durable"] is True
        for queue in (QUEUE, OTHER):
            path, asked = f"{DLQ}/1/retry", {"queue": queue}
            for replayed in (False, True):
                answer = anna.post(path, params=asked, headers={"Idempotency-Key": queue})
                assert answer.status_code == 204 and ("idempotent-replayed" in answer.headers) is replayed
            assert anna.post(f"{DLQ}/2/retry", params=asked, json={"payload": 2}).status_code == 204
            assert anna.delete(f"{DLQ}/3", params=asked).status_code == 204
            assert anna.post(f"{DLQ}/3/restore", params=asked).status_code == 204
            job = anna.post(
                f"{DLQ}/bulk", json={"queue": queue, "action": "retry", "filter": {"error": "is down"}}
            ).json()
            api.app.state.jobs.wait(job["id"])
            assert anna.get(f"{DLQ}/bulk/{job['id']}").json()["ok"] == 2
            assert anna.get(DLQ, params=asked).json() == []
            assert len(list(iter(lambda queue=queue: letters.client.rpop(queue), None))) == 4
        assert len(anna.get(f"{DLQ}/audit", params={"queue": QUEUE}).json()) == 7
        assert f'dlq_replayed_messages_total{{outcome="ok",queue="{QUEUE}"}} 4.0' in anna.get("/metrics").text
