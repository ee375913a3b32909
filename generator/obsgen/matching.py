"""Which receivers an alert reaches, by the rules of Alertmanager's route tree."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .logql_text import unquote
from .query import QueryError

_INHERITED = ("receiver", "group_by", "group_wait", "group_interval", "repeat_interval")


def receivers(route: Mapping[str, Any], labels: Mapping[str, str]) -> list[str]:
    """Names of the receivers, in the tree's order. ValueError for a matcher that can't be read."""
    return [one["receiver"] for one in reached(route, labels)]


def reached(route: Mapping[str, Any], labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """The routes that take an alert, in the tree's order, each with what it inherits. ValueError for a matcher that can't be read.

    As Alertmanager 0.34 does (dispatch/route.go): the first child that matches takes the alert, unless it says `continue`;
    where no child matches, the route itself does. A label that is missing equals the empty string.
    """
    return _reached(route, labels, {"receiver": ""})


def _reached(route: Mapping[str, Any], labels: Mapping[str, str], above: Mapping[str, Any]) -> list[dict[str, Any]]:
    own = {**above, **{key: route[key] for key in _INHERITED if route.get(key)}}
    found: list[dict[str, Any]] = []
    for child in route.get("routes") or ():
        if _takes(child, labels):
            found += _reached(child, labels, own)
            if not child.get("continue"):
                break
    return found or [own]


def tree(route: Mapping[str, Any], above: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
    """Every route of a tree, from the root down in its order, each with what it inherits."""
    own = {**(above or {"receiver": ""}), **{key: route[key] for key in _INHERITED if route.get(key)}}
    yield own
    for child in route.get("routes") or ():
        yield from tree(child, own)


def unreachable(route: Mapping[str, Any], taken: Sequence[Matcher] = ()) -> Iterator[tuple[str, str]]:
    """(receiver, why) of each route that no alert can reach: one before takes all of its alerts, or those above take none of them.

    `taken` are the conditions of the routes above. ValueError for a matcher that can't be read.
    """
    before: list[tuple[str, list[Matcher]]] = []
    for child in route.get("routes") or ():
        own = _conditions(child)
        name = str(child.get("receiver", "its route"))
        against = next((one for one in taken for other in own if _exclude(one, other)), None)
        earlier = next((who for who, theirs in before if all(_implied(one, [*taken, *own]) for one in theirs)), None)
        if against:
            yield name, f"the route above takes only {against}"
        elif earlier is not None:
            yield name, f"the route to {earlier} stands before and takes all of its alerts"
        yield from unreachable(child, [*taken, *own])
        if not child.get("continue"):
            before.append((name, own))


def _implied(condition: Matcher, others: Iterable[Matcher]) -> bool:
    """Is it true wherever the others are, as far as equal conditions and equal values tell?"""
    return any(
        condition == other
        or (other.operator == "=" and other.name == condition.name and condition.holds({other.name: other.value}))
        for other in others
    )


def _exclude(one: Matcher, other: Matcher) -> bool:
    """Can two conditions on one label never be true together? Asked only where one of them names the value."""
    if one.name != other.name:
        return False
    if one.operator == "=":
        return not other.holds({one.name: one.value})
    return other.operator == "=" and not one.holds({other.name: other.value})


def _takes(route: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    return all(matcher.holds(labels) for matcher in _conditions(route))


def _conditions(route: Mapping[str, Any]) -> list[Matcher]:
    """`match` and `match_re` are deprecated; 0.34 still reads them."""
    old = [Matcher(name, "=", str(value)) for name, value in (route.get("match") or {}).items()]
    old += [Matcher(name, "=~", str(value)) for name, value in (route.get("match_re") or {}).items()]
    new = [matcher for line in route.get("matchers") or () for matcher in parse(line)]
    return [*old, *new]


class Matcher(NamedTuple):
    """One condition on a label; `operator` is `=`, `!=`, `=~` or `!~`."""

    name: str
    operator: str
    value: str

    def __str__(self) -> str:
        return f'{self.name}{self.operator}"{self.value}"'

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Is it true of these labels? Regular expressions match the whole value. ValueError for one that can't be read."""
        actual = labels.get(self.name, "")
        equal = bool(_pattern(self.value).fullmatch(actual)) if "~" in self.operator else actual == self.value
        return equal != self.operator.startswith("!")


def matches(line: str, labels: Mapping[str, str]) -> bool:
    """Do all matchers of a line (`a="b"`, `{a="b", c=~"d"}`) hold? ValueError for a line that Alertmanager can't read."""
    return all(matcher.holds(labels) for matcher in parse(line))


@functools.lru_cache(maxsize=4096)
def parse(line: str) -> tuple[Matcher, ...]:
    """The matchers of a line as 0.34 reads it: the classic parser where it can, else the one that knows quoted names."""
    for parser in (_classic, _modern):
        try:
            found = tuple(parser(line))
        except ValueError:
            continue
        for matcher in found:
            if "~" in matcher.operator:
                _pattern(matcher.value)
        return found
    raise ValueError(f"not a matcher: {line}")


@functools.lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    """RE2's classes are ASCII; what only RE2 reads can't be judged here."""
    if re.search(r"\[\[:|\(\?U", text):
        raise ValueError(f"not a regular expression that can be read here: {text}")
    try:
        return re.compile(text, re.ASCII)
    except re.error as error:
        raise ValueError(f"not a regular expression: {text}: {error}") from None


_CLASSIC = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|=|!=|!~)\s*(.*?)\s*", re.DOTALL)


def _classic(line: str) -> Iterator[Matcher]:
    """pkg/labels/parse.go: braces optional, commas outside quotes separate, a stray backslash stands for itself."""
    for token in _split(line.removeprefix("{").removesuffix("}")):
        found = _CLASSIC.fullmatch(token)
        if not found:
            raise ValueError(token)
        yield Matcher(found[1], found[2], _classic_value(found[3]))


def _split(text: str) -> list[str]:
    tokens, token, quoted, escaped = [], "", False, False
    for character in text:
        if character == "," and not quoted:
            tokens.append(token)
            token = ""
            continue
        if character == '"':
            quoted, escaped = quoted == escaped, False
        else:
            escaped = character == "\\" and not escaped
        token += character
    return [*tokens, token.strip()] if token.strip() else tokens


_UNQUOTED = r'(?:[^\\"]|\\(?!\Z).|\\\Z)*'


def _classic_value(raw: str) -> str:
    quoted = raw.startswith('"')
    body = raw[1:-1] if quoted else raw
    closed = len(raw) > 1 and raw.endswith('"') if quoted else True
    if not closed or not re.fullmatch(_UNQUOTED, body, re.DOTALL) or (quoted and _ends_escaping(body)):
        raise ValueError(raw)
    return re.sub(r'\\([n"\\])', lambda escape: "\n" if escape[1] == "n" else escape[1], body)


def _ends_escaping(body: str) -> bool:
    """An odd number of backslashes before the closing quote escapes it."""
    return (len(body) - len(body.rstrip("\\"))) % 2 == 1


_WORD = r'"(?:\\.|[^"\\])*"|[^\s{}!=~,\\"\'`]+'
_MODERN = re.compile(rf"\s*({_WORD})\s*(=~|!=|!~|=)\s*({_WORD})\s*(?:,|\Z)", re.DOTALL)


def _modern(line: str) -> Iterator[Matcher]:
    """matcher/parse: any label name in quotes, Go's escapes in both."""
    text = line.strip()
    if text.startswith("{") != text.endswith("}"):
        raise ValueError(line)
    text = text[1:-1].strip() if text.startswith("{") else text
    at = 0
    while at < len(text):
        found = _MODERN.match(text, at)
        if not found:
            raise ValueError(line)
        yield Matcher(_word(found[1]), found[2], _word(found[3]))
        at = found.end()


def _word(text: str) -> str:
    try:
        return unquote(text) if text.startswith('"') else text
    except QueryError as error:
        raise ValueError(error.message) from None
