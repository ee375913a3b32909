"""The alerts that a declaration answers for, and what each asks of the metrics or the logs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from .. import logql, promql
from ..document import Path
from ..model import Alert
from ..query import QueryError
from ..road import Declared
from .finding import Span


class Asked(NamedTuple):
    """An alert and where it stands."""

    path: Path
    name: str
    alert: Alert


def alerts(declared: Declared) -> Iterator[Asked]:
    """The alerts declared, and those of packs that the declaration tunes.

    What a pack ships untouched is nobody's mistake here; it is tested where it is made.
    """
    for name, alert in declared.declaration.alerts.items():
        yield Asked(("alerts", name), name, alert)
    for pack, expanded in declared.packs.items():
        tuned = declared.declaration.packs[pack].alerts
        for name, alert in expanded.alerts.items():
            if tuned.get(name):
                yield Asked(("packs", pack, "alerts", name), name, alert)


def rendered_alerts(declared: Declared) -> Iterator[Asked]:
    """Every alert that becomes a rule; one that a pack ships untouched stands where the pack is named."""
    told = set()
    for asked in alerts(declared):
        told.add(asked.path)
        yield asked
    for pack, expanded in declared.packs.items():
        for name, alert in expanded.alerts.items():
            if ("packs", pack, "alerts", name) not in told:
                yield Asked(("packs", pack), name, alert)


def promql_texts(declared: Declared) -> Iterator[tuple[Asked, Path, str]]:
    """Each alert on metrics, with the place and text of its expression."""
    for asked in alerts(declared):
        key = "query" if asked.alert.query else "expr"
        if text := asked.alert.query or asked.alert.expr:
            yield asked, (*asked.path, key), text


def promql_trees(declared: Declared) -> Iterator[tuple[Asked, Path, str, promql.Expr]]:
    """The same with its tree, where it is PromQL."""
    for asked, path, text in promql_texts(declared):
        try:
            yield asked, path, text, promql.parse(text)
        except QueryError:
            continue


def logql_texts(declared: Declared) -> Iterator[tuple[Asked, Path, str]]:
    """Each alert on logs, with the place and text of its query."""
    for asked in alerts(declared):
        if asked.alert.logql:
            yield asked, (*asked.path, "logql"), asked.alert.logql


def logql_queries(declared: Declared) -> Iterator[tuple[Asked, Path, str, logql.Query]]:
    """The same with what was read from it, where it is LogQL."""
    for asked, path, text in logql_texts(declared):
        try:
            yield asked, path, text, logql.parse(text)
        except QueryError:
            continue


def span_of(error: QueryError) -> Span:
    """Where the query stopped making sense."""
    return None if error.offset is None else (error.offset, error.length)


def at(text: str, word: str) -> Span:
    """Where a name stands in a query: of the condition on it, where there is one."""
    name = rf"(?<![\w:.]){re.escape(word)}(?![\w:])"
    found = re.search(rf"{name}(?=\s*(?:=~|!~|!=|=)\s*[\"'`])", text) or re.search(name, text)
    return (found.start(), len(word)) if found else None


def made(text: str) -> set[str]:
    """Label names that a query makes itself: by label_replace, label_join, count_values, label_format, named groups and captures."""
    quoted = re.findall(r"""["'`](\w+)["'`]""", text)
    formatted = [
        name for stage in re.findall(r"label_format\s([^|]+)", text) for name in re.findall(r"(\w+)\s*=", stage)
    ]
    return {*quoted, *formatted, *re.findall(r"<(\w+)>", text)}
