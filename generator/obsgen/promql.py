"""Reads PromQL: which labels survive, whether an alert can be silent, which windows and series it looks at."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import promql_parser

from . import promql_tree as tree
from .promql_place import place
from .promql_tree import Matcher, Window
from .query import Labels, QueryError, allows

__all__ = [
    "Expr",
    "Labels",
    "Matcher",
    "QueryError",
    "Window",
    "allows",
    "grouping_labels",
    "has_comparison",
    "matchers",
    "metrics",
    "parse",
    "ranges",
    "reach",
    "survivors",
]

MAX_DEPTH = 200  # the walks call themselves; Python allows a thousand calls, three to a level


@dataclass(frozen=True, slots=True)
class Expr:
    """What there is to know of an expression; the functions below say it in words.

    The tree itself is let go: it takes 10 KB (promql-parser 0.12), five times as much.
    """

    survivors: Labels
    has_comparison: bool
    ranges: tuple[Window, ...]
    reach: float
    metrics: frozenset[tuple[str, frozenset[str]]]
    matchers: tuple[Matcher, ...]
    grouping_labels: frozenset[str]


@functools.lru_cache(maxsize=1 << 15)
def parse(expr: str) -> Expr:
    """What is known of a PromQL expression; QueryError, with the place where it can be found, for one that isn't PromQL."""
    try:
        root = promql_parser.parse(expr)
    except ValueError as error:
        raise place(expr, str(error)) from None
    if len(expr) > MAX_DEPTH and tree.depth(root) > MAX_DEPTH:
        raise QueryError(f"the expression nests more than {MAX_DEPTH} operations")
    return Expr(
        survivors=tree.survivors(root),
        has_comparison=tree.has_comparison(root),
        ranges=tuple(tree.ranges(root)),
        reach=tree.reach(root),
        metrics=frozenset(tree.metrics(root)),
        matchers=tuple(tree.matchers(root)),
        grouping_labels=frozenset(tree.grouping_labels(root)),
    )


def survivors(expr: Expr) -> Labels:
    """Labels that a series of the result may carry; `__name__` is left out of account."""
    return expr.survivors


def has_comparison(expr: Expr) -> bool:
    """Can the result be empty although its series exist? An alert on an expression that can't fires always.

    True for a comparison without `bool`, `unless`, absent(); `or` needs it on both sides, scalar() swallows it.
    """
    return expr.has_comparison


def ranges(expr: Expr) -> list[Window]:
    """Every range selector `x[5m]`, those inside subqueries too; a subquery's own window isn't one."""
    return list(expr.ranges)


def reach(expr: Expr) -> float:
    """How many seconds of the past the expression reads: ranges, subqueries and offsets added up along each path."""
    return expr.reach


def metrics(expr: Expr) -> frozenset[tuple[str, frozenset[str]]]:
    """Each selector's metric name ("" where it names no single metric) with the label names of its matchers."""
    return expr.metrics


def matchers(expr: Expr) -> tuple[Matcher, ...]:
    """Every condition on a label, in the order of the text; those on the metric's name are left out."""
    return expr.matchers


def grouping_labels(expr: Expr) -> frozenset[str]:
    """Label names that the expression expects to exist: those in `by`, `on`, `group_left` and `group_right`."""
    return expr.grouping_labels
