"""An alert from its fault to its end: who must be told of it, when they were, and what stood in the message."""

from __future__ import annotations

import html
import time
from dataclasses import dataclass
from typing import Any

import yaml

from .kept import Kept
from .sinks import Told
from .stage import Stage

_DEFAULT = {"pagerduty": "pagerduty-routing-key", "mail": "oncall@auralink.example"}
CHAT = {"platform": "#auralink-alerts", "ai": "#auralink-ai"}
ROLES = {
    "critical": ("pagerduty", "slack", "mail"),
    "warning": ("slack", "mail"),
    "info": ("slack",),
}
"""Where each severity is told, as observability.yaml declares it: page and mail go to the default team."""


@dataclass
class Alert:
    """An alert that a fault is to make, of one severity and team."""

    name: str
    severity: str
    fault: str
    team: str = "platform"
    began: float = 0
    mended: float = 0

    @property
    def channels(self) -> list[tuple[str, str]]:
        """Channel and address of everybody who must be told of it."""
        return sorted((role, {**_DEFAULT, "slack": CHAT[self.team]}[role]) for role in ROLES[self.severity])

    def messages(self, stage: Stage, *, resolved: bool) -> list[Told]:
        """Those about it that have arrived since its fault."""
        found = stage.sinks.about(f"{self.name} {self.severity} of ", self.began)
        return [one for one in found if one.resolves == resolved]

    def summary(self, stage: Stage) -> str:
        """The one that is rendered."""
        for path in (stage.tree / "monitoring/rules", stage.tree / "logging/rules"):
            for file in path.glob("*.yaml"):
                for rule in _rules(yaml.safe_load(file.read_text())):
                    if rule.get("alert") == self.name and rule["labels"]["severity"] == self.severity:
                        return str(rule["annotations"]["summary"])
        raise LookupError(f"no rule {self.name} of severity {self.severity} is rendered")


def _rules(file: dict[str, Any]) -> list[dict[str, Any]]:
    return [rule for group in file.get("groups", ()) for rule in group["rules"]]


def fault(*alerts: Alert) -> None:
    """Their faults are made now."""
    for alert in alerts:
        alert.began = time.monotonic()


def mend(*alerts: Alert) -> None:
    """Their faults are mended now."""
    for alert in alerts:
        alert.mended = time.monotonic()


def await_told(stage: Stage, *alerts: Alert, seconds: float = 60) -> None:
    """Until everybody has been told of all of them. Raises AssertionError."""
    _await(stage, alerts, seconds, resolved=False)


def await_over(stage: Stage, *alerts: Alert, seconds: float = 60) -> None:
    """Until everybody has been told that all of them are over. Raises AssertionError."""
    _await(stage, alerts, seconds, resolved=True)


def missing(stage: Stage, *alerts: Alert, resolved: bool = False) -> list[tuple[str, str, str]]:
    """Alert, severity and channel of what nobody has heard yet: of the alerts, or with `resolved` of their ends."""
    return [
        (alert.name, alert.severity, channel)
        for alert in alerts
        for channel, to in alert.channels
        if (channel, to) not in {(one.channel, one.to) for one in alert.messages(stage, resolved=resolved)}
    ]


def _await(stage: Stage, alerts: tuple[Alert, ...], seconds: float, *, resolved: bool) -> None:
    what = "is told that it is over" if resolved else "is told"
    try:
        stage.sinks.await_(lambda: not missing(stage, *alerts, resolved=resolved), seconds, f"not everybody {what}")
    except AssertionError as error:
        left = missing(stage, *alerts, resolved=resolved)
        raise AssertionError(f"not everybody {what} within {seconds} s: {left}\n{error}") from None


def tell(stage: Stage, kept: Kept, *alerts: Alert) -> None:
    """They have ended: each was told exactly to its channels, once, with its summary and its runbook; nothing else was."""
    for alert in alerts:
        for resolved in (False, True):
            told = alert.messages(stage, resolved=resolved)
            assert sorted((one.channel, one.to) for one in told) == alert.channels, (alert, resolved)
        summary, page = alert.summary(stage), f"https://runbooks.auralink.example/{alert.name}"
        assert (stage.tree / "runbooks" / f"{alert.name}.md").is_file()
        for one in alert.messages(stage, resolved=False):
            assert summary in html.unescape(one.text) and page in one.text, one.text
    known = {f"{alert.name} {alert.severity} of " for alert in alerts}
    since = min(alert.began for alert in alerts)
    strays = [
        one.text[:300]
        for one in stage.sinks.about(" of ", since)
        if "search-service" not in one.text and not any(word in one.text for word in known)
    ]
    assert strays == [], strays
    for alert in alerts:
        told, over = (
            {one.channel: one.at - start for one in alert.messages(stage, resolved=resolved)}
            for resolved, start in ((False, alert.began), (True, alert.mended))
        )
        kept.alert(alert.name, alert.fault, told, over)
