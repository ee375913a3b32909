"""An hour in which nothing is wrong: what is promised of logs, alerts and dead letters, measured all along.

OBSGEN_QUIET: seconds of it, 3600 unless told otherwise; what is kept says how many they were.
"""

from __future__ import annotations

import json
import os
import statistics
import time
import urllib.parse
import urllib.request
import uuid

import pytest
import redis
import yaml

from obsgen import model
from obsgen.road import load

from .. import stands
from ..compose.conftest import ALERTING, LOGS
from ..compose.engine import Engine
from ..compose.test_machine import asked, dlq, order
from ..kept import Kept
from .conftest import SERVICES
from .generated import CONTAINER, flush, push

SECONDS = int(os.environ.get("OBSGEN_QUIET", "3600"))
QUEUE = "rooms:create"
PUSH = "http://localhost:3100/loki/api/v1/push"


def seconds_to_loki(machine: Engine, service: str) -> float:
    """From the order to write a line until a query finds it."""
    word = uuid.uuid4().hex
    began = time.monotonic()
    order(machine, service, "log", level="INFO", message=word)
    query = urllib.parse.urlencode({"query": f'{{app="{service}"}} |= "{word}"', "since": "5m"})
    while time.monotonic() < began + 60:
        with urllib.request.urlopen(f"http://localhost:3100/loki/api/v1/query_range?{query}", timeout=30) as answer:
            if json.loads(answer.read())["data"]["result"]:
                break
        time.sleep(0.05)
    return time.monotonic() - began


def work(machine: Engine, number: int) -> None:
    """What two services do that work: requests, lines, now and then a warning."""
    for service in SERVICES:
        context = {"duration_ms": number % 400, "room_id": uuid.uuid4().hex}
        order(machine, service, "log", level="INFO", message="Room created {n}", count=10, context=context)
        order(machine, service, "log", level="WARN", message="Fallback activated")
        order(machine, service, "request", count=20)


def wait_for_a_hand(machine: Engine) -> int:
    """Three messages can't be done; somebody looks how many wait, and sends them back. How many waited."""
    order(machine, "dashboard-service", "give_up", queue=QUEUE, count=3)
    depth = int(json.loads(dlq(machine, "stats", QUEUE, "--output", "json"))["depth"])
    dlq(machine, "bulk", "retry", QUEUE, "--allow-all", "--by", "nina", "--yes", "--rate", "500")
    return depth


def consume(machine: Engine) -> int:
    """How many messages the queue had."""
    client = redis.Redis(host=machine.containers["dlq-redis"].address, username="dlq", password="redis-password")
    found = 0
    while client.lpop(QUEUE):
        found += 1
    return found


def in_loki(machine: Engine, container: str, span: str = "2h") -> int:
    """How many lines of a container Loki has."""
    query = f'sum(count_over_time({{container="{container}"}} [{span}]))'
    found = json.loads(machine.get(3100, "/loki/api/v1/query", query=query))["data"]["result"]
    return int(found[0]["value"][1]) if found else 0


def volume(machine: Engine, service: str) -> tuple[float, float]:
    """Bytes a second that the rule finds which alerts on too many, and those that the service wrote in the hour before."""
    rule = f'service:log_bytes:rate1h{{app="{service}"}}'
    ((_, found),) = machine.await_(lambda: asked(machine, rule), 120, "the rule finds nothing")
    since = (time.time() - 3600) * 1e9
    return found, sum(len(line) - 1 for at, _, line in machine.containers[service].lines if at > since) / 3600


def keeps(machine: Engine) -> float:
    """Whole days that Loki says it keeps lines."""
    return model.seconds(yaml.safe_load(machine.get(3100, "/config"))["limits_config"]["retention_period"]) // 86400


def retentions(machine: Engine) -> int:
    """How often the compactor has applied it."""
    rows = machine.get(3100, "/metrics").decode().splitlines()
    name = 'loki_compactor_apply_retention_operation_total{status="success"'
    return int(sum(float(row.rsplit(" ", 1)[1]) for row in rows if row.startswith(name)))


@pytest.mark.boots(*LOGS, *ALERTING, profile="objectives")
def test_a_quiet_hour_keeps_what_is_promised(machine: Engine, kept: Kept) -> None:
    promised = load(stands.CONFIG, "objectives").declaration.objectives
    old = time.time() - 6.5 * 86400  # what is older still, Loki doesn't take: reject_old_samples_max_age
    push(PUSH, {("dashboard-service", "INFO"): [[str(int(old * 1e9)), "of last week", {}]]})
    flush(PUSH)
    began, turns, given_up, taken = time.monotonic(), 0, 0, 0
    lags, depths, reviews = [], [], []
    while time.monotonic() < began + SECONDS:
        turns += 1
        work(machine, turns)
        lags.append(seconds_to_loki(machine, SERVICES[turns % 2]))
        if turns % 10 == 0:
            died = time.monotonic()
            given_up += 3
            depths.append(wait_for_a_hand(machine))
            taken += consume(machine)
            reviews.append(time.monotonic() - died)
        time.sleep(max(0.0, began + turns * 3 - time.monotonic()))
    seconds = time.monotonic() - began
    hour = f"{seconds:.0f} s in which nothing is wrong, on one machine of {os.cpu_count()} cores, load {os.getloadavg()[2]:.0f}"

    alerts = promised["alerts"]
    told = [one for one in machine.sinks.told if one.channel != "watchdog" and one.at >= began]
    noise = len(told) * model.seconds(alerts.window) / seconds
    what = f"alerts in {alerts.window} (objective: {alerts.max})"
    kept.number(what, round(noise, 1), "messages", f"{len(told)} in {hour}")

    latency = promised["log_latency"].max
    lags.sort()
    late = lags[int(len(lags) * 0.99)]
    how = f"{len(lags)} lines, from the order to write until a query finds it; median {statistics.median(lags):.1f} s"
    kept.number(f"log latency (objective: {latency}), of 99 in 100 lines", round(late, 1), "s", how)

    written = {service: len(machine.containers[service].lines) for service in SERVICES}
    machine.await_(lambda: {one: in_loki(machine, one) for one in SERVICES} == written, 60, f"Loki has not {written}")
    kept.number("log lines lost", 0, f"of {sum(written.values())}", "Docker's log of two services against Loki's count")

    budget = f"{promised['log_volume'].max} in {promised['log_volume'].window}"
    pairs = [volume(machine, service) for service in SERVICES]
    off = max(abs(rule / wrote - 1) for rule, wrote in pairs)
    how = f"the rule that alerts on {budget}, against what two services wrote in {hour}"
    kept.number(f"log volume (objective: {budget}): the projection is off by", round(off * 100, 1), "%", how)

    loss, depth, review = (promised[name].max for name in ("dlq_loss", "dlq_depth", "dlq_review"))
    how = "given up by a service, sent back by `auralink-dlq bulk retry QUEUE`, taken by a consumer"
    kept.number(f"dead letters lost (objective: {loss})", given_up - taken, f"of {given_up}", how)
    how = f"three every half minute, sent back by hand; {hour}"
    kept.number(f"dead letters waiting (objective: {depth})", max(depths), "", how)
    how = "from the last attempt until the consumer has it back; how long people think is not in it"
    what = f"review of a dead letter (objective: {review}), the machine's part"
    kept.number(what, round(max(reviews), 1), "s", how)

    retention = promised["log_retention"].min
    stays, runs = in_loki(machine, CONTAINER, "7d"), retentions(machine)
    how = (
        f"said by Loki; its compactor has gone over the tables {runs} times and let a line of 6.5 d be; "
        f"{retention} do not pass here"
    )
    kept.number(f"log retention (objective: {retention})", keeps(machine), "d", how)

    assert stays == 1, "a line that is younger than the retention is gone"
    assert runs or seconds < 900, "the compactor has not run"
    assert keeps(machine) >= model.seconds(retention) / 86400
    assert noise <= alerts.max, [one.text[:200] for one in told]
    assert late <= model.seconds(latency)
    assert off < 0.1
    assert 0 <= given_up - taken <= loss
    assert max(depths) <= depth
    assert max(reviews) <= model.seconds(review)
