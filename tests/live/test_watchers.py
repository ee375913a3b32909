"""Who hears of it when the alerting itself is lost, cut off, or meets an alert that nobody declared."""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from .faults import CHAT, OVER, RUNBOOKS, TOLD, Fault, firing, number, provoke, title, warning
from .kept import Kept
from .pod import Pod
from .sinks import Told
from .stage import Stage
from .test_benign import await_calm

BEAT = 5  # seconds: routing.heartbeat of profile live
PAGE_ALERTS = "page Alerts of Prometheus"  # where it is seen when nobody can be told


@pytest.mark.boots("prometheus", "alertmanager")
def test_an_alertmanager_that_prometheus_does_not_find_is_seen_on_its_page(stage: Stage, kept: Kept) -> None:
    pod = stage.pods("alertmanager")[0]
    lost = ("AlertmanagerDown", "PrometheusNoAlertmanager")
    labels = {name: pod.manifest["metadata"]["labels"][name] for name in ("app", "app.kubernetes.io/name")}

    began = time.monotonic()
    label = ("label", "pod", "-n", "auralink", pod.name)
    stage.plane.kubectl(*label, *(f"{name}-" for name in labels))
    try:
        seen = {name: _seen(stage, name, began) for name in lost}
    finally:
        mended = time.monotonic()
        stage.plane.kubectl(*label, *(f"{name}={value}" for name, value in labels.items()))
    stage.await_(lambda: not {*lost} & firing(stage), 60, "Prometheus does not find Alertmanager again")
    for name, told in seen.items():
        over = {PAGE_ALERTS: time.monotonic() - mended}
        kept.alert(name, "critical", "Alertmanager's Pod loses the labels that Prometheus finds it by", told, over)
    told = [title(one) for one in stage.sinks.told if one.at >= began and one.channel != "watchdog"]
    assert not [line for line in told if any(name in line for name in lost)], "nobody could be told"


def _seen(stage: Stage, alert: str, since: float) -> dict[str, float]:
    stage.await_(lambda: alert in firing(stage), 60, f"{alert} does not fire")
    return {PAGE_ALERTS: time.monotonic() - since}


def alertmanager_cut_off(stage: Stage) -> Iterator[None]:
    def errors() -> float:
        return number(stage, "sum(prometheus_notifications_errors_total)") or 0

    before = errors()
    with cut_off(stage.pods("alertmanager")[0]):
        stage.await_(
            lambda: errors() > before and _quiet(stage) > 2 * BEAT, 60, "the heartbeat goes on, or no post fails"
        )
    yield


@contextlib.contextmanager
def cut_off(pod: Pod) -> Iterator[None]:
    """The Pod's cable is out."""
    subprocess.run(["ip", "link", "set", pod.network.port, "down"], check=True)
    try:
        yield
    finally:
        subprocess.run(["ip", "link", "set", pod.network.port, "up"], check=True)


def _quiet(stage: Stage) -> float:
    """Seconds since the last heartbeat."""
    return time.monotonic() - max(stage.sinks.beats)


def await_ruler(stage: Stage) -> None:
    """Until people have been told what Loki's ruler makes of the lines that others wrote before: it asks once a minute."""
    (file,) = (stage.tree / "logging/rules").glob("*.yaml")
    rules = {
        one["alert"]: one["expr"] for group in yaml.safe_load(file.read_text())["groups"] for one in group["rules"]
    }

    def told() -> bool:
        active = json.loads(stage.get("alertmanager", 9093, "/api/v2/alerts"))
        known = {(one["labels"]["alertname"], one["labels"].get("service")) for one in active}
        found = {
            (name, one["metric"]["app"])
            for name, expr in rules.items()
            for one in json.loads(stage.get("loki", 3100, "/loki/api/v1/query", query=expr))["data"]["result"]
        }
        return found <= known

    stage.await_(told, 120, "the ruler does not tell what it finds")
    stage.sinks.await_beats(1, 60)


@pytest.mark.boots("prometheus", "alertmanager")
def test_an_alertmanager_that_is_cut_off_makes_the_switch_outside_call(stage: Stage, kept: Kept) -> None:
    if not stage.kubelet.without:
        await_ruler(stage)
    await_calm(stage)
    began = time.monotonic()
    fault = Fault(
        "the network of Alertmanager's Pod is down for some seconds",
        alertmanager_cut_off,
        (warning("PrometheusNotifyFailing"),),
    )
    # what began while nobody could be told may be told afterwards, if it is not over by then
    provoke(stage, kept, [fault], besides=("AlertmanagerDown", "AlertmanagerNotifyFailing", "LokiRulerCannotNotify"))
    silences = [(later - sooner, later) for sooner, later in itertools.pairwise(stage.sinks.beats) if later > began]
    longest = max(gap for gap, _ in silences)
    kept.alert("Watchdog", "none", fault.words, {"the switch hears nothing for": longest}, {})


@pytest.mark.boots("prometheus", "alertmanager")
def test_an_alert_of_a_severity_that_nobody_declared_is_told_as_unrouted(stage: Stage, kept: Kept) -> None:
    def post(ends: timedelta) -> None:
        now = datetime.now(UTC)
        alert = {
            "labels": {"alertname": "MadeByHand", "severity": "urgent", "cluster": "live"},
            "annotations": {"summary": "Somebody's own rule.", "runbook_url": f"{RUNBOOKS}MadeByHand"},
            "endsAt": (now + ends).isoformat(),
        }
        request = urllib.request.Request(
            f"http://{stage.pods('alertmanager')[0].address}:9093/api/v2/alerts", data=json.dumps([alert]).encode(),
            headers={"Content-Type": "application/json"},
        )  # fmt: skip
        urllib.request.urlopen(request, timeout=10).close()

    def heard(word: str) -> list[Told]:
        told = [one for one in stage.sinks.about("MadeByHand", began) if f"[{word}" in title(one)]
        assert all(title(one).startswith('UNROUTED (severity="urgent")') for one in told), told
        assert {(one.channel, one.to) for one in told} <= {CHAT}
        return told

    began = time.monotonic()
    post(timedelta(hours=1))
    stage.sinks.await_(lambda: bool(heard("FIRING")), TOLD, "nobody sees the stray alert")
    ended = time.monotonic()
    post(timedelta(seconds=-1))
    stage.sinks.await_(lambda: bool(heard("RESOLVED")), OVER, "nobody sees that it is over")
    (told,), (over,) = heard("FIRING"), heard("RESOLVED")
    fault = "an alert of severity `urgent` is posted to Alertmanager, and told as UNROUTED"
    kept.alert("of an undeclared severity", "urgent", fault, {"slack": told.at - began}, {"slack": over.at - ended})
