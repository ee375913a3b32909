"""Unquoted words that YAML reads as something other than text, or other than their writer meant.

The rule behind the table of words: text is taken unquoted only where YAML 1.1 (PyYAML, Ruby, older Go) and YAML 1.2
(editors, newer Go) read the same value. Everything else has to say what it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import date
from typing import Any, NamedTuple


class Surprise(NamedTuple):
    """An unquoted word that is not read as it looks. `reading` completes "this is read as …"."""

    rule: str
    reading: str
    remedy: str


EMPTY = Surprise("yaml/empty-value", "nothing", "write a value; a profile deletes with a literal null")

_QUOTE = "put it in quotes"
_NOT_JSON = "write a finite number, or put it in quotes"


def _boolean(text: str) -> Surprise:
    value = "true" if text.lower() in ("yes", "on") else "false"
    return Surprise("yaml/read-as-boolean", f"{value}, not as text", f"write {value}, or {_QUOTE}")


def _finite(text: str) -> int | float | Surprise:
    value = float(text)
    if math.isinf(value):
        return Surprise("yaml/not-a-number", "infinity", _NOT_JSON)
    return value


def _whole(text: str) -> int | Surprise:
    # 20 digits bound int() before it meets Python's own limit of 4300; 64 bits are what the Go servers read
    if len(text) <= 20 and -(2**63) <= int(text) < 2**63:
        return int(text)
    return Surprise("yaml/number-too-large", "a number that does not fit into 64 bits", _QUOTE)


def _number(value: float | None, remedy: str = "") -> Surprise:
    if value is None:
        return Surprise("yaml/read-as-number", "a number, not as text", _QUOTE)
    shown = f"{value:.15g}"
    return Surprise("yaml/read-as-number", f"the number {shown}, not as text", remedy or f"write {shown}, or {_QUOTE}")


def _based(text: str) -> Surprise:
    try:
        return _number(int(text.replace("_", ""), 0))
    except ValueError:
        return _number(None)


def _octal(text: str) -> Surprise:
    return _number(int(text.replace("_", ""), 8), f"leave out the leading zero, or {_QUOTE}")


def _sixties(text: str) -> Surprise:
    total = 0.0
    for part in text.lstrip("+-").replace("_", "").split(":"):
        total = total * 60 + float(part or 0)
    return _number(-total if text[0] == "-" else total, _QUOTE)


def _underscored(text: str) -> Surprise:
    return _number(float(text.replace("_", "")))


def _date(text: str) -> Surprise:
    try:
        date.fromisoformat(text[:10])
    except ValueError:
        return Surprise("yaml/read-as-date", "a broken date, not as text", _QUOTE)
    return Surprise("yaml/read-as-date", "a date, not as text", _QUOTE)


def _disputed(text: str) -> Surprise:
    value = float(int(text[2:], 8) if text[:2] == "0o" else text)
    remedy = f"write {value:.15g}, or {_QUOTE}" if "e" not in f"{value:.15g}" and math.isfinite(value) else _QUOTE
    return Surprise("yaml/read-as-number", "text by YAML 1.1, as a number by 1.2", remedy)


_WORDS: dict[str, Any] = {
    "": EMPTY,
    **dict.fromkeys(("~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **{
        spelled: _boolean(word) for word in ("yes", "no", "on", "off") for spelled in (word, word.title(), word.upper())
    },
    "<<": Surprise("yaml/merge-key", "a merge key", "write the keys out; profiles are what merges here"),
    "=": Surprise("yaml/read-as-default", "the default value of a map by YAML 1.1", _QUOTE),
}

_Reader = Callable[[str], Any]
# The 1.1 rows are PyYAML's own resolver (yaml/resolver.py), narrowed; the last row is YAML 1.2's core schema, 10.3.2.
_TABLE: tuple[tuple[re.Pattern[str], _Reader], ...] = tuple(
    (re.compile(pattern), read)
    for pattern, read in (
        (r"[-+]?(0|[1-9][0-9]*)", _whole),
        (r"[-+]?[0-9]+\.[0-9]*([eE][-+][0-9]+)?|\.[0-9]+([eE][-+][0-9]+)?", _finite),
        (r"[-+]?\.(inf|Inf|INF)", lambda _: Surprise("yaml/not-a-number", "infinity", _NOT_JSON)),
        (r"\.(nan|NaN|NAN)", lambda _: Surprise("yaml/not-a-number", "not-a-number", _NOT_JSON)),
        (r"[0-9]{4}-[0-9]{2}-[0-9]{2}", _date),
        (
            r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(\.[0-9]*)?"
            r"([ \t]*(Z|[-+][0-9]{1,2}(:[0-9]{2})?))?",
            lambda _: Surprise("yaml/read-as-date", "a date, not as text", _QUOTE),
        ),
        (r"[-+]?0b[01_]+|[-+]?0x[0-9a-fA-F_]+", _based),
        (r"[-+]?0[0-7_]+", _octal),
        (r"[-+]?[1-9][0-9_]*(:[0-5]?[0-9])+|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]*", _sixties),
        (
            r"[-+]?[1-9][0-9_]*|[-+]?[0-9][0-9_]*\.[0-9_]*([eE][-+][0-9]+)?|\.[0-9][0-9_]*([eE][-+][0-9]+)?",
            _underscored,
        ),
        (r"[-+]?[0-9]+|0o[0-7]+|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", _disputed),
    )
)
_SUSPECT = frozenset("-+.0123456789")


def plain(text: str) -> Any:
    """What an unquoted word is: text, int, float, bool or None, or a `Surprise` where YAML versions disagree."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in _SUSPECT:
        for pattern, read in _TABLE:
            if pattern.fullmatch(text):
                return read(text)
    return text
