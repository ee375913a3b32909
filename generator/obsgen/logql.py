"""Reads LogQL as Loki 3.7 does: what a query selects, filters, parses, groups by, and whether its alert can be silent.

The grammar is `logql.lark`; here stands what it can't say, and the reading of its trees.
"""

from __future__ import annotations

import functools
import hashlib
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import lark
from lark import Token, Tree

from . import cache
from . import logql_text as text
from .logql_pipeline import Matcher, Reading, checked, error_at, part_of, subtree_of, subtrees, token_of, token_type
from .query import ANY, NONE, Labels, Matching, QueryError, allows, either, matched, only, plus, without

__all__ = ["Labels", "Matcher", "Query", "QueryError", "allows", "parse"]

GRAMMAR = Path(__file__).with_name("logql.lark")
# Loki 3.7: pkg/logql/syntax/parser.go, maxInputSize.
MAX_BYTES = 131_072

STATISTICS = frozenset({"avg_over_time", "max_over_time", "min_over_time", "stddev_over_time", "stdvar_over_time"})
WITH_GROUPING = STATISTICS | {"quantile_over_time", "first_over_time", "last_over_time"}
WITH_UNWRAP = WITH_GROUPING | {"sum_over_time", "rate", "rate_counter", "absent_over_time"}
WITHOUT_UNWRAP = frozenset({"bytes_over_time", "bytes_rate", "count_over_time", "rate", "absent_over_time"})
WITH_COUNT = frozenset({"topk", "bottomk", "approx_topk"})
KEEP_INPUT = WITH_COUNT | {"sort", "sort_desc"}


@dataclass(frozen=True, slots=True)
class Query:
    """What one LogQL query does. Where it selects several times, the parts follow the order of the text.

    `filters` and `parsed_filters`: label names of label filters before and after the first parser of their pipeline.
    `numeric_filters`: those compared with a number, duration or size. `expressions`: label → path, of `| json x="a.b"`.
    `line_filters`: operator and text. `noop_filters`: how many of them every line passes (`|= ""`).
    `labels`: what a result series may carry; `grouping` the same where it is certain, None where the series' own labels
    come through. `ranges`: seconds; those that are Grafana variables are left out.
    `has_comparison`: the result can be empty although lines match, so an alert on it doesn't fire always.
    """

    is_metric: bool
    selectors: tuple[tuple[Matcher, ...], ...]
    filters: tuple[str, ...]
    parsed_filters: tuple[str, ...]
    numeric_filters: tuple[str, ...]
    parsers: bool
    expressions: Mapping[str, str] = field(hash=False)
    line_filters: tuple[tuple[str, str], ...]
    noop_filters: int
    unwraps: tuple[str, ...]
    labels: Labels
    ranges: tuple[float, ...]
    has_comparison: bool

    @property
    def grouping(self) -> frozenset[str] | None:
        """Labels of the outermost aggregation, None when the result isn't aggregated."""
        return None if self.labels.open else self.labels.known


@functools.lru_cache(maxsize=1 << 14)
def parse(query: str, dashboard: bool = False) -> Query:
    """Read a query; QueryError for one that Loki would refuse.

    `dashboard` allows Grafana's variables, as a range and inside strings: a rule knows none. Stricter than
    `logcli fmt`, which doesn't compile pipelines: bad line filters, JSON paths and addresses are errors here as they
    are when Loki runs the query, and so are ranges of zero length. Go templates aren't read.
    """
    if len(query.encode()) >= MAX_BYTES:
        raise QueryError(f"the query is longer than Loki reads ({MAX_BYTES} bytes)", 0, len(query))
    try:
        return _read(_tree(query), Reading(dashboard))
    except RecursionError:
        raise QueryError("the query nests too many operations", 0, len(query)) from None


def _read(tree: Tree[Token], reading: Reading) -> Query:
    if tree.data == "logs":
        reading.pipeline(_inside(tree).children)
        return _query(reading, None)
    return _query(reading, _metric(tree, reading))


def _query(reading: Reading, metric: _Side | None) -> Query:
    """The finished value; without a metric it is a query for lines, which keep all their labels."""
    return Query(
        is_metric=metric is not None,
        selectors=tuple(reading.selectors),
        filters=tuple(reading.filters),
        parsed_filters=tuple(reading.parsed_filters),
        numeric_filters=tuple(reading.numeric_filters),
        parsers=reading.parsers,
        expressions=MappingProxyType(reading.expressions),
        line_filters=tuple(reading.line_filters),
        noop_filters=sum(op in ("|=", "|~") and not value for op, value in reading.line_filters),
        unwraps=tuple(reading.unwraps),
        labels=metric.labels if metric else ANY,
        ranges=tuple(reading.ranges),
        has_comparison=metric.conditional if metric else False,
    )


def _inside(logs: Tree[Token]) -> Tree[Token]:
    """`(({a="b"}))` without its parentheses."""
    first = logs.children[0]
    return _inside(first) if isinstance(first, Tree) and first.data == "logs" else logs


@functools.cache
def _parser() -> lark.Lark:
    kept = cache.folder()
    return lark.Lark(
        GRAMMAR.read_text(encoding="utf-8"),
        parser="lalr",
        lexer="basic",
        maybe_placeholders=False,
        # named by grammar and versions; Lark makes the tables again where it can't read them
        cache=str(kept / f"logql-{_grammar_key()}.lark") if kept else False,
    )


def _grammar_key() -> str:
    made_of = f"{lark.__version__} {sys.version} {GRAMMAR.read_text(encoding='utf-8')}"
    return hashlib.sha256(made_of.encode()).hexdigest()[:16]


def _tree(query: str) -> Tree[Token]:
    try:
        return _parser().parse(query)
    except lark.UnexpectedCharacters as error:
        raise _unexpected_character(query, error.pos_in_stream or 0) from None
    except lark.UnexpectedToken as error:
        raise _unexpectedtoken_of(query, error) from None


def _unexpected_character(query: str, at: int) -> QueryError:
    character = query[at]
    meaning = {
        '"': "the string is not closed",
        "`": "the string is not closed",
        "[": "the range is not closed: ] is missing",
        "'": "strings stand in double quotes or backticks",
        "$": "a Grafana variable can stand for a range or inside a string only",
    }
    length = len(query) - at if character in '"`[' else 1
    return QueryError(meaning.get(character, f"unexpected {character!r}"), at, length)


def _unexpectedtoken_of(query: str, error: lark.UnexpectedToken) -> QueryError:
    token, expected = error.token, error.accepts or error.expected
    if token.type == "$END":
        empty = re.fullmatch(r"(?:\s|#[^\n]*)*", query)
        return QueryError("the query is empty" if empty else "the query ends too early", len(query.rstrip()), 0)
    hint = ""
    if "RANGE" in expected and token.type == "RPAR":
        hint = ": a range such as [5m] is missing"
    elif token.type == "EQ" and "COMPARE" in expected:
        hint = ": == compares"
    elif "IDENTIFIER" in expected and re.fullmatch(r"\w+", token):
        hint = ": it is a word of LogQL, not a name"
    return QueryError(f"unexpected {str(token)!r}{hint}", token.start_pos, len(token))


class _Side(NamedTuple):
    """What is known of a metric expression: labels of its series, can it be empty by its own doing, is it a number."""

    labels: Labels
    conditional: bool = False
    number: bool = False


def _metric(tree: Tree[Token], reading: Reading) -> _Side:
    return _METRICS[tree.data](tree, reading)


def _binary(tree: Tree[Token], reading: Reading) -> _Side:
    operator = token_of(tree.children[1])
    left, right = _metric(subtree_of(tree.children[0]), reading), _metric(subtree_of(tree.children[-1]), reading)
    kind = operator.lower()
    if kind in ("and", "or", "unless") and (left.number or right.number):
        raise error_at(operator, f"{kind} stands between series, not numbers")
    modifier = part_of(tree, "modifier")
    labels = _labels_of_binary(kind, left, right, _matching(modifier))
    return _Side(labels, _is_conditional(operator, kind, left, right, modifier), left.number and right.number)


def _labels_of_binary(kind: str, left: _Side, right: _Side, matching: Matching) -> Labels:
    if kind in ("and", "unless") or right.number:
        return left.labels
    if kind == "or":
        return either(left.labels, right.labels)
    return right.labels if left.number else matched(left.labels, right.labels, matching)


def _is_conditional(operator: Token, kind: str, left: _Side, right: _Side, modifier: Tree[Token] | None) -> bool:
    if left.number and right.number:
        return False
    if kind == "or":
        return left.conditional and right.conditional
    as_number = modifier is not None and any(token_type(child) == "BOOL" for child in modifier.children)
    filters = operator.type in ("COMPARE", "NEQ") and not as_number
    return left.conditional or right.conditional or filters or kind == "unless"


def _matching(modifier: Tree[Token] | None) -> Matching:
    parts = {part.data: part for part in modifier.children if isinstance(part, Tree)} if modifier else {}
    on, names, extra, many = None, frozenset[str](), frozenset[str](), ""
    if rule := parts.get("matching"):
        names = frozenset(map(str, rule.children[1:]))
        on = names if token_type(rule.children[0]) == "ON" else None
    if group := parts.get("group"):
        many = "left" if token_type(group.children[0]) == "GROUP_LEFT" else "right"
        extra = frozenset(map(str, group.children[1:]))
    return Matching(on, frozenset() if on is not None else names, many, extra)


def _label_replace(tree: Tree[Token], reading: Reading) -> _Side:
    inner = _metric(subtree_of(tree.children[1]), reading)
    target, _, _, pattern = map(token_of, tree.children[2:])
    checked(pattern, text.matches_empty, reading.string(pattern))
    return inner._replace(labels=plus(inner.labels, {reading.string(target)}))


def _vector_aggregation(tree: Tree[Token], reading: Reading) -> _Side:
    name = token_of(tree.children[0])
    kind = name.lower()
    inner = _metric(next(child for child in subtrees(tree) if child.data != "grouping"), reading)
    grouping = part_of(tree, "grouping")
    number = next((token_of(child) for child in tree.children if token_type(child) == "NUMBER"), None)
    if (kind in WITH_COUNT) != (number is not None):
        raise error_at(
            name, f"{kind} needs a number first: {kind}(5, …)" if number is None else f"{kind} takes no number"
        )
    if number is not None and not re.fullmatch(r"0*[1-9]\d*", number):
        raise error_at(number, f"{kind} counts series: a whole number above 0")
    if grouping and (kind == "approx_topk" or (kind.startswith("sort") and len(grouping.children) > 1)):
        raise error_at(name, f"{kind} takes no grouping")
    return inner if kind in KEEP_INPUT else inner._replace(labels=_grouped(inner.labels, grouping, NONE))


def _range_aggregation(tree: Tree[Token], reading: Reading) -> _Side:
    name = token_of(tree.children[0])
    span, grouping = part_of(tree, "range"), part_of(tree, "grouping")
    number = any(token_type(child) == "NUMBER" for child in tree.children)
    assert span is not None  # the grammar has no range aggregation without
    _check_range_aggregation(name, number, part_of(span, "unwrap") is not None, grouping is not None)
    matchers = reading.pipeline(span.children)
    if name.lower() == "absent_over_time":
        return _Side(_labels_of_absent(matchers), conditional=True)
    return _Side(_grouped(ANY, grouping, ANY))


def _labels_of_absent(matchers: tuple[Matcher, ...]) -> Labels:
    """absent_over_time() invents labels from equality matchers, where a name has no second matcher (3.7.6)."""
    names = [matcher.name for matcher in matchers]
    return Labels(frozenset(m.name for m in matchers if m.op == "=" and names.count(m.name) == 1))


def _check_range_aggregation(name: Token, number: bool, unwrap: bool, grouping: bool) -> None:
    kind = name.lower()
    if (kind == "quantile_over_time") != number:
        raise error_at(name, f"{kind} takes no number" if number else f"{kind} needs a number first: {kind}(0.99, …)")
    if grouping and kind not in WITH_GROUPING:
        raise error_at(name, f"{kind} takes no grouping: write sum by (…) ({kind}(…))")
    if unwrap and kind not in WITH_UNWRAP:
        raise error_at(name, f"{kind} counts lines: it can't use | unwrap")
    if not unwrap and kind not in WITHOUT_UNWRAP:
        raise error_at(name, f"{kind} needs numbers: | unwrap LABEL is missing")


def _grouped(labels: Labels, grouping: Tree[Token] | None, ungrouped: Labels) -> Labels:
    if grouping is None:
        return ungrouped
    keep = only if token_type(grouping.children[0]) == "BY" else without
    return keep(labels, map(str, grouping.children[1:]))


def _variants(tree: Tree[Token], _: Reading) -> _Side:
    raise error_at(token_of(tree.children[0]), "variants is an experiment that Loki has switched off")


_METRICS: Mapping[str, Callable[[Tree[Token], Reading], _Side]] = {
    "binary": _binary,
    "literal": lambda _tree, _reading: _Side(NONE, number=True),
    "vector": lambda _tree, _reading: _Side(NONE),
    "label_replace": _label_replace,
    "vector_aggregation": _vector_aggregation,
    "range_aggregation": _range_aggregation,
    "variants": _variants,
}
