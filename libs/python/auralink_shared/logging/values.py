"""Any value as JSON text, in one pass: redacted, cut to size, and never an exception.

The form is the same in Go (libs/fixtures/log-lines.json holds both to it): no spaces, keys in the order given, text as
UTF-8 with only `"`, `\\` and control characters escaped, floats in the shortest form that reads back (`1.0`, `1e+16`).
All limits are bytes of the JSON text.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import math
import pathlib
import uuid
from collections.abc import Callable, Iterable, Mapping, Set
from itertools import islice
from json.encoder import encode_basestring  # the C function, where there is one
from typing import Any

from .fast import Fast, dumps
from .quick import SMALL, Quick
from .redaction import MARK, Redaction

DEPTH = 8  # containers within each other, the context itself included
VALUE = 4096  # one value in the context
REPR = 1024  # a value that has no JSON form, as its repr
KEY = 256
KEYS = 4096  # that are remembered
_WORK = 65536  # bytes looked at in one container before the rest is left out
_INT64 = 1 << 63
_TOO_DEEP, _CIRCULAR = '"<too deep>"', '"<circular>"'

# What the contract says of keys: a JSON type, or more keys below.
Types = Mapping[str, Any]


class Cut:
    """Whether anything was left out of the line."""

    __slots__ = ("happened",)

    def __init__(self) -> None:
        self.happened = False


def size(text: str) -> int:
    """Bytes of a text as UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def quoted(text: str, limit: int, cut: Cut, *, tail: bool = False) -> str:
    """A JSON string of at most `limit` bytes between its quotes: the longest beginning that fits, or ending (`tail`).

    Half a surrogate pair, which UTF-8 can't hold, becomes U+FFFD.
    """
    if len(text) > limit:  # a character is a byte or more
        text, cut.happened = text[-limit:] if tail else text[:limit], True
    if not text.isascii():
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    found: str = encode_basestring(text)
    if size(found) - 2 <= limit:
        return found
    cut.happened = True
    room, kept = limit, 0
    for character in reversed(text) if tail else text:
        room -= size(encode_basestring(character)) - 2
        if room < 0:
            break
        kept += 1
    part = text[len(text) - kept :] if tail else text[:kept]
    return str(encode_basestring(part))


class Values:
    """Values as JSON text under one contract. `types` are the declared types of keys in the context."""

    def __init__(self, redaction: Redaction, types: Types) -> None:
        self._redaction, self._types = redaction, types
        self._keys: dict[str, tuple[str, bool]] = {}
        self.quick = Quick(types, redaction) if dumps is None else Fast(types, redaction)

    def context(self, value: Mapping[Any, Any], limit: int, cut: Cut) -> str:
        """A mapping as an object of at most `limit` bytes; members that don't fit are left out, in order."""
        if type(value) is dict and limit >= SMALL:
            encoded = self.quick.context(value, DEPTH)
            if encoded is not None:
                return encoded.decode()
        return self._object(value, limit, cut, DEPTH, set(), self._types)

    def value(self, value: object, limit: int, cut: Cut) -> str:
        """One value as JSON text."""
        return self._any(value, limit, cut, DEPTH, set())

    def text(self, value: object, limit: int, cut: Cut, *, tail: bool = False) -> str:
        """A value as a JSON string: text as it is, redacted; anything else as `str` gives it."""
        if type(value) is str and value.isascii() and len(value) * 6 <= limit:  # no character is more than six
            return str(encode_basestring(self._redaction.text(value)))
        if type(value) is not str:
            value = to_text(value)
        if len(value) > 2 * limit:  # patterns over megabytes would stop the service
            value = value[-2 * limit :] if tail else value[: 2 * limit]
            cut.happened = True
        return quoted(self._redaction.text(value), limit, cut, tail=tail)

    def _any(self, value: object, limit: int, cut: Cut, depth: int, above: set[int]) -> str:
        kind = type(value)
        if kind is str:
            return self.text(value, limit, cut)
        if kind is int:
            return _int(value)  # type: ignore[arg-type]
        if value is None or kind is bool:
            return "null" if value is None else "true" if value else "false"
        if kind is float:
            return _float(value)  # type: ignore[arg-type]
        try:
            return self._other(value, limit, cut, depth, above)
        except Exception:
            return self._repr(value, limit, cut)

    def _other(self, value: Any, limit: int, cut: Cut, depth: int, above: set[int]) -> str:
        plain = _plain(value)
        if plain is not value:
            return self._any(plain, limit, cut, depth, above)
        fields = dataclasses.is_dataclass(value) and not isinstance(value, type)
        if not (fields or isinstance(value, (Mapping, list, tuple, Set))):
            return self._repr(value, limit, cut)
        if id(value) in above:
            return _CIRCULAR
        if depth <= 1:
            cut.happened = True
            return _TOO_DEEP
        above = above | {id(value)}
        if fields:
            value = {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}
        if isinstance(value, Mapping):
            return self._object(value, limit, cut, depth - 1, above, {})
        if isinstance(value, Set):
            texts = sorted(self._any(item, limit, cut, depth - 1, above) for item in islice(iter(value), limit))
            return _array(texts, limit, cut)
        return _array((self._any(item, min(limit, VALUE), cut, depth - 1, above) for item in value), limit, cut)

    def _object(self, value: Mapping[Any, Any], limit: int, cut: Cut, depth: int, above: set[int], types: Types) -> str:
        parts: dict[str, str] = {}  # by key, as written: 1 and "1" are one key, and the first counts
        room, work = limit - 2, _WORK
        within = min(limit, VALUE)
        above = above | {id(value)}
        for key, item in _items(value):
            known = self._keys.get(key) if type(key) is str else None
            name, secret = known or self._key(key, cut)
            declared = types.get(key) if types and type(key) is str else None
            if secret:
                text = f'{name}"{MARK}"'
            elif declared is not None:
                text = self._declared(name, item, within, cut, depth, above, declared)
                if not text:
                    continue
                name = text[: text.index('":') + 2]
            else:
                text = name + self._any(item, within, cut, depth, above)
            cost = size(text) + bool(parts)
            work -= cost
            if cost > room or name in parts:
                cut.happened = True
            else:
                parts[name] = text
                room -= cost
            if work < 0:
                cut.happened = True
                break
        return "{" + ",".join(parts.values()) + "}"

    def _key(self, key: object, cut: Cut) -> tuple[str, bool]:
        text = key if type(key) is str else to_text(key)
        found = quoted(text, KEY, cut) + ":", self._redaction.key(text)
        if type(key) is str and key.isascii() and len(key) <= 64:
            if len(self._keys) >= KEYS:  # keys that are ids: begin anew
                self._keys.clear()
            self._keys[key] = found
        return found

    def _declared(
        self, name: str, value: Any, limit: int, cut: Cut, depth: int, above: set[int], declared: str | Types
    ) -> str:
        """A member whose type the contract names: brought to it, or under `KEY_text` where it can't be; None is absent."""
        if value is None:
            return ""
        if not isinstance(declared, str):
            if isinstance(value, Mapping) and id(value) not in above and depth > 1:
                return name + self._object(value, limit, cut, depth - 1, above, declared)
            declared = "object"
        text = self._any(value, limit, cut, depth, above)
        if _is(text, declared):
            return name + text
        if declared == "string":
            return name + self.text(text, limit, cut)
        if declared == "number" and text[0] == '"':
            try:
                read = _float(float(text[1:-1]))
            except ValueError:
                read = '"'
            if read[0] != '"':
                return name + read
        if text[0] != '"':
            text = self.text(text, limit, cut)
        return name[:-2] + '_text":' + text

    def _repr(self, value: object, limit: int, cut: Cut) -> str:
        try:
            text = repr(value)
        except Exception:
            text = f"<unencodable {type(value).__name__}>"
        return self.text(text, min(limit, REPR), cut)


def _is(text: str, declared: str) -> bool:
    first = text[0]
    if declared == "string":
        return first == '"'
    if declared == "boolean":
        return text in ("true", "false")
    if declared == "object":
        return first == "{"
    return first.isdigit() or first == "-"


def to_text(value: object) -> str:
    """What `str` gives, as exactly a `str`; a value that can't say says so."""
    try:
        return str.__str__(value) if isinstance(value, str) else "".join(str(value))
    except Exception:
        return f"<unprintable {type(value).__name__}>"


def _items(value: Mapping[Any, Any]) -> Iterable[tuple[Any, Any]]:
    """A mapping's members; a dict is copied, since another thread may be writing to it."""
    if isinstance(value, dict):
        for _ in range(3):
            try:
                return list(value.items())
            except RuntimeError:  # changed meanwhile
                continue
    return value.items()


def _array(texts: Iterable[str], limit: int, cut: Cut) -> str:
    parts: list[str] = []
    room = limit - 2
    for text in texts:
        room -= size(text) + bool(parts)
        if room < 0:
            cut.happened = True
            break
        parts.append(text)
    return "[" + ",".join(parts) + "]"


def _int(value: int) -> str:
    """Beyond 64 bits a string: most readers of numbers would round it or refuse the line."""
    if -_INT64 <= value < _INT64:
        return int.__repr__(value)
    return f'"{value:#x}"'


def _float(value: float) -> str:
    if math.isfinite(value):
        return float.__repr__(value)
    return '"NaN"' if math.isnan(value) else '"Infinity"' if value > 0 else '"-Infinity"'


# Values with one obvious JSON form, by type; a subclass takes its base's.
_PLAIN: tuple[tuple[type | tuple[type, ...], Callable[[Any], Any]], ...] = (
    (enum.Enum, lambda value: value.value),
    (str, lambda value: str.__str__(value)),
    (bool, bool),
    (int, lambda value: int.__int__(value)),
    (float, lambda value: float.__float__(value)),
    ((bytes, bytearray, memoryview), lambda value: bytes(value[: 4 * VALUE]).decode("utf-8", "replace")),
    ((datetime.date, datetime.time), lambda value: value.isoformat()),
    (datetime.timedelta, datetime.timedelta.total_seconds),
    ((decimal.Decimal, uuid.UUID, pathlib.PurePath), str),
    (BaseException, lambda value: f"{type(value).__name__}: {to_text(value)}"),
)


def _plain(value: Any) -> Any:
    for kind, convert in _PLAIN:
        if isinstance(value, kind):
            return convert(value)
    return value
