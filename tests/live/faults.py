"""A fault is made, those who must hear of it are awaited, it is mended, and they must hear that it is over: once each, and nobody else.

Who that is follows from severity and team as the declaration binds them; CHANNELS says it once more, independently of what is rendered.
"""

from __future__ import annotations

import contextlib
import functools
import html
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .kept import Kept
from .sinks import Told
from .stage import Stage

PAGE = ("pagerduty", "pagerduty-routing-key")
CHAT = ("slack", "#auralink-alerts")
CHAT_AI = ("slack", "#auralink-ai")
MAIL = ("mail", "oncall@auralink.example")
CHANNELS = {
    ("critical", "platform"): {PAGE, CHAT, MAIL},
    ("critical", "ai"): {PAGE, CHAT_AI, MAIL},
    ("warning", "platform"): {CHAT, MAIL},
    ("warning", "ai"): {CHAT_AI, MAIL},
}
RUNBOOKS = "https://runbooks.auralink.example/"
TOLD, OVER = 60, 90  # seconds on a machine that others use too; what it takes is kept


@dataclass(frozen=True)
class Alert:
    """What comes of a fault: an alert of one severity, for a team, about a service where its title names one.

    `silences`: the milder severity of the same alert, which fires too and must stay silent.
    """

    name: str
    severity: str
    team: str = "platform"
    service: str = ""
    silences: str = ""

    def is_about(self, one: Told) -> bool:
        """Whether a message is this alert's."""
        of = rf" of {self.service} " if self.service else r"\b"
        return bool(re.search(rf"\] {self.name} {self.severity}{of}", title(one)))


critical = functools.partial(Alert, severity="critical")
warning = functools.partial(Alert, severity="warning")


@dataclass(frozen=True)
class Fault:
    """`happens`: a generator function that makes the fault, yields, and mends it.

    What it yields, if anything, is when the fault began (monotonic seconds), where that was earlier.
    `told`, `over`: seconds within which people must know.
    """

    words: str
    happens: Callable[[Stage], Iterator[float | None]]
    alerts: tuple[Alert, ...]
    told: float = TOLD
    over: float = OVER


def title(one: Told) -> str:
    """The line that people see first."""
    if one.channel == "pagerduty":
        return str((one.body.get("payload") or {}).get("summary", ""))
    return str(one.body["attachments"][0]["title"]) if one.channel == "slack" else one.text.split("\n")[0]


def provoke(
    stage: Stage,
    kept: Kept,
    *chains: Sequence[Fault],
    besides: Sequence[str] = (),
    looks: Callable[[], object] = lambda: None,
) -> None:
    """Chains of faults beside each other; in each, one after the other, the end of the one awaited while the next is made.

    Nobody may be told of anything else that begins meanwhile, but of what is missed here for good, and of the alerts `besides`: those
    may come, and then to the channels of their severity, once each. `looks`: is done while each fault is there, and told.
    """
    since = time.monotonic()
    with ThreadPoolExecutor(len(chains)) as beside:
        for ended in [beside.submit(_chain, stage, kept, chain, looks) for chain in chains]:
            ended.result()
    alerts = [alert for chain in chains for fault in chain for alert in fault.alerts]
    others = [one for one, _ in begun(stage, since) if not any(alert.is_about(one) for alert in alerts)]
    for name in besides:
        for alert in (critical(name), warning(name)):
            came = [one for one in others if alert.is_about(one)]
            heard = [(one.channel, one.to) for one in came]
            assert len(heard) == len({*heard}) and {*heard} <= CHANNELS[alert.severity, alert.team], f"{alert}: {heard}"
            others = [one for one in others if one not in came]
    assert others == [], [(one.channel, title(one)) for one in others]


def always(stage: Stage) -> re.Pattern[str]:
    """Names of alerts that fire all the time: the heartbeat, and what misses Loki and its agent where they don't run."""
    return re.compile("Watchdog|(Loki|LogAgent).*" if stage.kubelet.without else "Watchdog")


def begun(stage: Stage, since: float) -> list[tuple[Told, str]]:
    """What people were told that it began, and its first line; not what fires always."""
    known = re.compile(rf"\] ({always(stage).pattern}) ")
    return [
        (one, title(one))
        for one in list(stage.sinks.told)
        if one.at >= since and one.channel != "watchdog" and not one.resolves and not known.search(title(one))
    ]


def _chain(stage: Stage, kept: Kept, chain: Sequence[Fault], looks: Callable[[], object]) -> None:
    ending: list[Callable[[], None]] = []
    for index, fault in enumerate(chain):
        began = time.monotonic()
        course = fault.happens(stage)
        began = next(course) or began
        try:
            told = {alert: _await(stage, alert, began, fault.told, resolved=False) for alert in fault.alerts}
            for alert in fault.alerts:
                _must_be_right(stage, alert, began)
            looks()
        finally:
            end = time.monotonic()
            next(course, None)
        again = {alert for later in chain[index + 1 :] for alert in later.alerts}
        for alert in fault.alerts:
            ends = functools.partial(_end, stage, kept, fault, alert, began, end, told[alert])
            if alert in again:
                ends()
            else:
                ending.append(ends)
    for ends in ending:
        ends()


def _end(
    stage: Stage, kept: Kept, fault: Fault, alert: Alert, began: float, end: float, told: dict[str, float]
) -> None:
    """Once each, the end too; nothing of what it silences."""
    over = _await(stage, alert, end, fault.over, resolved=True)
    for resolved in (False, True):
        heard = sorted((one.channel, one.to) for one in _heard(stage, alert, began, resolved=resolved))
        assert heard == sorted(CHANNELS[alert.severity, alert.team]), f"{alert}, resolved={resolved}: {heard}"
    pages = [one for one in _heard(stage, alert, began) if one.channel == "pagerduty"]
    assert len({one.body["dedup_key"] for one in pages}) <= 1, f"{alert}: its end is another incident's: {pages}"
    kept.alert(alert.name, alert.severity, fault.words, told, over)
    if alert.silences:
        milder = Alert(alert.name, alert.silences, alert.team, alert.service)
        assert not _heard(stage, milder, began), milder
        kept.alert(alert.name, alert.silences, fault.words, {}, {})


def _heard(stage: Stage, alert: Alert, since: float, *, resolved: bool | None = None) -> list[Told]:
    """Messages about an alert; `resolved`: those of its begin, or of its end, alone."""
    return [
        one
        for one in list(stage.sinks.told)
        if one.at >= since and one.channel != "watchdog" and resolved in (None, one.resolves) and alert.is_about(one)
    ]


def _await(stage: Stage, alert: Alert, since: float, seconds: float, *, resolved: bool) -> dict[str, float]:
    """Seconds until each channel of the alert had it."""
    wanted = CHANNELS[alert.severity, alert.team]

    def all_heard() -> bool:
        return {(one.channel, one.to) for one in _heard(stage, alert, since, resolved=resolved)} >= wanted

    word = "nobody is told that it is over" if resolved else "not all are told"
    stage.sinks.await_(all_heard, seconds, f"{alert}: {word}")
    return {one.channel: one.at - since for one in reversed(_heard(stage, alert, since, resolved=resolved))}


def _must_be_right(stage: Stage, alert: Alert, since: float) -> None:
    """Summary and runbook in each message, the page among those that are rendered; what it silences fires, and is held back."""
    page = stage.tree / "runbooks" / f"{alert.name}.md"
    assert page.exists(), page
    summary = summaries(stage.tree)[alert.name, alert.severity]
    for one in _heard(stage, alert, since, resolved=False):
        assert summary in html.unescape(one.text), (summary, one)
        assert f"{RUNBOOKS}{alert.name}" in one.text, one
    if alert.silences:
        stage.await_(lambda: _held_back(stage, alert), 15, f"{alert} silences nothing")


def _held_back(stage: Stage, alert: Alert) -> bool:
    found = json.loads(stage.get("alertmanager", 9093, "/api/v2/alerts", filter=f'alertname="{alert.name}"'))
    states = {one["labels"]["severity"]: one["status"] for one in found}
    return bool(states.get(alert.silences, {}).get("inhibitedBy"))


@functools.cache
def summaries(tree: Path) -> dict[tuple[str, str], str]:
    """(alert, severity) → its summary, of the rendered rules."""
    found: dict[tuple[str, str], str] = {}
    for path in [*tree.glob("monitoring/rules/*.yaml"), *tree.glob("logging/rules/*.yaml")]:
        for group in yaml.safe_load(path.read_text()).get("groups") or ():
            for rule in group["rules"]:
                if "alert" in rule:
                    found[rule["alert"], rule["labels"]["severity"]] = rule["annotations"]["summary"]
    return found


def firing(stage: Stage) -> set[str]:
    """What Prometheus shows on its page Alerts. Empty while it doesn't answer."""
    with contextlib.suppress(OSError):
        found: Any = json.loads(stage.get("prometheus", 9090, "/api/v1/alerts"))
        return {one["labels"]["alertname"] for one in found["data"]["alerts"] if one["state"] == "firing"}
    return set()


def number(stage: Stage, query: str) -> float | None:
    """What Prometheus answers to a query with one result; None where there is none."""
    found = json.loads(stage.get("prometheus", 9090, "/api/v1/query", query=query))["data"]["result"]
    return float(found[0]["value"][1]) if found else None
