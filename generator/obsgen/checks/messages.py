"""What people read when they are woken."""

from __future__ import annotations

from collections.abc import Iterator

from .. import runbooks
from ..model import Examples
from ..road import Declared
from .finding import Finding
from .questions import alerts, rendered_alerts
from .templates import actions


def changing_summary(declared: Declared) -> Iterator[Finding]:
    """A summary that differs between the alerts of a notification is shown for none of them (Alertmanager's CommonAnnotations)."""
    for path, _, alert in alerts(declared):
        # notifications are grouped by service, and of these two labels the service is the value
        same = f"$labels.{alert.team_of}" if alert.team_of in ("app", "service") else None
        values = [action for action in actions(alert.summary)[0] if action.text.strip() != same]
        if values:
            fact = "the summary holds a value that differs from alert to alert of one notification"
            at = values[0].start
            yield Finding(
                (*path, "summary"), fact, "move it to the description", span=(at, len(values[0].text.rstrip()))
            )


def no_runbook(declared: Declared) -> Iterator[Finding]:
    """An alert without a runbook wakes a person and leaves them alone."""
    for path, name, alert in alerts(declared):
        book = alert.runbook
        if book is None or not (book.meaning or book.impact or book.diagnosis or book.mitigation):
            yield Finding(path, f"{name} has no runbook", "add meaning, impact, diagnosis, mitigation", key=True)


def incomplete_runbook(declared: Declared) -> Iterator[Finding]:
    """A page with a part missing sends people on without saying where: what it means, whom it hurts, where to look, what stops it."""
    for path, name, alert in rendered_alerts(declared):
        missing = [part for part in runbooks.SECTIONS if not (getattr(alert.runbook, part, None) or "").strip()]
        if 0 < len(missing) < len(runbooks.SECTIONS) or (missing and path[0] == "packs"):
            yield Finding(path, f"the runbook of {name} lacks {', '.join(missing)}", "write what is missing", key=True)


def beyond_examples(declared: Declared) -> Iterator[Finding]:
    """A threshold that the examples don't reach, or start beyond, fails the generated test: nobody has seen such an alert fire, or end."""
    for path, name, alert in rendered_alerts(declared):
        examples = alert.examples or Examples()
        for severity, level in alert.levels.items() if path[-1] == name else ():
            key, threshold, sign = ("above", level.above, 1) if level.above is not None else ("below", level.below, -1)
            at = (*path, "levels", severity, key)
            if examples.reaches is not None and threshold is not None and sign * (examples.reaches - threshold) <= 0:
                fact = f"the examples of {name} reach {examples.reaches:g}, so that no test would show it fire"
                yield Finding(at, fact, "add examples that go further")
            if examples.rests is not None and threshold is not None and sign * (examples.rests - threshold) > 0:
                fact = f"the silent examples of {name} rest at {examples.rests:g}, where it fires"
                yield Finding(at, fact, "add silent examples that stay on the other side")


def no_examples(declared: Declared) -> Iterator[Finding]:
    """An alert that was never seen to fire may not be able to."""
    for path, name, alert in alerts(declared):
        told = alert.examples and (alert.examples.fires or alert.examples.silent)
        if not told and not alert.logql:
            yield Finding(path, f"{name} has no examples, so no test shows it fire", "add examples", key=True)
