"""Where in an expression PromQL's parser stumbled: its errors (promql-parser 0.12) name tokens, never positions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise

import promql_parser as promql

from .query import QueryError

Tokens = list[re.Match[str]]
Finder = Callable[[str, Tokens, re.Match[str]], Iterator[tuple[int, int]]]

SYNTAX = "invalid promql query"
_TOKEN = re.compile(
    r"""(?P<blank>\s+|\#[^\n]*) | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' | `[^`]*`"""
    r"""| \[[^\]]*\]? | \{(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`|[^"'`}])*\}?"""
    r"""| [\w:]+(?:\.\d+)? | [=!<>]=|=~|!~ | .""",
    re.VERBOSE | re.DOTALL,
)
_CLOSERS = {"(": ")", ")": "("}
# What may follow a readable beginning; one of them must turn it into something that is more than a syntax error.
_ENDINGS = (
    "",
    "x",
    "(x)",
    "(a)(x)",
    "(a)x",
    "a)(x)",
    "a)x",
    ")(x)",
    ")x",
    "a)",
    "1",
    "1,x",
    "5m",
    "(1)x",
    "1)x",
    "()",
    ")",
)


def place(expr: str, message: str) -> QueryError:
    """The parser's complaint in plain words, with the place of the token that it is about."""
    if message == SYNTAX:
        return _syntax(expr)
    where = next(_search(expr, message), None)
    return QueryError(_plain(message), *(where or (None, 0)))


def _plain(message: str) -> str:
    if message.startswith("no expression"):
        return "the expression is empty"
    if message.startswith("illegal regex for "):
        return f"{message.removeprefix('illegal regex for ')!r} is not a regular expression that Prometheus reads (RE2)"
    if match := re.match(r"expected type matrix in call to function '(\w+)'", message):
        return f"{match[1]}() reads a range, as in {match[1]}(metric[5m])"
    return message.replace("BOOL", "bool")


def _tokens(expr: str) -> Tokens:
    return [token for token in _TOKEN.finditer(expr) if token["blank"] is None]


def _syntax(expr: str) -> QueryError:
    """The first token after which nothing could follow: every shorter beginning can still become an expression."""
    for token in _tokens(expr):
        if not _can_continue(expr[: token.end()]):
            return QueryError(f"unexpected {token.group()!r}", token.start(), len(token.group()))
    return QueryError("the expression ends too early", len(expr), 0)


def _can_continue(beginning: str) -> bool:
    closed = ")" * sum({"(": 1, ")": -1}.get(token.group(), 0) for token in _tokens(beginning))
    return any(_reads(f"{beginning} {ending}{_closing(closed, ending)}") for ending in _ENDINGS)


def _closing(closed: str, ending: str) -> str:
    surplus = ending.count(")") - ending.count("(")
    return closed[surplus:] if surplus > 0 else closed


def _reads(expr: str) -> bool:
    try:
        promql.parse(expr)
    except ValueError as error:
        return _grammatical(str(error))
    return True


def _grammatical(message: str) -> bool:
    """Complaints about types and arguments come after the grammar is satisfied."""
    return message != SYNTAX and not re.match(r"un(expected|closed|terminated)|no expression", message)


def _search(expr: str, message: str) -> Iterator[tuple[int, int]]:
    """Candidate places, the likeliest first."""
    tokens = _tokens(expr)
    for pattern, find in _FINDERS:
        if match := re.search(pattern, message, re.DOTALL):
            yield from find(expr, tokens, match)


def _open(text: str) -> bool:
    return not text.endswith({"{": "}", "[": "]"}[text[0]])


def _unclosed_text(expr: str, tokens: Tokens, _: re.Match[str]) -> Iterator[tuple[int, int]]:
    yield from ((token.start(), len(expr) - token.start()) for token in tokens if token.group() in "\"'`")
    yield from ((t.start(), len(expr) - t.start()) for t in tokens if t.group()[0] in "{[" and _open(t.group()))


def _unbalanced(_: str, tokens: Tokens, _match: re.Match[str]) -> Iterator[tuple[int, int]]:
    opened: list[int] = []
    for token in tokens:
        if token.group() == "(":
            opened.append(token.start())
        elif token.group() == ")" and opened:
            opened.pop()
        elif token.group() == ")":
            yield token.start(), 1
    yield from ((start, 1) for start in reversed(opened))


def _within(opener: str) -> Finder:
    """The quoted token inside the braces or brackets that provoke the same message on their own."""

    def find(_: str, tokens: Tokens, match: re.Match[str]) -> Iterator[tuple[int, int]]:
        quoted = re.search(r"'(.+?)'", match.string)
        for token in tokens:
            text = token.group()
            if text[0] == opener and _complaint(text if opener == "{" else f"x{text}") == match.string:
                at = text.find(quoted[1]) if quoted else -1
                yield (token.start() + at, len(quoted[1])) if quoted and at >= 0 else (token.start(), len(text))

    return find


def _calls(expr: str, tokens: Tokens, match: re.Match[str]) -> Iterator[tuple[int, int]]:
    """The calls of this function; first those that provoke the same message when parsed alone."""
    name = match[1]
    calls = [token for token, after in pairwise(tokens) if (token.group(), after.group()) == (name, "(")]
    guilty = [call for call in calls if _complaint(expr[call.start() : _end_of_call(tokens, call)]) == match.string]
    yield from ((call.start(), len(name)) for call in guilty or calls)


def _end_of_call(tokens: Tokens, call: re.Match[str]) -> int:
    depth = 0
    for token in tokens:
        if token.start() > call.start() and token.group() in _CLOSERS:
            depth += 1 if token.group() == "(" else -1
            if depth == 0:
                return token.end()
    return tokens[-1].end()


def _complaint(expr: str) -> str:
    try:
        promql.parse(expr)
    except ValueError as error:
        return str(error)
    return ""


def _text(expr: str, _: Tokens, match: re.Match[str]) -> Iterator[tuple[int, int]]:
    """The string literal that holds this value, as written or with its escapes."""
    for literal in re.finditer(r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`[^`]*`", expr):
        inside = literal.group()[1:-1]
        if match[1] in (inside, inside.replace("\\\\", "\\")):
            yield literal.start(), len(literal.group())


def _last(_: str, tokens: Tokens, match: re.Match[str]) -> Iterator[tuple[int, int]]:
    name = match[1] or "bool"
    yield from ((token.start(), len(name)) for token in reversed(tokens) if token.group() == name)


_FINDERS: tuple[tuple[str, Finder], ...] = (
    ("parenthesis", _unbalanced),
    ("unterminated", _unclosed_text),
    ("inside braces|label matching|non-empty matcher", _within("{")),
    ("inside brackets|duration", _within("[")),
    (r"(?:function(?: with name)?|in call to(?: function)?) '(\w+)'", _calls),
    (r"illegal regex for (.*)", _text),
    (r"(?:^unexpected character: |operator |label )'(.+?)'|^bool modifier", _last),
)
