"""Log lines on their way: a logger, the container's log on the node, the agent, Loki, a query.

Each scenario runs with Promtail, then, on the same node and after a move as docs/how-to/move-to-alloy.md has it, with Alloy.
"""

from __future__ import annotations

import base64
import functools
import json
import signal
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import jsonschema
import msgspec
import pytest

from obsgen import agent as agents
from obsgen import model
from obsgen.road import load

from . import stands
from . import test_queries as queries
from .kept import Kept
from .lines import Line, counter, flush, lines, streams
from .shipping import GO, WRITERS, Agent, Writing, name
from .stage import Stage

LOGGERS = (("ai-core-service", "logger"), ("ai-core-service", "stdlib"), (GO, "logger"))
"""Who writes, through what: our logger in Python, a library's by way of `setup`, our logger in Go."""

WITH_PROMTAIL = pytest.param("promtail", marks=pytest.mark.boots("loki", "promtail"))
WITH_ALLOY = pytest.param("alloy", marks=pytest.mark.boots("loki", "alloy", profile="live-alloy"))
WITH_ALLOY_ASKED = pytest.param(
    "alloy",
    marks=pytest.mark.boots(
        "loki", "alloy", "prometheus", "alertmanager", "dashboards", "runbooks", profile="live-alloy"
    ),
)
with_each_agent = pytest.mark.parametrize("agent", [WITH_PROMTAIL, WITH_ALLOY], indirect=True)
with_promtail = pytest.mark.parametrize("agent", [WITH_PROMTAIL], indirect=True)
with_alloy = pytest.mark.parametrize("agent", [WITH_ALLOY], indirect=True)


@functools.cache
def declared() -> model.Declaration:
    """What profile live declares."""
    return load(stands.CONFIG, "live").declaration


def one(stage: Stage, logql: str, since: float, seconds: float = 30) -> Line:
    """The one line that a query finds, once it does."""
    found = stage.await_(lambda: lines(stage, logql, since - 1), seconds, f"no line for {logql}")
    assert len(found) == 1, found
    return found[0]


# What is in Loki


LABELS = {"cluster": "live", "namespace": "auralink"}


@with_each_agent
def test_lines_have_the_declared_labels_and_metadata_and_no_others(stage: Stage, agent: Agent) -> None:
    since, schema = time.time(), json.loads((stage.tree / "contract/log-entry.schema.json").read_text())
    traces = {(app, through): uuid.uuid4().hex for app, through in LOGGERS}
    who = {"user_id": "user_1", "request_id": "r-1"}
    for (app, through), trace in traces.items():
        stage.order(app, "log", level="WARN", message="Slow", trace_id=trace, through=through, **who)
    for (app, _), trace in traces.items():
        line = one(stage, f'{{namespace="auralink"}} | trace_id="{trace}"', since)
        service, pod = name(stage, app), stage.pods(app)[0].name
        assert line.labels == {**LABELS, "app": service, "container": service, "level": "WARN"}
        assert line.labels.keys() == agents.stream_labels(declared())
        identity = {"trace_id": trace, "span_id": "00f067aa0ba902b7", **who}
        assert line.metadata == {**identity, "pod": pod, "stream": "stdout"}
        assert line.metadata.keys() == {*agents.stored(declared(), "metadata"), *agents.TARGET_METADATA}
        said = json.loads(line.text)
        jsonschema.validate(said, schema)
        assert said.items() >= {"service": service, "level": "WARN", "message": "Slow", **identity}.items()
        assert abs(line.at / 1e9 - datetime.fromisoformat(said["timestamp"]).timestamp()) < 1


@with_each_agent
def test_what_a_line_has_not_is_no_metadata(stage: Stage, agent: Agent) -> None:
    since, mark = time.time(), uuid.uuid4().hex
    for app in WRITERS:
        stage.order(app, "log", level="INFO", message=mark)
    for app in WRITERS:
        line = one(stage, f'{{app="{name(stage, app)}"}} |= "{mark}"', since)
        trace = json.loads(line.text)["trace_id"]
        assert line.metadata == {"trace_id": trace, "pod": stage.pods(app)[0].name, "stream": "stdout"}


@with_each_agent
def test_a_level_that_is_not_declared_becomes_unknown(stage: Stage, agent: Agent) -> None:
    since, mark = time.time(), uuid.uuid4().hex
    levels = {
        '{"level":"LOUD","message":"MARK loud"}': "UNKNOWN",
        '{"level":42,"message":"MARK number"}': "UNKNOWN",
        '{"message":"MARK none"}': "UNKNOWN",
        "MARK text": "UNKNOWN",
        '{"level":"warn","message":"MARK warn"}': "WARN",
    }
    for text in levels:
        stage.order("ai-core-service", "log", level="INFO", message=text.replace("MARK", mark), through="print")
    query = f'{{app="ai-core-service"}} |= "{mark}"'
    stage.await_(lambda: len(lines(stage, query, since - 1)) == len(levels), 30, "not all lines are there")
    assert {line.text.replace(mark, "MARK"): line.labels["level"] for line in lines(stage, query, since - 1)} == levels


@with_each_agent
def test_a_stack_trace_stays_one_entry(stage: Stage, agent: Agent) -> None:
    since, marks = time.time(), {pair: uuid.uuid4().hex for pair in LOGGERS}
    for (app, through), mark in marks.items():
        stage.order(app, "log", level="ERROR", message="Failed", error=f"no capacity {mark}", through=through)
    for (app, _), mark in marks.items():
        said = json.loads(one(stage, f'{{app="{name(stage, app)}"}} |= "{mark}"', since).text)
        assert said["error"] == f"no capacity {mark}"
        assert said["stack_trace"].count("\n") >= 1
        assert ("service.go" if app == GO else "service.py") in said["stack_trace"]


@with_each_agent
def test_a_long_line_is_cut_and_marked_by_the_logger(stage: Stage, agent: Agent) -> None:
    since, mark = time.time(), uuid.uuid4().hex
    for app in WRITERS:
        context = {f"part_{n}": "x" * 1000 for n in range(40)}
        stage.order(app, "log", level="INFO", message=f"Long {mark}", context=context)
        query = f'{{app="{name(stage, app)}"}} |= "{mark}"'
        line = one(stage, query, since)
        said = json.loads(line.text)
        assert said["truncated"] is True and len(line.text) < 15360 and said["metadata"]["version"] == "1.0.0"
        assert len(lines(stage, f'{query} |= `"truncated":true`', since - 1)) == 1


@with_each_agent
def test_a_line_that_the_runtime_splits_is_whole_again_and_one_over_the_limit_is_cut_marked_and_counted(
    stage: Stage, agent: Agent
) -> None:
    since, mark = time.time(), uuid.uuid4().hex
    cut = counter(stage, "loki", 3100, "loki_mutated_samples_total", reason="line_too_long")
    for length in (100_000, 300_000):
        text = f"{mark} {length} ".ljust(length, "x")
        stage.order("ai-core-service", "log", level="INFO", message=text, through="print")
    whole = one(stage, f'{{app="ai-core-service"}} |= "{mark} 100000"', since)
    assert len(whole.text) == 100_000
    short = one(stage, f'{{app="ai-core-service"}} |= "{mark} 300000"', since)
    assert len(short.text) == 256 * 1024 and short.text.endswith("x[cut: max_line_size]")
    assert counter(stage, "loki", 3100, "loki_mutated_samples_total", reason="line_too_long") == cut + 1


@with_each_agent
def test_20000_lines_of_traces_of_their_own_make_as_many_streams_as_estimated(
    stage: Stage, agent: Agent, kept: Kept
) -> None:
    """Of the services exactly as many, since each writes in each level, and in one more than are declared. Of our own servers at most as
    many: the estimate has every container that may stand in a rendered tree, and dlq-api in every level.
    """
    since, mark, written = time.time(), uuid.uuid4().hex, 0
    few = dict.fromkeys(("TRACE", "DEBUG", "WARN"), 100) | dict.fromkeys(("ERROR", "FATAL"), 2)
    for app, whole in (("ai-core-service", 7000), ("dashboard-service", 6000), (GO, 7000)):
        for level, count in {**few, "INFO": whole - sum(few.values())}.items():
            stage.order(app, "log", level=level, message=f"{mark} {{n}}", count=count, first=written)
            written += count
    # one level more than are declared
    for app in ("ai-core-service", "dashboard-service"):
        stage.order(app, "log", level="INFO", message="plain", through="print")
    stage.order(GO, "log", level="INFO", message="plain", through="print")
    query = f'{{app=~".+-service"}} |= "{mark}"'
    stage.await_(lambda: len(lines(stage, query, since - 1)) >= written, 60, "not all lines are there")
    found = lines(stage, query, since - 1)
    assert sorted(int(json.loads(line.text)["message"].split()[1]) for line in found) == list(range(20_000))
    assert len({line.metadata["trace_id"] for line in found}) == 20_000
    made = streams(stage, '{namespace="auralink", app=~".+-service"}', since - 3600)
    own = streams(stage, '{namespace="auralink", app!~".+-service|quiet-for-days"}', since - 3600)
    assert {frozenset(labels) for labels in made + own} == {frozenset(agents.stream_labels(declared()))}
    estimated = agents.streams(declared())
    of_ours = agents.streams(msgspec.structs.replace(declared(), services={}))
    assert len(made) == estimated - of_ours
    assert len(own) <= of_ours
    how = f"of the {len(declared().services)} services, with {agent.app}; the estimate: {estimated - of_ours}"
    kept.number("streams of 20,000 lines with a trace each", len(made), "streams", how)
    how = f"with {agent.app}; the estimate: {of_ours} at most, were all of them here and dlq-api wrote in every level"
    kept.number("streams of our own servers", len(own), "streams", how)


# Nothing is lost, nothing is twice


@with_each_agent
def test_rotations_and_a_restart_of_the_agent_lose_no_line_and_send_none_twice(
    stage: Stage, agent: Agent, kept: Kept
) -> None:
    def rotate() -> None:
        for app in WRITERS:
            for log in stage.pods(app)[0].logs.values():
                log.rotate()

    with Writing(stage) as writing:
        rotate()
        writing.go_on()  # what is rotated away while no agent runs is lost
        stage.replace(stage.pods(agent.app)[0])
        rotate()
    fate = writing.fate()
    assert (fate.lost, fate.sent_twice) == ([], 0), fate.written
    how = f"of {fate.written} while it was restarted and the files rotated"
    kept.number(f"lines lost or sent twice by {agent.app}", 0, "lines", how)


@with_each_agent
def test_a_killed_agent_loses_what_it_held_and_sends_again_what_it_read_since_it_kept_its_place(
    stage: Stage, agent: Agent, kept: Kept
) -> None:
    pod = stage.pods(agent.app)[0]
    with Writing(stage) as writing:
        # 24 s, so that it has kept its place in the file that a rotation before may have begun, and can't send all of them again
        stage.await_(lambda: min(writing.count.values()) >= 1200, 60, "nothing is written")
        for container in pod.running.values():
            container.send(signal.SIGKILL)
        stage.await_(lambda: not pod.ready, 20, "it is not killed")
        stage.await_(lambda: pod.ready, 60, "it does not come again")
    fate = writing.fate()
    # A batch of a second. Of what was written the last 20 s: a file's place is taken every 10 s, and all places are written every 10 s
    # (Promtail 3.6.15, promtail/targets/file/tailer.go; Alloy 1.19.0-rc.3, loki/source/file/tailer.go).
    assert len(fate.lost) <= 200 and fate.sent_twice <= 2000
    how = f"of {fate.written}, 100 a second, when it was killed"
    kept.number(f"lines lost by {agent.app}", len(fate.lost), "lines", f"{how}: at most its batch of a second")
    kept.number(f"lines sent twice by {agent.app}", fate.sent_twice, "lines", f"{how}: its place is up to 20 s old")


@with_each_agent
def test_a_restart_of_loki_loses_no_line_and_shows_none_twice(stage: Stage, agent: Agent, kept: Kept) -> None:
    with Writing(stage) as writing:
        stage.replace(stage.pods("loki")[0], 120)
    fate = writing.fate()
    assert (fate.lost, fate.shown_twice) == ([], 0)
    kept.number(
        f"lines lost or shown twice, with {agent.app}", 0, "lines", f"of {fate.written} while Loki was restarted"
    )


@with_alloy
def test_a_move_to_alloy_on_a_live_node_loses_no_line_and_sends_none_twice(
    stage: Stage, agent: Agent, kept: Kept
) -> None:
    fate = agent.moved
    assert fate and (fate.lost, fate.sent_twice) == ([], 0), agent.course
    kept.number("lines lost or sent twice by a move to Alloy", 0, "lines", f"of {fate.written} written meanwhile")


@pytest.mark.parametrize("agent", [WITH_ALLOY_ASKED], indirect=True)
def test_with_alloy_every_question_about_logs_finds_what_happened_too(
    stage: Stage, agent: Agent, exports: Callable[..., set[str]]
) -> None:
    queries.answered(stage, agent.tree, logs=True)
    assert exports("alloy") == {"alloy"}


@with_each_agent
def test_a_line_is_found_within_the_objective(stage: Stage, agent: Agent, kept: Kept) -> None:
    since, mark, seen = time.time(), uuid.uuid4().hex, dict[int, float]()
    objective = str(declared().objectives["log_latency"].max)
    writing = threading.Thread(
        target=stage.order, args=("ai-core-service", "log"),
        kwargs={"level": "INFO", "message": f"{mark} {{n}}", "count": 40, "rate": 8},
    )  # fmt: skip
    writing.start()
    end = time.monotonic() + 30
    while len(seen) < 40 and time.monotonic() < end:
        for line in lines(stage, f'{{app="ai-core-service"}} |= "{mark}"', since - 1):
            seen.setdefault(line.at, time.time() - line.at / 1e9)
        writing.join(0.05)
    delays = sorted(seen.values())
    assert len(delays) == 40 and delays[-1] <= model.seconds(objective), delays
    kept.number(
        f"from a line to a query that finds it, with {agent.app}",
        round(delays[-1], 1),
        "s",
        f"the slowest of 40, 8 a second; the objective: {objective}",
    )


# Retention


def backdated(stage: Stage, mark: str, entries: list[tuple[datetime, str, str]]) -> None:
    """A log of `quiet-for-days`, with these times, levels and messages, which Promtail has read."""
    file = stage.pods("quiet-for-days")[0].logs["quiet-for-days"].path.with_name(f"{mark}.log")
    file.write_text(
        "".join(
            f'{at:%Y-%m-%dT%H:%M:%S.%fZ} stdout F {{"level":"{level}","message":"{text}"}}\n'
            for at, level, text in entries
        )
    )
    read = {"path": f"/{file.relative_to(stage.node.host)}"}
    stage.await_(
        lambda: counter(stage, "promtail", 3101, "promtail_read_lines_total", **read) == len(entries), 60, "not read"
    )


@with_promtail
def test_retention_deletes_lines_that_are_too_old_and_keeps_the_others(stage: Stage, agent: Agent) -> None:
    now, mark = datetime.now(UTC), uuid.uuid4().hex
    # streams of their own: a chunk is deleted when its last line is too old
    ages = {5: "INFO", 2: "WARN"}
    backdated(stage, mark, [(now - timedelta(days=days), level, f"{mark} {days}") for days, level in ages.items()])

    def chunks() -> list[int]:
        """Chunks of a day ago and before on Loki's volume, by their age in days. Their names: FROM:THROUGH:CHECKSUM, hex, in base64."""
        volume = stage.node.home / "claims/auralink/data-loki-0/chunks/fake"
        begun = [int(base64.b64decode(one.name).split(b":")[0], 16) / 1000 for one in volume.glob("*/*")]
        return sorted(age for at in begun if (age := round((now.timestamp() - at) / 86400)) > 0)

    def found(days: int) -> list[Line]:
        at = (now - timedelta(days=days)).timestamp()  # queries may be no longer than the retention
        return lines(stage, f'{{app="quiet-for-days"}} |= "{mark}"', at - 60, at + 60)

    before = chunks()

    def stored() -> bool:
        flush(stage)
        return chunks() == sorted([*before, 2, 5])

    stage.await_(stored, 60, "the old lines are not in the store")
    stage.plane.kubectl(
        "-n", "auralink", "delete", "pod", "loki-0"
    )  # it writes its index, without which nothing is deleted
    stage.await_(lambda: chunks() == sorted([*before, 2]), 120, "the chunk of 5 days ago is not deleted")
    stage.await_ready("loki")
    assert [len(found(days)) for days in ages] == [0, 1]
