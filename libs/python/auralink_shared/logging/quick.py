"""The quick way: what `values` gives for a context in which all is well known and nothing is left out, else nothing.

Most contexts are such: text, numbers, booleans and None, in dicts, lists and tuples. Each container is copied and the copy looked at, so
that no other thread puts anything in afterwards; secret values are replaced in it; then it is encoded in one call, and all its text
looked at for credentials at once. Which keys of a dict are secret or have a declared type depends on nothing but its keys: that is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from json import JSONEncoder, encoder
from typing import Any

from .redaction import MARK, Redaction

FEW = 64  # members of one container, characters of a key
SMALL = 4096  # bytes: no value is larger, so that no limit of values.py is reached
EXACT: Mapping[str, frozenset[type]] = {
    "number": frozenset((int, float)),
    "string": frozenset((str,)),
    "boolean": frozenset((bool,)),
}
KEPT = 2048  # plans
_NONE: frozenset[type] = frozenset()

_OURS = JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":"))
_MAKE = getattr(encoder, "c_make_encoder", None)
# What JSONEncoder makes anew for every value, where it is made in C.
_PARTS = _MAKE and _MAKE(None, _OURS.default, encoder.encode_basestring, None, ":", ",", False, False, True)


def encode(value: Any) -> bytes:
    """The value as JSON."""
    return ("".join(_PARTS(value, 0)) if _PARTS else _OURS.encode(value)).encode()


Plan = tuple[tuple[Any, frozenset[type] | None], ...]
"""Of a dict's keys those that matter: which types the value may have, None for a secret. Of all others it may be anything."""


class Quick:
    """Contexts under one contract. `types` are the declared ones."""

    def __init__(self, types: Mapping[str, Any], redaction: Redaction) -> None:
        self._types, self._redaction = types, redaction
        self._encode: Callable[[Any], bytes] = encode
        self._quiet = redaction.quiet_json
        self._top: dict[tuple[Any, ...], Plan] = {}
        self._below: dict[tuple[Any, ...], Plan] = {}

    def context(self, value: dict[Any, Any], depth: int) -> bytes | None:
        """The JSON of at most `SMALL` bytes, or None: not the quick way."""
        try:
            copy = self._dict(value, self._top, depth)
            encoded = self._encode(copy)
            if len(encoded) > SMALL:
                return None
            if not self._quiet(encoded):
                self._redact(copy)
                encoded = self._encode(copy)
                if len(encoded) > SMALL:
                    return None
            return encoded
        except Exception:  # what is raised below; half a surrogate pair; a key that no encoder knows
            return None

    def _dict(self, value: dict[Any, Any], plans: dict[tuple[Any, ...], Plan], depth: int) -> dict[Any, Any]:
        copy = value.copy()
        plan = plans.get(tuple(copy))
        if plan is None:
            plan = self._plan(copy, plans)
        for key, kinds in plan:
            if kinds is None:
                copy[key] = MARK
            elif type(copy[key]) not in kinds:
                raise LookupError
        for key, item in copy.items():
            kind = type(item)
            if kind is str or kind is int or kind is bool or item is None:
                continue
            if kind is float:
                # Encoders differ in where an exponent begins, and in what NaN is.
                if not (1e-4 <= item < 1e16 or -1e16 < item <= -1e-4 or item == 0.0):
                    raise LookupError
            elif depth < 2:
                raise LookupError
            elif kind is dict:
                copy[key] = self._dict(item, self._below, depth - 1)
            elif kind is list or kind is tuple:
                copy[key] = self._list(item, depth - 1)
            else:
                raise TypeError
        return copy

    def _list(self, value: Any, depth: int) -> list[Any]:
        copy = list(value)
        if len(copy) > FEW:
            raise LookupError
        for place, item in enumerate(copy):
            kind = type(item)
            if kind is str or kind is int or kind is bool or item is None:
                continue
            if kind is float:
                if not (1e-4 <= item < 1e16 or -1e16 < item <= -1e-4 or item == 0.0):
                    raise LookupError
            elif depth < 2:
                raise LookupError
            elif kind is dict:
                copy[place] = self._dict(item, self._below, depth - 1)
            elif kind is list or kind is tuple:
                copy[place] = self._list(item, depth - 1)
            else:
                raise TypeError
        return copy

    def _plan(self, keys: dict[Any, Any], plans: dict[tuple[Any, ...], Plan]) -> Plan:
        if len(keys) > FEW:
            raise LookupError
        if len(plans) >= KEPT:  # keys that are ids: begin anew
            plans.clear()
        types = self._types if plans is self._top else {}
        found: list[tuple[Any, frozenset[type] | None]] = []
        for key in keys:
            if type(key) is not str or not key.isascii() or len(key) > FEW:
                found.append((key, _NONE))
            elif self._redaction.key(key):
                found.append((key, None))
            elif key in types:
                declared = types[key]
                found.append((key, EXACT.get(declared, _NONE) if type(declared) is str else _NONE))
        plans[tuple(keys)] = tuple(found)
        return plans[tuple(keys)]

    def _redact(self, copy: dict[Any, Any] | list[Any]) -> None:
        """In a copy that `_dict` made: the credentials in its texts."""
        for key, item in copy.items() if type(copy) is dict else enumerate(copy):
            kind = type(item)
            if kind is str:
                copy[key] = self._redaction.text(item)
            elif kind is int:
                if not -9223372036854775808 <= item <= 9223372036854775807:
                    raise LookupError
            elif kind is dict or kind is list:
                self._redact(item)
