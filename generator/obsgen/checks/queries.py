"""Queries that don't parse, ask for what nobody has, or can't do what they look like."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .. import agent, logql, promql, upstream
from ..document import Path
from ..model import Alert, seconds
from ..query import Labels, QueryError, allows
from ..road import Declared
from .finding import Finding

TARGET_LABELS = frozenset({*agent.TARGET_LABELS, "pod", "job", "instance"})
"""Labels of every scraped series."""


def _promql(declared: Declared) -> Iterator[tuple[str, Alert, Path, str]]:
    for name, alert in declared.plan.declaration.alerts.items():
        key = "query" if alert.query else "expr"
        if text := alert.query or alert.expr:
            yield name, alert, ("alerts", name, key), text


def _parsed(declared: Declared) -> Iterator[tuple[str, Alert, Path, str, promql.Expr]]:
    for name, alert, path, text in _promql(declared):
        try:
            yield name, alert, path, text, promql.parse(text)
        except QueryError:
            continue


def bad_promql(declared: Declared) -> Iterator[Finding]:
    """Prometheus refuses the whole file, and keeps evaluating yesterday's rules."""
    for _, _, path, text in _promql(declared):
        try:
            promql.parse(text)
        except QueryError as error:
            yield Finding(path, f"this is not PromQL: {error.message}", "", offset=error.offset, length=error.length)


def _logql(declared: Declared) -> Iterator[tuple[str, Alert, Path, str]]:
    for name, alert in declared.plan.declaration.alerts.items():
        if alert.logql:
            yield name, alert, ("alerts", name, "logql"), alert.logql


def bad_logql(declared: Declared) -> Iterator[Finding]:
    """One bad file hides all rules from Loki's ruler, and Loki still says ready (3.7.6)."""
    for _, _, path, text in _logql(declared):
        try:
            query = logql.parse(text)
        except QueryError as error:
            yield Finding(path, f"this is not LogQL: {error.message}", "", offset=error.offset, length=error.length)
            continue
        if not query.is_metric:
            yield Finding(
                path, "this query gives lines, and an alert needs a number", "wrap it: sum(count_over_time(… [5m]))"
            )


def unknown_log_label(declared: Declared) -> Iterator[Finding]:
    """A selector by a label that no agent writes finds nothing, for ever."""
    d = declared.plan.declaration
    labels = agent.stream_labels(d)
    lifted = labels | {*agent.stored(d, "metadata"), *agent.TARGET_METADATA}
    for _, _, path, text in _logql(declared):
        try:
            query = logql.parse(text)
        except QueryError:
            continue
        for name in sorted({matcher.name for selector in query.selectors for matcher in selector} - labels):
            where = "it is structured metadata: filter by it after the braces" if name in lifted else _those(labels)
            yield Finding(path, f"no agent writes the stream label {name!r}", where, **_at(text, name))
        for name in sorted(set(query.filters) - lifted):
            yield Finding(path, f"no agent writes {name!r}", "parse it from the line, or store it", **_at(text, name))
        if query.grouping and not query.parsers:
            for name in sorted(query.grouping - lifted):
                yield Finding(
                    path, f"no agent writes {name!r}, so this groups by nothing", _those(lifted), **_at(text, name)
                )


def _those(names: set[str]) -> str:
    return f"there are: {', '.join(sorted(names))}"


def _at(text: str, name: str) -> dict[str, int]:
    found = re.search(rf"\b{re.escape(name)}\b", text)
    return {"offset": found.start(), "length": len(name)} if found else {}


def known_metrics(declared: Declared) -> dict[str, frozenset[str] | None]:
    """Every metric that some server, pack or declared service exports, with its own labels; None where they are not known."""
    known: dict[str, frozenset[str] | None] = {
        name: None if metric.open else frozenset(metric.labels) for name, metric in upstream.all_metrics().items()
    }
    for service in declared.plan.declaration.services.values():
        requests = service.metrics.requests if service.metrics else None
        if requests:
            names = [requests.total, *([requests.seconds] if requests.seconds else [])]
            known |= {name + end: None for name in names for end in ("", "_bucket", "_count", "_sum")}
    for expanded in declared.plan.packs.values():
        known |= dict.fromkeys(expanded.records)
    return known


def unknown_metric(declared: Declared) -> Iterator[Finding]:
    """An alert on a metric that nobody exports never fires, and looks exactly like one that never needed to."""
    known: dict[str, frozenset[str] | None] | None = None
    for _, _, path, text, tree in _parsed(declared):
        for metric, labels in sorted(promql.metrics(tree), key=lambda found: found[0]):
            known = known_metrics(declared) if known is None else known
            if metric not in known:
                fact = f"no server, pack or declared service exports {metric!r}"
                yield Finding(
                    path, fact, "check its name, or declare it under services.NAME.metrics", **_at(text, metric)
                )
            else:
                own = known[metric]
                for label in sorted(labels - TARGET_LABELS - (own if own is not None else labels)):
                    fact = f"{metric!r} has no label {label!r}"
                    yield Finding(path, fact, _those({*(own or ()), *TARGET_LABELS}), **_at(text, label))


def unknown_example(declared: Declared) -> Iterator[Finding]:
    """A test with made-up series passes for a metric that doesn't exist."""
    known: dict[str, frozenset[str] | None] | None = None
    for name, alert in declared.plan.declaration.alerts.items():
        for part in ("fires", "silent") if alert.examples else ():
            for series in getattr(alert.examples, part):
                known = known_metrics(declared) if known is None else known
                path = ("alerts", name, "examples", part, series)
                yield from _series_findings(path, series, known)


def _series_findings(path: Path, series: str, known: dict[str, frozenset[str] | None]) -> Iterator[Finding]:
    try:
        found = promql.metrics(promql.parse(series))
    except QueryError as error:
        yield Finding(path, f"this is no series: {error.message}", 'write metric{label="value"}', key=True)
        return
    for metric, labels in found:
        if metric not in known:
            yield Finding(path, f"no server, pack or declared service exports {metric!r}", "check its name", key=True)
            continue
        own = known[metric]
        for label in sorted(labels - TARGET_LABELS - (own if own is not None else labels)):
            yield Finding(path, f"{metric!r} has no label {label!r}", _those({*(own or ()), *TARGET_LABELS}), key=True)


def short_window(declared: Declared) -> Iterator[Finding]:
    """A rate needs two samples: under four scrape intervals, one missed scrape makes the alert go quiet."""
    interval = seconds(declared.plan.declaration.prometheus.scrape_interval)
    for _, _, path, _, tree in _parsed(declared):
        for window in promql.ranges(tree):
            if window.kind == "rate" and window.seconds < 4 * interval:
                fact = f"{window.function} over {window.seconds:g}s has too few samples at a scrape interval of {interval:g}s"
                yield Finding(path, fact, f"use a window of {4 * interval:g}s or more")


def no_comparison(declared: Declared) -> Iterator[Finding]:
    """Without a comparison an alert fires as long as the metric exists."""
    for name, alert, path, _, tree in _parsed(declared):
        if alert.expr and not promql.has_comparison(tree) and name != "Watchdog":
            yield Finding(path, "compares with nothing, so it fires all the time", "add a threshold, such as > 0")
    for _, alert, path, text in _logql(declared):
        try:
            query = logql.parse(text)
        except QueryError:
            continue
        if query.is_metric and not alert.levels and not query.has_comparison:
            yield Finding(path, "compares with nothing, so it fires all the time", "add a threshold, such as > 0")


def long_window(declared: Declared) -> Iterator[Finding]:
    """A rule that looks further back than Prometheus keeps sees less than it says."""
    kept = declared.plan.declaration.prometheus.retention
    for _, _, path, _, tree in _parsed(declared):
        if promql.reach(tree) > seconds(kept):
            fact = f"looks back {promql.reach(tree) / 86_400:g} days, and Prometheus keeps {kept}"
            yield Finding(path, fact, "raise prometheus.retention, or shorten the window")


def result_labels(alert: Alert) -> Labels | None:
    """Labels of an alert's result; None where the query doesn't parse."""
    try:
        if alert.logql:
            grouping = logql.parse(alert.logql).grouping
            return Labels(open=True) if grouping is None else Labels(known=grouping)
        return promql.survivors(promql.parse(alert.query or alert.expr or ""))
    except QueryError:
        return None


_LABEL = re.compile(r"\$labels\.([A-Za-z_][A-Za-z0-9_]*)")


def lost_label(declared: Declared) -> Iterator[Finding]:
    """A label that the aggregation dropped is empty in the message, and an owner found by it is nobody."""
    for name, alert in declared.plan.declaration.alerts.items():
        labels = result_labels(alert)
        if labels is None:
            continue
        for key in ("summary", "description"):
            text = getattr(alert, key)
            for label in dict.fromkeys(_LABEL.findall(text)):
                if not allows(labels, label):
                    fact = f"the result has no label {label!r}: the query aggregates it away"
                    yield Finding(("alerts", name, key), fact, f"keep it: by ({label})", **_at(text, label))
        if alert.team_of and not allows(labels, alert.team_of):
            fact = f"the result has no label {alert.team_of!r}, so nobody owns this alert"
            yield Finding(("alerts", name, "team_of"), fact, f"keep it: by ({alert.team_of})")
