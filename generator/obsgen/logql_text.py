"""The small languages inside LogQL: strings, durations, regular expressions, patterns, JSON paths, addresses.

Each function takes the text and raises QueryError without a place; the caller knows which token it came from.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Callable

import promql_parser as promql

from .query import QueryError

_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\\"])|([0-7]{3})|x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|(.))", re.DOTALL
)
_CONTROL = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"'}
_ORDERED = re.compile(r"(?:\d+y)?(?:\d+w)?(?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?(?:\d+ms)?")
_PART = re.compile(r"(\d+)(ms|[ywdhms])")
_SECONDS = {"y": 31_536_000.0, "w": 604_800.0, "d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_GO_DURATION = re.compile(r"-?(?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h))+")
_QUOTED = re.compile(r"\\Q(.*?)(?:\\E|$)", re.DOTALL)
_GROUP = re.compile(r"(?<!\\)\(\?P?<([A-Za-z_]\w*)>")
_CAPTURE = re.compile(r"<([A-Za-z_][A-Za-z0-9_]*)>")
_STEP = r"""\[\s*(?:"[^"\]]*"|\d+)\s*\]"""
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_PATH = re.compile(rf"\s*(?:{_NAME}|{_STEP})(?:\s*(?:\.\s*{_NAME}|{_STEP}))*\s*")


def unquote(text: str) -> str:
    """The value of a string literal; backticks keep everything as written, double quotes read Go's escapes."""
    return text[1:-1] if text[0] == "`" else _ESCAPE.sub(_unescape, text[1:-1])


def _unescape(match: re.Match[str]) -> str:
    control, octal, *hexadecimal, unknown = match.groups()
    if unknown:
        raise QueryError(
            f"\\{unknown} is no escape in double quotes: write \\\\{unknown}, or put the string in backticks"
        )
    if control:
        return _CONTROL[control]
    code = int(octal, 8) if octal else int(next(filter(None, hexadecimal)), 16)
    if code > 0x10FFFF:
        raise QueryError(f"{match[0]} is no character")
    return chr(code)


def seconds(text: str) -> float:
    """A range such as `5m` or `1h30m`, in seconds: Prometheus' notation, largest unit first, no blanks."""
    if not text or not (_ORDERED.fullmatch(text) or text == "0"):
        raise QueryError(f"{text!r} is not a duration such as 5m or 1h30m")
    total = sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    if total == 0:
        raise QueryError("a range of zero length holds no log lines")
    return total


def check_duration(text: str) -> None:
    """A duration in a label filter or an offset: Prometheus' notation or Go's (`1.5h`)."""
    if not (_ORDERED.fullmatch(text) or _GO_DURATION.fullmatch(text)):
        raise QueryError(f"{text!r} is not a duration such as 5m or 1h30m")


@functools.lru_cache(maxsize=1 << 12)
def matches_empty(pattern: str) -> bool:
    """Does this regular expression match the empty string? QueryError for one that RE2 doesn't read.

    Asked of the PromQL parser, whose expressions are RE2's but for `\\Q…\\E`; Python's `re` knows another language.
    """
    literal = _QUOTED.sub(lambda match: re.escape(match[1]), pattern)
    escaped = literal.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    try:
        promql.parse(f'{{a=~"{escaped}"}}')
    except ValueError as error:
        if "non-empty matcher" in str(error):
            return True
        raise QueryError(f"{pattern!r} is not a regular expression that Loki reads (RE2)") from None
    return False


def check_regexp(pattern: str) -> None:
    """`| regexp`: needs a named group, else there is nothing to extract."""
    matches_empty(pattern)
    if not _GROUP.search(pattern):
        raise QueryError(f"{pattern!r} has no named group, (?P<name>…), so it extracts nothing")


def check_pattern(pattern: str) -> None:
    """`| pattern`: at least one named capture, none twice, never two side by side."""
    _check_neighbours(pattern)
    names = [name for name in _CAPTURE.findall(pattern) if name != "_"]
    if not names:
        raise QueryError(f"{pattern!r} has no capture, <name>, so it extracts nothing")
    for name in names:
        if names.count(name) > 1:
            raise QueryError(f"{pattern!r} captures <{name}> twice")


def check_line_pattern(pattern: str) -> None:
    """`|>` and `!>`: only the nameless capture `<_>`."""
    _check_neighbours(pattern)
    for name in _CAPTURE.findall(pattern):
        if name != "_":
            raise QueryError(f"a line filter captures nothing: write <_> instead of <{name}>")


def _check_neighbours(pattern: str) -> None:
    if side_by_side := re.search(rf"(?:{_CAPTURE.pattern}){{2}}", pattern):
        raise QueryError(f"{side_by_side[0]!r}: something must stand between two captures")


def check_json_path(path: str) -> None:
    """`a.b[0]["c d"]`, the paths of `| json x="…"`."""
    if not _PATH.fullmatch(path):
        raise QueryError(f'{path!r} is not a JSON path such as a.b[0]["c d"]')


def check_address(text: str) -> None:
    """What `ip("…")` reads: an address, a network or a range of addresses."""
    readings: tuple[Callable[[str], object], ...] = (ipaddress.ip_address, _network, _address_range)
    if not any(_succeeds(reading, text) for reading in readings):
        raise QueryError(f"{text!r} is not an address, a network or a range of addresses")


def _network(text: str) -> object:
    if "/" not in text:
        raise ValueError(text)
    return ipaddress.ip_network(text, strict=False)


def _address_range(text: str) -> object:
    first, last = (ipaddress.ip_address(end.strip()) for end in text.split("-"))
    if first.version != last.version or int(first) > int(last):
        raise ValueError(text)
    return first, last


def _succeeds(reading: Callable[[str], object], text: str) -> bool:
    try:
        reading(text)
    except ValueError:
        return False
    return True
