"""Queries of dashboards that are taken over: do they parse, and ask for what somebody writes."""

from __future__ import annotations

from collections.abc import Iterator

from .. import logql, promql
from ..dashboard_reader import Asked, Board, filled, queries, variables
from ..query import QueryError
from ..road import Declared
from . import loglines, metrics
from .dashboards import boards, found
from .finding import Fault, Finding


def bad_query(declared: Declared) -> Iterator[Finding]:
    """Such a panel shows an error, to the one who looks at it because something is broken."""
    for file, board in boards(declared):
        for asked in queries(board):
            try:
                _parsed(asked, board)
            except QueryError as error:
                language = "LogQL" if asked.of == "loki" else "PromQL"
                yield found(file, f"{asked.where}: this is not {language}: {error.message}")


def finds_nothing(declared: Declared) -> Iterator[Finding]:
    """A metric that nobody exports, a label that no agent writes: the panel is empty, and looks like a quiet day."""
    known = metrics.known_metrics(declared)
    for file, board in boards(declared):
        told = set()
        for asked in queries(board):
            for fact, remedy, _ in _faults(declared, known, asked, board):
                if (fact, remedy) not in told:
                    told.add((fact, remedy))
                    yield found(file, f"{asked.where}: {fact}", remedy)


def _parsed(asked: Asked, board: Board) -> tuple[promql.Expr | None, logql.Query | None]:
    if asked.of == "loki":
        return None, logql.parse(asked.text, dashboard=True)
    return promql.parse(filled(asked.text, variables(board))) if asked.of == "prometheus" else None, None


def _faults(declared: Declared, known: metrics.Known, asked: Asked, board: Board) -> Iterator[Fault]:
    try:
        expression, query = _parsed(asked, board)
    except QueryError:
        return
    d = declared.declaration
    if expression:
        yield from metrics.strange_metrics(declared, known, expression)
        yield from metrics.strange_labels(known, asked.text, expression)
    if query:
        yield from loglines.strange_labels(d, asked.text, query)
        yield from loglines.strange_fields(d, asked.text, query)
