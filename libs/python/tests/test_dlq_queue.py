"""What operators and the cleanup do, on a real Redis."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import redis as client_library

from auralink_shared.contract import ContractError
from auralink_shared.dlq import (
    Conflict,
    DeadLetters,
    Record,
    Rejected,
    RetryPolicy,
    Settings,
    TooLarge,
    Unknown,
    handle,
)
from auralink_shared.dlq.letter import Filter
from auralink_shared.dlq.record import payload_of
from auralink_shared.logging.trace import continue_trace
from conftest import PASSWORD, QUEUE, ROOT, SETTINGS, Clock, Server

pytestmark = pytest.mark.each_server


def dead(id: str, payload: bytes = b"1", **more: Any) -> Record:
    return Record(QUEUE, payload, id=id, **more)


def queued(letters: DeadLetters) -> list[bytes]:
    return list(iter(lambda: letters.client.rpop(QUEUE), None))[::-1]


def test_a_record_has_the_plan_s_eight_fields_and_its_payload_untouched() -> None:
    record = Record(
        QUEUE, b'{"n": 9007199254740993}', id="1", error="\ud800", created_at=0.5, first_attempt=0, last_attempt=0.25
    )
    assert record.encode() == (
        b'{"id":"1","original_queue":"rooms:create","payload":{"n": 9007199254740993},"error":"\\ud800","attempts":1,'
        b'"first_attempt":"1970-01-01T00:00:00.000Z","last_attempt":"1970-01-01T00:00:00.250Z",'
        b'"created_at":"1970-01-01T00:00:00.500Z","reason":"exhausted"}'
    )


@pytest.mark.parametrize("payload", [b"", b"\xff", b"NaN", b"text", b'{"a":', b"[" * 100_000, b'"\\ud800"'])
def test_any_payload_comes_back_byte_for_byte(letters: DeadLetters, payload: bytes) -> None:
    letters.add(dead("1", payload))
    if payload:
        letters.retry(QUEUE, "1", by="ann")
        assert queued(letters) == [payload]
    else:
        with pytest.raises(ValueError, match="holds no payload"):
            letters.retry(QUEUE, "1", by="ann")


@pytest.mark.parametrize(
    "body",
    [
        b'{"id":"1","payload" : {"a":"}\\"", "n":1.50} , "x":[]}',
        b'{"payload":1,"id":"1","payload":{"a":"}\\"", "n":1.50}}',
        b'{"id":"1","n":%s,"payload":{"a":"}\\"", "n":1.50}}' % (b"9" * 5000),
        b'{"id":"1","s":"\\ud800","payload":{"a":"}\\"", "n":1.50}}',
    ],
)
def test_a_payload_is_found_whoever_wrote_the_letter(body: bytes) -> None:
    assert payload_of(body) == b'{"a":"}\\"", "n":1.50}'


def test_an_edited_retry_sends_the_new_payload_and_keeps_the_old_body(letters: DeadLetters) -> None:
    letters.add(dead("1", b"old"))
    body = letters.get(QUEUE, "1").body
    letters.retry(QUEUE, "1", by="ann", payload=b"new")
    assert queued(letters) == [b"new"]
    (old,) = letters.list(QUEUE, place="trash").letters
    assert (old.body, old.state["edited"]) == (body, True)
    letters.restore(QUEUE, "1", by="ann")
    assert letters.get(QUEUE, "1").body == body


def test_a_letter_that_changed_since_it_was_seen_is_a_conflict(letters: DeadLetters) -> None:
    letters.add(dead("1"))
    for operation in (letters.retry, letters.remove):
        with pytest.raises(Conflict):
            operation(QUEUE, "1", by="ann", seen="0" * 40)
    assert letters.stats(QUEUE).depth == 1
    assert letters.stats(QUEUE).counters["replayed:conflict"] == 1


def test_an_answer_lost_on_its_way_is_asked_for_again_and_nothing_is_sent_twice(
    letters: DeadLetters, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters.add(dead("1"))
    letters.client.evalsha_ = letters.client.evalsha

    def twice(*arguments: Any) -> Any:  # as redis-py does after a broken connection
        letters.client.evalsha_(*arguments)
        return letters.client.evalsha_(*arguments)

    letters.retry(QUEUE, "1", by="ann")  # Redis knows the script from here on
    letters.add(dead("2", b"2"))
    monkeypatch.setattr(letters.client, "evalsha", twice)
    letters.retry(QUEUE, "2", by="ann")
    letters.add(dead("3", b"3"))
    assert queued(letters) == [b"1", b"2"]
    assert letters.stats(QUEUE).depth == 1


def test_purge_takes_from_the_trash_only(letters: DeadLetters) -> None:
    letters.add(dead("1"))
    with pytest.raises(Unknown):
        letters.purge(QUEUE, "1", by="ann")
    letters.remove(QUEUE, "1", by="ann")
    letters.purge(QUEUE, "1", by="ann")
    with pytest.raises(Unknown):
        letters.get(QUEUE, "1")


def test_a_body_over_the_limit_is_refused_and_counted(letters: DeadLetters) -> None:
    with pytest.raises(TooLarge):
        letters.add(dead("1", b'"%s"' % (b"x" * 256 * 1024)))
    assert letters.local.add_failures == 1


def test_filters_ask_error_text_attempts_and_time(letters: DeadLetters) -> None:
    letters.add(dead("1", error="Timeout", attempts=3, created_at=100.0))
    letters.add(dead("2", b'"Zebra"', error_type="KeyError", attempts=5, created_at=200.0))

    def found(**conditions: Any) -> list[str]:
        return [one.id for one in letters.each(QUEUE, only=Filter(**conditions))]

    assert found() == ["2", "1"]
    assert found(error="timeOUT") == ["1"]
    assert found(error="keyerror") == found(text="zebra") == found(min_attempts=4) == found(since=150.0) == ["2"]
    assert found(until=150.0) == ["1"]
    assert found(text="nowhere") == []


def test_retention_archives_before_it_lets_go(letters: DeadLetters, clock: Clock, tmp_path: Path) -> None:
    for number in range(3):
        letters.add(dead(str(number), created_at=clock.now - 40 * 86400 + number))
    letters.add(dead("young", created_at=clock.now))
    assert letters.cleanup(QUEUE, archived=tmp_path / "archive") == (3, 0)
    lines = [json.loads(line) for line in (tmp_path / "archive").read_text(encoding="utf-8").splitlines()]
    assert [line["id"] for line in lines] == ["0", "1", "2"]
    assert [one.id for one in letters.each(QUEUE)] == ["young"]


def test_a_line_of_the_archive_that_a_crash_cut_off_spoils_no_other(
    letters: DeadLetters, clock: Clock, tmp_path: Path
) -> None:
    archive = tmp_path / "archive"
    archive.write_bytes(b'{"queue":"rooms:cre')
    letters.add(dead("1", created_at=clock.now - 31 * 86400))
    letters.cleanup(QUEUE, archived=archive)
    torn, line = archive.read_text(encoding="utf-8").splitlines()
    assert (torn, json.loads(line)["id"]) == ('{"queue":"rooms:cre', "1")


def test_every_change_is_in_the_audit_stream(letters: DeadLetters) -> None:
    letters.add(dead("1"))
    letters.remove(QUEUE, "1", by="ann")
    letters.restore(QUEUE, "1", by="bob")
    letters.retry(QUEUE, "1", by="cat")
    with pytest.raises(Unknown):
        letters.retry(QUEUE, "1", by="dan")
    entries = [(one.what, one.by, one.result) for one in letters.audit()]
    assert entries == [("retry", "cat", "ok"), ("restore", "bob", "ok"), ("remove", "ann", "ok")]


def test_the_retry_policy_waits_and_then_the_message_dies_with_its_story(letters: DeadLetters, clock: Clock) -> None:
    waits: list[float] = []

    def fails(payload: bytes) -> None:
        raise TimeoutError("no answer")

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        clock.now += 10

    with continue_trace(f"00-{'ab' * 16}-{'cd' * 8}-01"):
        died = handle(letters, "webhooks:deliver", b"{}", fails, sleep=sleep, clock=clock)
    assert len(waits) == 4  # five attempts, as the queue is declared
    assert all(0 <= wait <= 0.5 * 2**number for number, wait in enumerate(waits))
    fields = letters.get("webhooks:deliver", died.id).fields
    assert {name: fields[name] for name in ("error", "error_type", "attempts", "trace_id", "reason")} == {
        "error": "no answer",
        "error_type": "TimeoutError",
        "attempts": 5,
        "trace_id": "ab" * 16,
        "reason": "exhausted",
    }
    assert (fields["first_attempt"], fields["last_attempt"]) == ("2026-05-28T20:26:40.000Z", "2026-05-28T20:27:20.000Z")


def test_full_jitter_reaches_from_nothing_to_the_doubled_base_and_stops_at_the_cap() -> None:
    policy = RetryPolicy(base=1.0, cap=5.0)
    assert [policy.delay(attempt, lambda low, high: high) for attempt in (1, 2, 3, 4, 5000)] == [1, 2, 4, 5, 5]
    assert policy.delay(3, lambda low, high: low) == 0


def test_work_may_reject_a_message_at_once_and_success_leaves_nothing(letters: DeadLetters) -> None:
    def rejects(payload: bytes) -> None:
        raise Rejected("no such room")

    died = handle(letters, QUEUE, b"{}", rejects)
    assert died is not None
    assert handle(letters, QUEUE, b"{}", len) == 2
    assert letters.stats(QUEUE).counters == {"arrived:rejected": 1}


def test_two_messages_of_one_payload_that_come_back_are_two_letters(letters: DeadLetters) -> None:
    def fails(payload: bytes) -> None:
        raise TimeoutError

    for id in "12":
        letters.add(dead(id))
        letters.retry(QUEUE, id, by="ann")
    for message in queued(letters):  # in one millisecond
        handle(letters, QUEUE, message, fails, policy=RetryPolicy(max_attempts=1), clock=lambda: 1_700_000_000.0)
    assert [one.state["replays"] for one in letters.each(QUEUE)] == [1, 1]


def test_a_client_that_decodes_is_refused(server: Server) -> None:
    with pytest.raises(ValueError, match="decode_responses"):
        DeadLetters(client_library.Redis(port=server.port, decode_responses=True), settings=SETTINGS)


def test_without_a_rendered_contract_that_of_the_release_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OBSGEN_CONTRACT", raising=False)
    assert Settings.read().of("webhooks:deliver").max_attempts == 5


def test_a_contract_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OBSGEN_CONTRACT", str(tmp_path / "contract.json"))
    with pytest.raises(ContractError, match=r"contract\.json"):
        Settings.read()


def test_the_rendered_contract_gives_attempts_and_retention(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OBSGEN_CONTRACT", str(ROOT / "rendered" / "prod" / "contract" / "contract.json"))
    settings = Settings.read()
    assert settings.of("webhooks:deliver").max_attempts == 5
    assert settings.of("rooms:create").retention_seconds == 30 * 86400


def test_the_variables_of_a_rendered_workload_are_enough(letters: DeadLetters, server: Server) -> None:
    letters.add(dead("1"))
    contract = str(ROOT / "rendered" / "prod" / "contract" / "contract.json")
    environ = {"DLQ_REDIS_URL": f"redis://dlq@127.0.0.1:{server.port}/0", "DLQ_REDIS_PASSWORD": PASSWORD}
    one = DeadLetters.from_env({**environ, "OBSGEN_CONTRACT": contract})
    assert one.get(QUEUE, "1").payload == b"1"
    assert one.settings.of("webhooks:deliver").max_attempts == 5
    for wrong, name in (
        ({}, "DLQ_REDIS_URL"),
        ({**environ, "DLQ_REDIS_CLUSTER": "si"}, "CLUSTER"),
        ({"DLQ_REDIS_URL": "x"}, "URL"),
    ):
        with pytest.raises(ValueError, match=name):
            DeadLetters.from_env(wrong)
