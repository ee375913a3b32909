"""What a tree of PromQL says: the labels of its result, whether it can be empty, its windows, reach and series.

`promql_parser` judges; its trees are only walked. Never print one: `str()` of a tree loses escapes and subquery steps
(0.12.0: 46 of 1,774 real expressions no longer parsed).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import promql_parser as promql

from .query import ANY, NONE, Labels, Matching, either, matched, only, plus, without

Expr = Any  # a node: AggregateExpr, BinaryExpr, Call, …; the stubs' Expr has none of their attributes

COMPARISONS = frozenset({"==", "!=", ">", "<", ">=", "<="})
# Functions that compare samples within the window: they need two of them, hence a window of several scrape intervals.
DIFFERENCES = frozenset({"rate", "irate", "increase", "delta", "idelta"})
RATES = DIFFERENCES | {"changes", "resets", "deriv", "predict_linear", "double_exponential_smoothing"}
KEEP_INPUT = frozenset({"topk", "bottomk", "limitk", "limit_ratio"})
ABSENT = frozenset({"absent", "absent_over_time"})
VECTORS = (promql.ValueType.Vector, promql.ValueType.Matrix)


class Window(NamedTuple):
    """One range selector: the function that reads it (None: bare), its length, and whether it needs two samples."""

    function: str | None
    seconds: float
    kind: Literal["rate", "other"]


class Matcher(NamedTuple):
    """One condition on a label of the metric (`""` where the selector names no single one); `op` is `=`, `!=`, `=~` or `!~`."""

    metric: str
    name: str
    op: str
    value: str


def depth(tree: Expr) -> int:
    """How many operations stand inside one another."""
    deepest, level = 0, [tree]
    while level:
        deepest, level = deepest + 1, [child for node in level for child in _children(node)]
    return deepest


def survivors(expr: Expr) -> Labels:
    """Labels that a series of the result may carry; `__name__` is left out of account."""
    read = _LABELS.get(type(expr))
    return read(expr) if read else NONE


def _labels_of_aggregate(expr: Expr) -> Labels:
    op, inner = str(expr.op), survivors(expr.expr)
    if op in KEEP_INPUT:
        return inner
    counted = {expr.param.val} if op == "count_values" else ()
    if expr.modifier is None:
        return plus(NONE, counted)
    keep = only if expr.modifier.type == promql.AggModifierType.By else without
    return plus(keep(inner, expr.modifier.labels), counted)


def _labels_of_binary(expr: Expr) -> Labels:
    op = str(expr.op)
    if op in ("and", "unless"):
        return survivors(expr.lhs)
    if op == "or":
        return either(survivors(expr.lhs), survivors(expr.rhs))
    if _is_scalar(expr.lhs):
        return survivors(expr.rhs)
    if _is_scalar(expr.rhs):
        return survivors(expr.lhs)
    return matched(survivors(expr.lhs), survivors(expr.rhs), _matching(expr.modifier))


def _matching(modifier: promql.BinModifier | None) -> Matching:
    if modifier is None:
        return Matching()
    card, rule = modifier.card, modifier.matching
    names = frozenset(rule.labels) if rule else frozenset()
    on = rule is not None and rule.type == promql.LabelModifierType.Include
    many = {"ManyToOne": "left", "OneToMany": "right"}.get(str(card).rpartition(".")[2], "")
    return Matching(names if on else None, frozenset() if on else names, many, frozenset(modifier.group_labels or ()))


def _labels_of_call(expr: Expr) -> Labels:
    name, args = expr.func.name, expr.args
    if name in ABSENT:
        return _labels_of_absent(args[0])
    inner = next((survivors(argument) for argument in _vectors(expr)), NONE)
    if name in ("label_replace", "label_join"):
        return plus(inner, {args[1].val})
    if name in ("histogram_quantile", "histogram_fraction"):
        return without(inner, {"le"})
    if name == "histogram_quantiles":
        return plus(without(inner, {"le"}), {args[1].val})
    # info() adds whatever labels the info metrics carry.
    return Labels(inner.known, open=True) if name == "info" else inner


def _labels_of_absent(expr: Expr) -> Labels:
    """absent() invents labels from equality matchers, where a name has no second matcher (functions.go, 3.x)."""
    while isinstance(expr, promql.ParenExpr):
        expr = expr.expr
    selector = expr.vector_selector if isinstance(expr, promql.MatrixSelector) else expr
    if not isinstance(selector, promql.VectorSelector):
        return NONE
    matchers = [matcher for matcher in selector.matchers.matchers if matcher.name != "__name__"]
    names = [matcher.name for matcher in matchers]
    equal = {matcher.name for matcher in matchers if matcher.op == promql.MatchOp.Equal}
    return Labels(frozenset(name for name in equal if names.count(name) == 1))


def _vectors(expr: Expr) -> Iterator[Expr]:
    """The arguments of a call that are series, not scalars or strings."""
    for kind, argument in zip(expr.func.arg_types, expr.args, strict=False):
        if kind in VECTORS:
            yield argument


def _is_scalar(expr: Expr) -> bool:
    if isinstance(expr, promql.NumberLiteral):
        return True
    if isinstance(expr, (promql.ParenExpr, promql.UnaryExpr)):
        return _is_scalar(expr.expr)
    if isinstance(expr, promql.BinaryExpr):
        return _is_scalar(expr.lhs) and _is_scalar(expr.rhs)
    return isinstance(expr, promql.Call) and expr.func.return_type == promql.ValueType.Scalar


_LABELS = {
    promql.VectorSelector: lambda _: ANY,
    promql.MatrixSelector: lambda _: ANY,
    promql.ParenExpr: lambda expr: survivors(expr.expr),
    promql.UnaryExpr: lambda expr: survivors(expr.expr),
    promql.SubqueryExpr: lambda expr: survivors(expr.expr),
    promql.AggregateExpr: _labels_of_aggregate,
    promql.BinaryExpr: _labels_of_binary,
    promql.Call: _labels_of_call,
}


def has_comparison(expr: Expr) -> bool:
    """Can the result be empty although its series exist? An alert on an expression that can't fires always.

    True for a comparison without `bool`, `unless`, absent(); `or` needs it on both sides, scalar() swallows it.
    """
    read = _CONDITIONS.get(type(expr))
    return read(expr) if read else False


def _condition_of_binary(expr: Expr) -> bool:
    op = str(expr.op)
    left, right = has_comparison(expr.lhs), has_comparison(expr.rhs)
    if op == "or":
        return left and right
    filters = op in COMPARISONS and not (expr.modifier and expr.modifier.return_bool)
    return left or right or filters or op == "unless"


def _condition_of_call(expr: Expr) -> bool:
    if expr.func.name in ABSENT:
        return True
    if expr.func.return_type == promql.ValueType.Scalar:
        return False
    return any(map(has_comparison, _vectors(expr)))


_CONDITIONS = {
    promql.ParenExpr: lambda expr: has_comparison(expr.expr),
    promql.UnaryExpr: lambda expr: has_comparison(expr.expr),
    promql.SubqueryExpr: lambda expr: has_comparison(expr.expr),
    promql.AggregateExpr: lambda expr: has_comparison(expr.expr),
    promql.BinaryExpr: _condition_of_binary,
    promql.Call: _condition_of_call,
}


def ranges(expr: Expr) -> list[Window]:
    """Every range selector `x[5m]`, those inside subqueries too; a subquery's own window isn't one."""
    return list(_windows(expr, None))


def _windows(expr: Expr, function: str | None) -> Iterator[Window]:
    if isinstance(expr, promql.MatrixSelector):
        yield Window(function, expr.range.total_seconds(), "rate" if function in RATES else "other")
    inner = expr.func.name if isinstance(expr, promql.Call) else function
    if isinstance(expr, promql.SubqueryExpr):
        inner = None
    for child in _children(expr):
        yield from _windows(child, inner)


def reach(expr: Expr) -> float:
    """How many seconds of the past the expression reads: ranges, subqueries and offsets added up along each path."""
    selector = expr.vector_selector if isinstance(expr, promql.MatrixSelector) else expr
    spans = getattr(expr, "range", None), getattr(selector, "offset", None)
    return float(sum(span.total_seconds() for span in spans if span)) + max(map(reach, _children(expr)), default=0.0)


def metrics(expr: Expr) -> set[tuple[str, frozenset[str]]]:
    """Each selector's metric name ("" where it names no single metric) with the label names of its matchers."""
    return {metric(selector) for selector in selectors(expr)}


def metric(selector: Expr) -> tuple[str, frozenset[str]]:
    """Its metric ("" where it names no single one) and the names of the labels that it asks for."""
    alternatives = [selector.matchers.matchers, *selector.matchers.or_matchers]
    matchers = [matcher for alternative in alternatives for matcher in alternative]
    named = [m.value for m in matchers if m.name == "__name__" and m.op == promql.MatchOp.Equal]
    name = selector.name or (named[0] if len(named) == 1 else "")
    return name, frozenset(matcher.name for matcher in matchers if matcher.name != "__name__")


def matchers(expr: Expr) -> list[Matcher]:
    """Every condition on a label, in the order of the text; those on the metric's name are left out."""
    return [one for selector in selectors(expr) for one in conditions(selector)]


def conditions(selector: Expr) -> list[Matcher]:
    """The same of one selector."""
    return [
        Matcher(metric(selector)[0], matcher.name, _OPERATORS[str(matcher.op)], matcher.value)
        for alternative in [selector.matchers.matchers, *selector.matchers.or_matchers]
        for matcher in alternative
        if matcher.name != "__name__"
    ]


_OPERATORS = {"MatchOp.Equal": "=", "MatchOp.NotEqual": "!=", "MatchOp.Re": "=~", "MatchOp.NotRe": "!~"}


def grouping_labels(expr: Expr) -> set[str]:
    """Label names that the expression expects to exist: those in `by`, `on`, `group_left` and `group_right`."""
    found: set[str] = set()
    for node in _nodes(expr):
        modifier = getattr(node, "modifier", None)
        if isinstance(node, promql.AggregateExpr) and modifier and modifier.type == promql.AggModifierType.By:
            found.update(modifier.labels)
        elif isinstance(node, promql.BinaryExpr):
            matching = _matching(modifier)
            found |= (matching.on or frozenset()) | matching.extra
    return found


def selectors(expr: Expr) -> Iterator[Expr]:
    """Each `metric{label="value"}`, those with a window too, without it."""
    for node in _nodes(expr):
        if isinstance(node, promql.MatrixSelector):
            yield node.vector_selector
        elif isinstance(node, promql.VectorSelector):
            yield node


def _nodes(expr: Expr) -> Iterator[Expr]:
    yield expr
    for child in _children(expr):
        yield from _nodes(child)


def _children(expr: Expr) -> list[Expr]:
    if isinstance(expr, promql.Call):
        return list(expr.args)
    if isinstance(expr, promql.BinaryExpr):
        return [expr.lhs, expr.rhs]
    if isinstance(expr, promql.AggregateExpr):
        return [expr.expr] if expr.param is None else [expr.param, expr.expr]
    if isinstance(expr, (promql.ParenExpr, promql.UnaryExpr, promql.SubqueryExpr)):
        return [expr.expr]
    return []
