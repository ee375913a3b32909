"""commands.txt holds what the library asks of Redis, all of it and nothing else, as Redis itself logs what it refuses."""

from __future__ import annotations

import re
from contextlib import closing, suppress
from pathlib import Path

import pytest
from interrupted import Killed, after, die
from servers import ROOT, Nodes, Server

from auralink_shared.dlq import Collector, DeadLetters, Filter, Jobs, Record, Spool, doctor
from conftest import QUEUE, SETTINGS, Clock


def listed() -> list[str]:
    lines = (ROOT / "libs" / "lua" / "commands.txt").read_text(encoding="utf-8").splitlines()
    return [line.split()[0] for line in lines if line and not line.startswith("#")]


def denied(place: Server | Nodes) -> list[str]:
    """What the user `dlq` was refused; apart from the name that a client gives itself: Redis 7.0 knows no such command to allow."""
    nodes = place.nodes if isinstance(place, Nodes) else [place]
    entries = [entry for node in nodes for entry in node.root.acl_log()]
    return [str(entry["object"]) for entry in entries if entry["object"] != "client|setinfo"]


def every_operation(place: Server | Nodes, clock: Clock, folder: Path) -> None:
    spool = Spool(folder / "spool")
    letters = DeadLetters(place.connect(), settings=SETTINGS, clock=clock, spool=spool)
    with closing(letters):
        operate(place, letters, spool, clock)


def operate(place: Server | Nodes, letters: DeadLetters, spool: Spool, clock: Clock) -> None:
    for id in "abcdefg":
        letters.add(Record(QUEUE, id.encode(), id=id, error=id, created_at=clock.now))
    letters.client.lpush(f"dlq:{QUEUE}", b'{"id":"inbox","payload":1}')
    letters.adopt(QUEUE)
    letters.get(QUEUE, "a")
    assert len([*letters.each(QUEUE, limit=2, order="newest"), *letters.each(QUEUE, limit=2, order="oldest")]) == 16
    assert letters.groups(QUEUE) and letters.count(QUEUE, Filter(error="a")) == 1
    letters.retry(QUEUE, "a", by="ann")
    letters.retry(QUEUE, "b", by="ann", payload=b"edited")
    assert letters.known(QUEUE, b"edited")
    assert letters.client.lpop(QUEUE) == b"a"  # a consumer of the queue is this user as well
    assert letters.client.blpop([QUEUE], timeout=1) == (QUEUE.encode(), b"edited")
    letters.remove(QUEUE, "c", by="ann")
    letters.restore(QUEUE, "c", by="ann")
    letters.remove(QUEUE, "c", by="ann")
    letters.purge(QUEUE, "c", by="ann")
    if isinstance(place, Nodes):
        with pytest.raises(Killed):
            DeadLetters(after(place.connect(), 3, die), settings=SETTINGS, clock=clock).retry(QUEUE, "d", by="ann")
        assert letters.sweep(QUEUE) == 1
    place.root_of(QUEUE).delete(QUEUE)
    place.root_of(QUEUE).set(QUEUE, "no list")
    assert [one.failed for one in letters.bulk(QUEUE, "retry", Filter(error="e"), by="ann")][-1] == {"refused": 1}
    jobs = Jobs(letters, beat=0.01)
    assert jobs.wait(jobs.start(QUEUE, "remove", Filter(), by="ann", allow_all=True, rate=20).id).state == "done"
    jobs.cancel(jobs.list()[0].id)
    clock.now += 400 * 86400
    letters.cleanup(QUEUE)
    assert letters.audit(limit=1)
    assert doctor.examine(letters.client)
    assert list(Collector(letters, shared=True).collect())
    letters.client.ping()
    spool.append(
        __import__("auralink_shared.dlq.spool", fromlist=["Spooled"]).Spooled(QUEUE, "s", b"{}", 1, "exhausted", 0)
    )
    assert letters.replay_spool() == 1


def set_out(place: Server | Nodes) -> Clock:
    place.flush()
    for node in place.nodes if isinstance(place, Nodes) else [place]:
        node.root.script_flush()  # so that the text of each script is sent
        node.root.acl_log_reset()
    clock = Clock()
    clock.now = float(place.root_of(QUEUE).time()[0])
    return clock


def test_every_operation_runs_as_the_user_dlq(place: Server | Nodes, tmp_path: Path) -> None:
    every_operation(place, set_out(place), tmp_path)
    assert denied(place) == []


def test_the_commands_of_the_scripts_are_listed() -> None:
    called = {
        name.lower()
        for path in (ROOT / "libs" / "lua").glob("*.lua")
        for name in re.findall(r"call\('(\w+)'", path.read_text(encoding="utf-8"))
    }
    assert len(called) > 15
    assert called <= set(listed())


@pytest.mark.parametrize("command", listed())
def test_without_any_one_command_something_is_refused(
    server: Server, request: pytest.FixtureRequest, tmp_path: Path, command: str
) -> None:
    of_a_cluster = command in ("command", "cluster|slots")
    place: Server | Nodes = request.getfixturevalue("nodes") if of_a_cluster else server
    clock = set_out(place)
    each = place.nodes if isinstance(place, Nodes) else [place]
    for node in each:
        node.root.execute_command("ACL", "SETUSER", "dlq", f"-{command}")
    try:
        with suppress(Exception):  # what the library makes of it is asked elsewhere
            every_operation(place, clock, tmp_path)
        assert command in {refused.lower() for refused in denied(place)}
    finally:
        for node in each:
            node.root.execute_command("ACL", "SETUSER", "dlq", f"+{command}")
