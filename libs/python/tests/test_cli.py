"""`auralink-dlq` as it is installed, against a real Redis and as its user `dlq`."""

from __future__ import annotations

import base64
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from servers import PASSWORD, ROOT, Nodes, Server

from auralink_shared.dlq import DeadLetters, Record, Settings
from auralink_shared.dlq.letter import Filter
from conftest import OTHER, QUEUE

PROGRAM = str(Path(sys.executable).with_name("auralink-dlq"))
CONTRACT = json.loads((ROOT / "rendered/local/contract/contract.json").read_text(encoding="utf-8")) | {
    "dlq": {"queues": {QUEUE: {}, OTHER: {}}}
}
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environ(server: Server, tmp_path: Path) -> dict[str, str]:
    contract = tmp_path / "contract.json"
    contract.write_text(json.dumps(CONTRACT), encoding="utf-8")
    return {
        "PATH": os.environ["PATH"],
        "LOGNAME": "ann",
        "OBSGEN_CONTRACT": str(contract),
        "DLQ_REDIS_URL": f"redis://dlq@127.0.0.1:{server.port}/0",
        "DLQ_REDIS_PASSWORD": PASSWORD,
    }


@pytest.fixture
def run(environ: dict[str, str]) -> Run:
    def run(*words: str, code: int = 0, typed: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        ended = subprocess.run(
            [PROGRAM, *words], env={**environ, **more}, input=typed, capture_output=True, text=True, timeout=60
        )
        assert ended.returncode == code, ended.stdout + ended.stderr
        assert "Traceback" not in ended.stderr
        return ended

    return run


def filled(letters: DeadLetters, number: int, **fields: Any) -> list[str]:
    """Letters of the queue, a second between two, the first the oldest: their ids."""
    start = time.time() - 10_000
    for at in range(number):
        told = {"error": f"timeout after {at} s", "error_type": "TimeoutError", "attempts": 3, **fields}
        letters.add(Record(QUEUE, f'{{"n":{at}}}'.encode(), id=f"{at}", created_at=start + at, **told))
    return [f"{at}" for at in range(number)]


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()[1:]]


def documents(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def waiting(letters: DeadLetters) -> list[str]:
    return [letter.id for letter in letters.each(QUEUE, order="oldest")]


def queued(letters: DeadLetters) -> list[bytes]:
    return list(iter(lambda: letters.client.rpop(QUEUE), None))[::-1]


# Looking


def test_letters_are_listed_the_newest_first_and_a_page_says_how_to_go_on(letters: DeadLetters, run: Run) -> None:
    filled(letters, 5)
    first = run("list", QUEUE, "--limit", "2")
    assert [row[0] for row in rows(first.stdout)] == ["4", "3"]
    cursor = first.stderr.strip().removeprefix("there are more: ")
    rest = run("list", QUEUE, *cursor.split())
    assert [row[0] for row in rows(rest.stdout)] == ["2", "1", "0"]
    assert rest.stderr == ""


def test_columns_stand_below_their_names(letters: DeadLetters, run: Run) -> None:
    filled(letters, 11)
    head, *lines = run("list", QUEUE).stdout.splitlines()
    assert head.split() == ["ID", "AGE", "ATTEMPTS", "REPLAYS", "STATE", "GROUP", "ERROR"]
    at = head.index("ERROR")
    assert {line[at : at + 12] for line in lines} == {"TimeoutError"}
    end = head.index("ATTEMPTS") + len("ATTEMPTS")
    assert {line[end - 2 : end] for line in lines} == {" 3"}


def test_a_listed_letter_is_the_api_s_as_json(letters: DeadLetters, run: Run) -> None:
    filled(letters, 2)
    listed = documents(run("list", QUEUE, "--output", "json").stdout)
    assert listed == [letter.as_json(payload=True) for letter in letters.list(QUEUE).letters]
    assert documents(run("show", QUEUE, "1", "--output", "json").stdout) == [listed[0]]


@pytest.mark.parametrize(
    ("filter", "found"),
    [
        (("--error", "CONNECTION"), ["odd"]),
        (("--text", '"room":9'), ["odd"]),
        (("--min-attempts", "5"), ["odd"]),
        (("--since", "1m"), ["odd"]),
        (("--until", "1m"), ["2", "1", "0"]),
        (("--since", "1970-01-01", "--until", "2001-01-01T00:00:00+01:00"), []),
        (("--quarantined",), ["odd"]),
        (("--not-quarantined", "--error", "after 1 s"), ["1"]),
    ],
)
def test_a_filter_says_which_letters(
    letters: DeadLetters, run: Run, filter: Sequence[str], found: Sequence[str]
) -> None:
    filled(letters, 3)
    letters.add(Record(QUEUE, b'{"room":9}', id="odd", error="connection refused", attempts=5, replays=5))
    assert [one["id"] for one in documents(run("list", QUEUE, *filter, "--output", "json").stdout)] == list(found)


def test_what_a_letter_says_moves_no_cursor(letters: DeadLetters, run: Run) -> None:
    letters.add(Record(QUEUE, b'"\x7f"', id="1", error="\x1b[2J\r\nall is well \ud800\x9b1A\u2028"))
    for words in (["list", QUEUE], ["show", QUEUE, "1"], ["groups", QUEUE]):
        shown = run(*words).stdout
        assert not {"\x1b", "\r", "\x9b", "\u2028", "\x7f"} & set(shown), words
        assert r"\x1b[2J\x0d\x0aall is well" in shown


def test_a_queue_that_is_misspelt_is_no_empty_queue(letters: DeadLetters, run: Run) -> None:
    filled(letters, 1)
    for words in (["list", "rooms:creat"], ["groups", "rooms:creat"], ["bulk", "retry", "rooms:creat", "--allow-all"]):
        ended = run(*words, code=1)
        assert ended.stdout == ""
        assert "did you mean rooms:create?" in ended.stderr
    assert run("list", OTHER).stdout == ""


def test_a_queue_that_was_used_and_is_not_declared_can_be_looked_at(redis: Any, letters: DeadLetters, run: Run) -> None:
    redis.lpush("dlq:old", b'{"id":"1"}')
    assert rows(run("list", "old").stdout)[0][0] == "1"


def test_a_payload_is_shown_byte_for_byte(letters: DeadLetters, environ: dict[str, str]) -> None:
    for id, payload in (("text", b'{"n": 9007199254740993, "<b>": "\xc3\xa9"}'), ("bytes", b"\x00\xff\n\x1b")):
        letters.add(Record(QUEUE, payload, id=id))
        words = [PROGRAM, "show", QUEUE, id, "--payload"]
        assert subprocess.run(words, env=environ, stdout=subprocess.PIPE, check=True).stdout == payload
        words[-1] = "--body"
        assert (
            subprocess.run(words, env=environ, stdout=subprocess.PIPE, check=True).stdout == letters.get(QUEUE, id).body
        )


def test_a_letter_without_a_payload_has_none_to_show_and_can_be_looked_at(redis: Any, run: Run) -> None:
    redis.lpush(f"dlq:{QUEUE}", b'{"id":"1"}')
    assert "holds no payload" in run("show", QUEUE, "1", "--payload", code=1).stderr
    assert 'body: {"id":"1"}' in run("show", QUEUE, "1").stdout
    assert rows(run("list", QUEUE).stdout)[0][4] == "bad"


def test_groups_count_letters_by_error(letters: DeadLetters, run: Run) -> None:
    filled(letters, 3)
    letters.add(Record(QUEUE, b"1", id="odd", error="connection refused"))
    one, other = documents(run("groups", QUEUE, "--output", "json").stdout)
    assert (one["count"], one["error_type"], other["count"]) == (3, "TimeoutError", 1)
    assert [row[:2] for row in rows(run("groups", QUEUE).stdout)] == [
        ["3", one["fingerprint"]],
        ["1", other["fingerprint"]],
    ]
    found = documents(run("list", QUEUE, "--fingerprint", other["fingerprint"], "--output", "json").stdout)
    assert [letter["id"] for letter in found] == ["odd"]


def test_stats_count_the_letters_of_every_declared_queue(letters: DeadLetters, run: Run) -> None:
    filled(letters, 3)
    letters.client.lpush(f"dlq:{QUEUE}", b'{"id":"waits in the inbox"}')
    letters.remove(QUEUE, "0", by="ann")
    shown = {row[0]: row[1:] for row in rows(run("stats").stdout)}
    assert shown[QUEUE][0] == "3" and shown[QUEUE][2:] == ["1", "3", "0", "1"]
    assert shown[OTHER] == ["0", "-", "0", "0", "0", "0"]
    (one,) = documents(run("stats", QUEUE, "--output", "json").stdout)
    assert (one["queue"], one["depth"], one["inbox"], one["counters"]["removed:operator"]) == (QUEUE, 2, 1, 1)


# Doing


def test_a_message_goes_back_to_its_queue_and_the_audit_says_who_sent_it(letters: DeadLetters, run: Run) -> None:
    filled(letters, 2)
    assert run("retry", QUEUE, "1", "0", "--reason", "the target is back").stdout == "retried 1\nretried 0\n"
    assert queued(letters) == [b'{"n":1}', b'{"n":0}']
    assert waiting(letters) == []
    one, _ = documents(run("audit", QUEUE, "--output", "json").stdout)
    assert (one["what"], one["letter"], one["by"], one["result"]) == ("retry", "0", "ann", "ok")
    assert one["more"]["note"] == "the target is back"
    assert [row[1:] for row in rows(run("audit").stdout)] == [
        ["retry", QUEUE, "0", "ann", "ok"],
        ["retry", QUEUE, "1", "ann", "ok"],
    ]


def test_a_letter_that_is_not_there_is_told_and_the_others_are_sent(letters: DeadLetters, run: Run) -> None:
    filled(letters, 2)
    ended = run("retry", QUEUE, "0", "gone", "1", code=1)
    assert ended.stdout == "retried 0\nretried 1\n"
    assert ended.stderr == "auralink-dlq: rooms:create has no letter gone\n"
    answers = documents(run("retry", QUEUE, "gone", "--output", "json", code=1).stdout)
    assert answers == [{"queue": QUEUE, "id": "gone", "result": "unknown", "detail": "rooms:create has no letter gone"}]


def test_an_edited_payload_is_sent_as_it_was_typed(letters: DeadLetters, run: Run, tmp_path: Path) -> None:
    filled(letters, 2)
    run("retry", QUEUE, "0", "--payload", "-", typed='{"n": "corrected"}\n')
    (tmp_path / "one").write_bytes(b"\xff")
    run("retry", QUEUE, "1", "--payload", str(tmp_path / "one"))
    assert queued(letters) == [b'{"n": "corrected"}\n', b"\xff"]
    assert {letter.id for letter in letters.list(QUEUE, place="trash").letters} == {"0", "1"}


def test_what_is_of_one_letter_is_not_done_to_two(letters: DeadLetters, run: Run) -> None:
    filled(letters, 2)
    for option in ("--payload", "--seen"):
        assert "is of one letter" in run("retry", QUEUE, "0", "1", option, "-", code=2).stderr
    assert waiting(letters) == ["0", "1"]


def test_a_letter_that_has_changed_since_it_was_seen_stays(letters: DeadLetters, run: Run) -> None:
    filled(letters, 1)
    assert "conflict" in run("retry", QUEUE, "0", "--seen", "0" * 40, code=1).stderr
    assert "conflict" in run("remove", QUEUE, "0", "--seen", "0" * 40, code=1).stderr
    run("remove", QUEUE, "0", "--seen", letters.get(QUEUE, "0").sha1)


def test_a_quarantined_letter_is_sent_by_force_only(letters: DeadLetters, run: Run) -> None:
    letters.add(Record(QUEUE, b"1", id="1", replays=5))
    assert "quarantined" in run("retry", QUEUE, "1", code=1).stderr
    assert rows(run("list", QUEUE, "--quarantined").stdout)[0][4] == "quarantined"
    run("retry", QUEUE, "1", "--force", "--by", "bob")
    assert queued(letters) == [b"1"]
    assert documents(run("audit", "--limit", "1", "--output", "json").stdout)[0]["by"] == "bob"


def test_a_removed_letter_comes_back_until_it_is_purged(letters: DeadLetters, run: Run) -> None:
    filled(letters, 1)
    assert run("remove", QUEUE, "0").stdout == "removed 0\n"
    assert rows(run("list", QUEUE, "--place", "trash").stdout)[0][0] == "0"
    assert run("restore", QUEUE, "0").stdout == "restored 0\n"
    assert "unknown" in run("purge", QUEUE, "0", "--yes", code=1).stderr
    run("remove", QUEUE, "0")
    assert "say so with --yes" in run("purge", QUEUE, "0", code=2).stderr
    assert run("purge", QUEUE, "0", "--yes").stdout == "purged 0\n"
    run("restore", QUEUE, "0", code=1)


# Many


def test_nobody_does_anything_to_all_letters_by_leaving_the_filter_out(letters: DeadLetters, run: Run) -> None:
    filled(letters, 2)
    assert "--allow-all" in run("bulk", "retry", QUEUE, code=2).stderr
    assert waiting(letters) == ["0", "1"]
    ended = run("bulk", "retry", QUEUE, "--allow-all", "--rate", "500")
    assert ended.stdout == "retried 2 of 2: 2 ok\n"
    assert queued(letters) == [b'{"n":0}', b'{"n":1}']


def test_a_dry_run_says_how_many_and_does_nothing(letters: DeadLetters, run: Run) -> None:
    filled(letters, 4)
    words = ("bulk", "remove", QUEUE, "--error", "timeout", "--dry-run")
    assert run(*words).stdout == "would remove 4 of 4 letters\n"
    assert run(*words, "--limit", "3").stdout == "would remove 3 of 4 letters\n"
    assert documents(run(*words, "--output", "json").stdout)[0]["matched"] == 4
    assert len(waiting(letters)) == 4


def test_many_are_done_the_oldest_first_and_the_rest_stays(letters: DeadLetters, run: Run) -> None:
    filled(letters, 4)
    ended = run("bulk", "remove", QUEUE, "--error", "timeout", "--limit", "3", "--output", "json", "--rate", "500")
    assert documents(ended.stdout) == [
        {"queue": QUEUE, "action": "remove", "matched": 3, "done": 3, "ok": 3, "failed": {}}
    ]
    assert waiting(letters) == ["3"]


def test_what_can_not_be_done_to_one_of_many_is_counted(letters: DeadLetters, run: Run) -> None:
    filled(letters, 2)
    letters.add(Record(QUEUE, b"1", id="tired", replays=5))
    ended = run("bulk", "retry", QUEUE, "--allow-all", "--rate", "500", code=1)
    assert ended.stdout == "retried 3 of 3: 2 ok, 1 quarantined\n"
    assert waiting(letters) == ["tired"]


def test_more_than_a_hundred_are_asked_for(letters: DeadLetters, run: Run) -> None:
    filled(letters, 101)
    words = ("bulk", "remove", QUEUE, "--allow-all", "--rate", "500")
    assert "would remove 101 letters: say so with --yes" in run(*words, code=2).stderr
    assert len(waiting(letters)) == 101
    assert run(*words, "--limit", "1").stdout.startswith("removed 1 of 1")
    run(*words)  # a hundred are not


def test_progress_is_a_line_for_each_tenth_where_nobody_watches(letters: DeadLetters, run: Run) -> None:
    filled(letters, 101)
    ended = run("bulk", "remove", QUEUE, "--allow-all", "--yes", "--rate", "500")
    assert ended.stdout == "removed 101 of 101: 101 ok\n"
    assert len(ended.stderr.splitlines()) == 10
    assert ended.stderr.splitlines()[0] == "11 of 101: 11 ok"
    assert "\r" not in ended.stderr


def on_terminal(environ: dict[str, str], words: Sequence[str], typed: str) -> tuple[int, str]:
    """Exit code and what stood on the terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([PROGRAM, *words], env=environ, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, typed.encode())
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # Linux' word for the other end being closed
            break
        if not part:
            break
        shown += part
    os.close(ours)
    return process.wait(timeout=60), shown.decode()


@pytest.mark.parametrize(
    ("typed", "code", "left"), [("101\n", 0, 0), ("y\n", 1, 101), ("\n", 1, 101), ("100\n", 1, 101)]
)
def test_a_person_types_how_many_it_will_be(
    letters: DeadLetters, environ: dict[str, str], typed: str, code: int, left: int
) -> None:
    filled(letters, 101)
    words = ["bulk", "remove", QUEUE, "--allow-all", "--rate", "500"]
    ended, shown = on_terminal(environ, words, typed)
    assert ended == code, shown
    assert "this would remove 101 letters. Type the number to go on:" in shown
    assert ("nothing was done" in shown) == bool(left)
    assert ("[####################] 101 of 101: 101 ok" in shown) != bool(left)
    assert len(waiting(letters)) == left


def test_who_interrupts_stops_between_two_letters_and_the_audit_says_so(
    letters: DeadLetters, environ: dict[str, str]
) -> None:
    filled(letters, 12)
    words = [PROGRAM, "bulk", "remove", QUEUE, "--allow-all", "--rate", "0.5"]
    with subprocess.Popen(words, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr and process.stdout
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.stdout.read().startswith("removed ")
        assert process.wait(timeout=60) == 1
    left = len(waiting(letters))
    assert left == 10  # a wait of two seconds is not sat out
    (asked,) = [one for one in letters.audit(QUEUE) if one.what == "bulk"]
    assert (asked.result, asked.more["done"]) == ("stopped", str(12 - left))


# Upkeep


def test_the_cleanup_goes_over_every_declared_queue(letters: DeadLetters, run: Run, tmp_path: Path) -> None:
    month = time.time() - 31 * 86400
    for queue, id, died in ((QUEUE, "old", month), (QUEUE, "new", time.time()), (OTHER, "old", month)):
        letters.add(Record(queue, b"1", id=id, created_at=died))
    bodies = [letters.get(queue, "old").body for queue in (QUEUE, OTHER)]
    ended = run("cleanup", "--archive", str(tmp_path / "kept"))
    assert ended.stdout == "".join(
        f"{queue}: 1 letter past retention, 0 out of the trash\n" for queue in (QUEUE, OTHER)
    )
    assert waiting(letters) == ["new"]
    kept = [json.loads((tmp_path / "kept" / f"{queue}.jsonl").read_text()) for queue in (QUEUE, OTHER)]
    assert [base64.b64decode(one["body"]) for one in kept] == bodies
    assert {one["by"] for one in documents(run("audit", "--output", "json").stdout)} == {"cleanup"}
    (nothing, _) = documents(run("cleanup", "--output", "json").stdout)
    assert nothing == {"queue": QUEUE, "letters": 0, "purged": 0}


def test_a_queue_that_can_not_be_cleaned_hinders_no_other(redis: Any, letters: DeadLetters, run: Run) -> None:
    letters.add(Record(OTHER, b"1", id="old", created_at=time.time() - 31 * 86400))
    redis.set(f"dlq:{QUEUE}", "no list")
    ended = run("cleanup", code=1)
    assert ended.stderr.startswith(f"auralink-dlq: {QUEUE}: WRONGTYPE")
    assert ended.stdout == f"{OTHER}: 1 letter past retention, 0 out of the trash\n"


def test_the_doctor_says_which_setting_breaks_a_promise(server: Server, redis: Any, run: Run) -> None:
    well = run("doctor")
    assert {row[0] for row in rows(well.stdout)} <= {"ok", "-"}
    server.root.config_set("appendfsync", "everysec")
    try:
        ill = run("doctor", code=1)
        findings = documents(run("doctor", "--output", "json", code=1).stdout)
    finally:
        server.root.config_set("appendfsync", "always")
    assert "appendfsync is everysec. CONFIG SET appendfsync always" in ill.stdout
    assert [one["name"] for one in findings if not one["ok"]] == ["appendfsync"]


# Out


def test_an_export_has_every_byte(letters: DeadLetters, run: Run) -> None:
    for id, payload in (("1", b'{"n": 1.50}'), ("2", b"\x00\xff")):
        letters.add(Record(QUEUE, payload, id=id))
    lines = documents(run("export", QUEUE).stdout)
    assert [line["id"] for line in lines] == ["1", "2"]
    assert [base64.b64decode(line["body"]) for line in lines] == [letters.get(QUEUE, id).body for id in ("1", "2")]
    assert [line["id"] for line in documents(run("export", QUEUE, "--text", "1.50").stdout)] == ["1"]


def test_letters_go_back_to_the_list_that_the_plan_s_readers_know(
    server: Server, letters: DeadLetters, run: Run
) -> None:
    filled(letters, 3)
    bodies = [letters.get(QUEUE, id).body for id in ("2", "1", "0")]
    assert run("export", QUEUE, "--layout", "list").stderr == f"moved 3 letters into the list dlq:{QUEUE}\n"
    assert (
        server.root.lrange(f"dlq:{QUEUE}", 0, -1) == bodies
    )  # as LPUSH would have put them: the newest at its left end
    stats = letters.stats(QUEUE)
    assert (stats.depth, stats.trash, stats.inbox) == (0, 0, 3)
    assert waiting(letters) == ["0", "1", "2"]  # and in again, whole
    assert [letters.get(QUEUE, id).body for id in ("2", "1", "0")] == bodies


def test_a_part_of_the_letters_does_not_go_back_to_the_list(letters: DeadLetters, run: Run) -> None:
    filled(letters, 1)
    for words in (["--text", "1"], ["--place", "trash"]):
        assert "moves all letters" in run("export", QUEUE, "--layout", "list", *words, code=2).stderr
    assert waiting(letters) == ["0"]


def test_a_cluster_is_asked_like_one_redis(nodes: Nodes, tmp_path: Path, run: Run) -> None:
    nodes.flush()
    letters = DeadLetters(nodes.connect(), settings=Settings.from_contract(CONTRACT))
    filled(letters, 3)
    cluster = {"DLQ_REDIS_URL": f"redis://dlq@127.0.0.1:{nodes.nodes[0].port}/0", "DLQ_REDIS_CLUSTER": "1"}
    assert [row[0] for row in rows(run("list", QUEUE, **cluster).stdout)] == ["2", "1", "0"]
    run("retry", QUEUE, "0", **cluster)
    assert queued(letters) == [b'{"n":0}']
    assert run("bulk", "remove", QUEUE, "--text", '"n":1', **cluster).stdout == "removed 1 of 1: 1 ok\n"
    assert run("export", QUEUE, "--layout", "list", **cluster).stderr == f"moved 1 letter into the list dlq:{QUEUE}\n"
    assert letters.stats(QUEUE).inbox == 1
    run("cleanup", **cluster)
    assert "noeviction" in run("doctor", **cluster).stdout


# What goes wrong


def test_a_redis_that_is_away_is_one_line_and_could_not_run(run: Run) -> None:
    for words in (
        ["list", QUEUE],
        ["retry", QUEUE, "1"],
        ["cleanup"],
        ["doctor"],
        ["bulk", "retry", QUEUE, "--allow-all"],
    ):
        ended = run(*words, "--redis", "redis://dlq:secret@127.0.0.1:1/0", code=2)
        (said,) = ended.stderr.splitlines()
        assert said.startswith("auralink-dlq: Redis: ") and "127.0.0.1:1" in said
        assert "secret" not in ended.stderr
        assert ended.stdout == ""


def test_a_wrong_password_is_one_line_and_could_not_run(run: Run) -> None:
    (said,) = run("list", QUEUE, code=2, DLQ_REDIS_PASSWORD="other").stderr.splitlines()
    assert said.startswith("auralink-dlq: Redis: ") and "other" not in said


@pytest.mark.parametrize(
    ("words", "more"),
    [
        (["list", "Rooms"], {}),
        (["list", QUEUE, "--cursor", "x"], {}),
        (["list", QUEUE, "--since", "yesterday"], {}),
        (["list", QUEUE, "--redis", "localhost"], {}),
        (["list", QUEUE], {"OBSGEN_CONTRACT": "/nowhere/contract.json"}),
        (["list", QUEUE], {"DLQ_REDIS_CLUSTER": "perhaps"}),
        (["bulk", "retry", QUEUE, "--allow-all", "--rate", "501"], {}),
        (["bulk", "retry", QUEUE, "--allow-all", "--rate", "nan"], {}),
        (["bulk", "burn", QUEUE], {}),
        (["retry", QUEUE], {}),
        (["cleanup", "--archive", "/proc/nowhere"], {}),
        (["rety"], {}),
    ],
)
def test_what_can_not_be_meant_could_not_run(run: Run, words: Sequence[str], more: dict[str, str]) -> None:
    ended = run(*words, code=2, **more)
    assert ended.stdout == ""
    assert ended.stderr.startswith("auralink-dlq: ")


@pytest.mark.parametrize("words", [["list", QUEUE, "--output", "json"], ["export", QUEUE], ["stats"]])
def test_a_reader_that_has_seen_enough_ends_it_without_a_word(
    letters: DeadLetters, environ: dict[str, str], words: Sequence[str]
) -> None:
    filled(letters, 3)
    nobody, pipe = os.pipe()
    os.close(nobody)
    ended = subprocess.run([PROGRAM, *words], env=environ, stdout=pipe, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(pipe)
    assert (ended.returncode, ended.stderr) == (1, "")


def test_help_needs_no_redis(run: Run) -> None:
    shown = run("--help", DLQ_REDIS_URL="").stdout
    assert all(f"\n  {name} " in shown for name in ("list", "show", "retry", "bulk", "doctor", "serve"))
    assert "--dry-run" in run("bulk", "--help", DLQ_REDIS_URL="").stdout


def test_a_filter_of_the_command_line_names_every_condition() -> None:
    from auralink_shared.dlq.cli.run import cli

    conditions = {name for name in Filter.__dataclass_fields__ if name != "match"}
    for name in ("list", "bulk", "export"):
        assert conditions <= {option.name for option in cli.commands[name].params}, name
