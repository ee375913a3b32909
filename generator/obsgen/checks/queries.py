"""Queries that don't parse, or can't do what they look like."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .. import logql, promql
from ..document import Path
from ..model import seconds
from ..query import QueryError
from ..road import Declared
from .finding import Finding, Span
from .questions import logql_queries, logql_texts, promql_texts, promql_trees, rendered_alerts, span_of


def bad_promql(declared: Declared) -> Iterator[Finding]:
    """Prometheus refuses the whole file, and keeps evaluating yesterday's rules."""
    for _, path, text in promql_texts(declared):
        try:
            promql.parse(text)
        except QueryError as error:
            yield Finding(path, f"this is not PromQL: {error.message}", "", span=span_of(error))


def bad_logql(declared: Declared) -> Iterator[Finding]:
    """One bad file hides all rules from Loki's ruler, and Loki still says ready (3.7.6)."""
    for _, path, text in logql_texts(declared):
        try:
            query = logql.parse(text)
        except QueryError as error:
            yield Finding(path, f"this is not LogQL: {error.message}", "", span=span_of(error))
            continue
        if not query.is_metric:
            remedy = "wrap it: sum(count_over_time(… [5m]))"
            yield Finding(path, "this query gives lines, and an alert needs a number", remedy)


def short_window(declared: Declared) -> Iterator[Finding]:
    """A rate needs two samples: under four scrape intervals, one or two missed scrapes make the alert go quiet."""
    interval = seconds(declared.declaration.prometheus.scrape_interval)
    for _, path, text, tree in promql_trees(declared):
        for window in promql.ranges(tree):
            if window.kind == "rate" and window.seconds < 4 * interval:
                span, every = f"{window.seconds:g}s", f"{interval:g}s"
                fact = f"{window.function} over {span} has too few samples at a scrape interval of {every}"
                yield Finding(
                    path, fact, f"use a window of {4 * interval:g}s or more", span=_range_at(text, window.seconds)
                )


def _range_at(text: str, length: float) -> Span:
    spans = (match for match in re.finditer(r"\[\s*(\w+)\s*\]", text) if seconds(match[1]) == length)
    return next(((match.start(), len(match[0])) for match in spans), None)


def no_comparison(declared: Declared) -> Iterator[Finding]:
    """Without a comparison an alert fires as long as the metric exists."""
    remedy = "add a threshold, such as > 0"
    for asked, path, _, tree in promql_trees(declared):
        if asked.alert.expr and not promql.has_comparison(tree) and asked.name != "Watchdog":
            yield Finding(path, "compares with nothing, so it fires all the time", remedy)
    for asked, path, _, query in logql_queries(declared):
        if query.is_metric and not asked.alert.levels and not query.has_comparison:
            yield Finding(path, "compares with nothing, so it fires all the time", remedy)


def long_window(declared: Declared) -> Iterator[Finding]:
    """A rule that looks further back than Prometheus keeps sees less than it says."""
    kept = declared.declaration.prometheus.retention
    for path, text in _every_promql(declared):
        try:
            reach = promql.reach(promql.parse(text))
        except QueryError:
            continue
        if reach > seconds(kept):
            fact = f"looks back {reach / 86_400:g} days, and Prometheus keeps {kept}"
            yield Finding(path, fact, "raise prometheus.retention, or shorten the window")


def _every_promql(declared: Declared) -> Iterator[tuple[Path, str]]:
    """Each expression where it stands; what a pack ships untouched, recordings too, where the pack is named."""
    for path, name, alert in rendered_alerts(declared):
        key = "query" if alert.query else "expr"
        if text := alert.query or alert.expr:
            yield (*path, key) if path[-1] == name else path, text
    for pack, expanded in declared.packs.items():
        yield from ((("packs", pack), record.query) for record in expanded.records.values())
