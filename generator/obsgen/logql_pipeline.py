"""Reads the selectors and pipelines of LogQL: `{…} |= "x" | json | a="b"`, from the trees of `logql.lark`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from lark import Token, Tree

from . import logql_text as text
from .query import QueryError

T = TypeVar("T")
# Grafana's variables: $name, ${name}, ${name:format}.
VARIABLE = re.compile(r"\$\{\w+(?:\.\w+)*(?::\w+)?\}|\$[A-Za-z_]\w*")


class Matcher(NamedTuple):
    """One condition of a stream selector; `op` is `=`, `!=`, `=~` or `!~`, `value` is unquoted."""

    name: str
    op: str
    value: str


class Reading:
    """Collects what the selectors and pipelines of one query hold."""

    def __init__(self, dashboard: bool) -> None:
        self.dashboard = dashboard
        self.selectors: list[tuple[Matcher, ...]] = []
        self.filters: dict[str, None] = {}
        self.parsed_filters: dict[str, None] = {}
        self.numeric_filters: dict[str, None] = {}
        self.expressions: dict[str, str] = {}
        self.line_filters: list[tuple[str, str]] = []
        self.unwraps: list[str] = []
        self.ranges: list[float] = []
        self.parsers = False
        self.parsed = False

    def pipeline(self, parts: Iterable[Any]) -> tuple[Matcher, ...]:
        """Read a selector and what follows it, in the order of the text."""
        self.parsed = False
        for part in parts:
            if isinstance(part, Tree):
                _STAGES[part.data](self, part)
            elif part.type == "RANGE":
                self.window(part)
        return self.selectors[-1]

    def window(self, token: Token) -> None:
        inside = token[1:-1]
        if VARIABLE.match(inside) and re.fullmatch(r"[a-z]*", VARIABLE.sub("", inside)):
            if not self.dashboard:
                raise error_at(token, f"{inside} is a Grafana variable: a rule knows none")
        else:
            self.ranges.append(checked(token, text.seconds, inside))

    def offset(self, tree: Tree[Token]) -> None:
        token = token_of(tree.children[1])
        checked(token, text.check_duration, str(token))

    def selector(self, tree: Tree[Token]) -> None:
        matchers = tuple(map(self.matcher, subtrees(tree)))
        if all(map(self._matches_empty, matchers)):
            opened, closed = token_of(tree.children[0]), token_of(tree.children[-1])
            message = 'selects every stream: one label must be there, as in {namespace="x"} or {app=~".+"}'
            raise QueryError(message, opened.start_pos, (closed.end_pos or 0) - (opened.start_pos or 0))
        self.selectors.append(matchers)

    def _matches_empty(self, matcher: Matcher) -> bool:
        value = VARIABLE.sub("x", matcher.value) if self.dashboard else matcher.value
        empty = text.matches_empty(value) if "~" in matcher.op else not value
        return empty != matcher.op.startswith("!")

    def matcher(self, tree: Tree[Token]) -> Matcher:
        name, op, literal = map(token_of, tree.children)
        value = self.string(literal)
        if not self.dashboard and (variable := VARIABLE.search(value)):
            raise error_at(literal, f"{variable[0]} is a Grafana variable: a rule knows none")
        if "~" in op:
            checked(literal, text.matches_empty, VARIABLE.sub("x", value) if self.dashboard else value)
        return Matcher(str(name), str(op), value)

    def string(self, literal: Token) -> str:
        return checked(literal, text.unquote, str(literal))

    def line_filter(self, tree: Tree[Token]) -> None:
        op = token_of(tree.children[0])
        for child in tree.children[1:]:
            if isinstance(child, Tree):
                self.ip(child, op, ("|=", "!="))
            elif child.type == "STRING":
                value = self.string(child)
                self.line_filters.append((str(op), value))
                if check := _LINE_CHECKS.get(str(op)):
                    checked(child, check, VARIABLE.sub("x", value) if self.dashboard else value)

    def ip(self, tree: Tree[Token], op: Token, allowed: tuple[str, str]) -> None:
        if op not in allowed:
            raise error_at(op, f"ip() goes with {allowed[0]} and {allowed[1]} only")
        literal = token_of(tree.children[1])
        value = self.string(literal)
        if not (self.dashboard and VARIABLE.search(value)):
            checked(literal, text.check_address, value)

    def json(self, tree: Tree[Token]) -> None:
        self.parsed = self.parsers = True
        for extraction in subtrees(tree):
            name, path = token_of(extraction.children[0]), token_of(extraction.children[-1])
            value = self.string(path) if path.type == "STRING" else str(path)
            checked(path, text.check_json_path, value)
            self.expressions[str(name)] = value

    def logfmt(self, tree: Tree[Token]) -> None:
        self.parsed = self.parsers = True
        self.strings(tree)

    def parser(self, tree: Tree[Token]) -> None:
        self.parsed = self.parsers = True
        if len(tree.children) == 2:
            kind, literal = map(token_of, tree.children)
            check = text.check_regexp if kind.type == "REGEXP" else text.check_pattern
            checked(literal, check, self.string(literal))

    def strings(self, tree: Tree[Token]) -> None:
        """Stages of which only the escapes of their strings are checked."""
        for token in tree.scan_values(lambda value: token_type(value) == "STRING"):
            self.string(token)

    def label_format(self, tree: Tree[Token]) -> None:
        self.strings(tree)
        seen: set[str] = set()
        for template in subtrees(tree):
            name = token_of(template.children[0])
            if name in seen or name == "__error__":
                raise error_at(name, f"label_format can't set {name}" + (" twice" if name in seen else ""))
            seen.add(str(name))

    def drop(self, tree: Tree[Token]) -> None:
        for matcher in subtrees(tree):
            self.matcher(matcher)

    def label_filter(self, tree: Tree[Token]) -> None:
        for condition in subtrees(tree):
            name = str(condition.children[0])
            (self.parsed_filters if self.parsed else self.filters)[name] = None
            if condition.data == "matcher":
                self.matcher(condition)
            else:
                self.comparison(condition)

    def comparison(self, tree: Tree[Token]) -> None:
        name, op, operand = token_of(tree.children[0]), token_of(tree.children[1]), tree.children[2]
        if isinstance(operand, Tree) and operand.data == "label_ip":
            self.ip(operand, op, ("=", "!="))
            return
        self.numeric_filters[str(name)] = None
        if token_type(operand) == "DURATION":
            checked(token_of(operand), text.check_duration, str(operand))

    def unwrap(self, tree: Tree[Token]) -> None:
        self.unwraps.append(next(str(child) for child in tree.children if token_type(child) == "IDENTIFIER"))
        for condition in subtrees(tree):
            self.label_filter(condition)


_STAGES: Mapping[str, Callable[[Reading, Tree[Token]], None]] = {
    "selector": Reading.selector,
    "line_filter": Reading.line_filter,
    "json": Reading.json,
    "logfmt": Reading.logfmt,
    "parser": Reading.parser,
    "format": Reading.strings,
    "label_format": Reading.label_format,
    "label_filter": Reading.label_filter,
    "drop": Reading.drop,
    "unwrap": Reading.unwrap,
    "offset": Reading.offset,
}
_LINE_CHECKS: Mapping[str, Callable[[str], object]] = {
    "|~": text.matches_empty,
    "!~": text.matches_empty,
    "|>": text.check_line_pattern,
    "!>": text.check_line_pattern,
}


def checked(token: Token, read: Callable[[str], T], value: str) -> T:
    """Read the value; an error gets the token's place."""
    try:
        return read(value)
    except QueryError as error:
        raise error_at(token, error.message) from None


def error_at(token: Token, message: str) -> QueryError:
    return QueryError(message, token.start_pos, len(token))


def subtrees(tree: Tree[Token]) -> Iterator[Tree[Token]]:
    return (child for child in tree.children if isinstance(child, Tree))


def part_of(tree: Tree[Token], name: str) -> Tree[Token] | None:
    return next((child for child in subtrees(tree) if child.data == name), None)


def subtree_of(child: Tree[Token] | Token) -> Tree[Token]:
    assert isinstance(child, Tree)
    return child


def token_of(child: Tree[Token] | Token) -> Token:
    assert isinstance(child, Token)
    return child


def token_type(child: Tree[Token] | Token) -> str:
    return "" if isinstance(child, Tree) else str(child.type)
