"""The quick way: what `values` gives for a context in which all is well known and nothing is left out, else nothing.

Most contexts are such: text, numbers, booleans and None, under keys that were there before, in dicts, lists and tuples. Their JSON text
is put together in one loop, and all their text is looked at for credentials at once. Whatever is in doubt takes the thorough way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from json.encoder import encode_basestring  # the C function, where there is one
from typing import Any

from .redaction import MARK, Redaction

KEYS = 4096  # that are remembered
FEW = 64  # members of one container
SMALL = 4096  # bytes: no value is larger, so that no limit of values.py is reached
EXACT: Mapping[str, tuple[type, ...]] = {"number": (int, float), "string": (str,), "boolean": (bool,), "object": ()}
Encode = Callable[[str], str]
_NAMES = {True: "true", False: "false", None: "null"}


class Quick:
    """Contexts under the keys that `learn` was told. `types` are the declared ones."""

    def __init__(self, types: Mapping[str, Any], redaction: Redaction) -> None:
        self._types, self._redaction = types, redaction
        self._top: dict[str, str] = {}  # the key as JSON text, for those without a declared type
        self._below: dict[str, str] = {}
        self._secret: dict[str, str] = {}

    def learn(self, key: str, name: str, secret: bool) -> None:
        """A key, and its JSON text with the colon."""
        if len(self._below) + len(self._secret) >= KEYS:  # keys that are ids: begin anew
            for known in (self._top, self._below, self._secret):
                known.clear()
        if secret:
            self._secret[key] = f'{name}"{MARK}"'
            return
        self._below[key] = name
        if key not in self._types:
            self._top[key] = name

    def context(self, value: dict[Any, Any], depth: int) -> str | None:
        """The JSON text of at most `SMALL` bytes, or None: not the quick way."""
        parts: list[str] = []
        texts: list[str] = []
        try:
            self._dict(value, self._top, depth, parts, texts, encode_basestring)
            if texts and not self._redaction.quiet("\0".join(texts)):
                parts = []
                self._dict(value, self._top, depth, parts, [], self._redacted)
            text = "".join(parts)
            if len(text) > SMALL or not (text.isascii() or len(text.encode()) <= SMALL):  # half a surrogate pair raises
                return None
            return text
        except Exception:  # what is raised below; another thread that writes to it; a key that can't be hashed
            return None

    def _redacted(self, text: str) -> str:
        if len(text) > SMALL:
            raise LookupError
        return str(encode_basestring(self._redaction.text(text)))

    def _dict(
        self,
        value: dict[Any, Any],
        names: dict[str, str],
        depth: int,
        parts: list[str],
        texts: list[str],
        encode: Encode,
    ) -> None:
        if len(value) > FEW:
            raise LookupError
        before = "{"
        for key, item in value.items():
            kind = type(item)
            name = names.get(key)
            if name is None:
                if key in self._secret:
                    parts.append(before + self._secret[key])
                    before = ","
                    continue
                name = self._declared(key, kind)
            name = before + name
            before = ","
            if kind is str:
                texts.append(item)
                parts.append(name + encode(item))
            elif kind is int and -9223372036854775808 <= item <= 9223372036854775807:
                parts.append(name + int.__repr__(item))
            elif kind is float and item - item == 0.0:  # neither NaN nor infinite
                parts.append(name + float.__repr__(item))
            elif kind is bool or item is None:
                parts.append(name + _NAMES[item])
            else:
                parts.append(name)
                self._container(item, kind, depth - 1, parts, texts, encode)
        parts.append("}" if before == "," else "{}")

    def _list(self, value: Any, depth: int, parts: list[str], texts: list[str], encode: Encode) -> None:
        items = value[: FEW + 1]  # a copy: a list may grow while it is looked at
        if len(items) > FEW:
            raise LookupError
        before = "["
        for item in items:
            kind = type(item)
            if kind is str:
                texts.append(item)
                parts.append(before + encode(item))
            elif kind is int and -9223372036854775808 <= item <= 9223372036854775807:
                parts.append(before + int.__repr__(item))
            elif kind is float and item - item == 0.0:
                parts.append(before + float.__repr__(item))
            elif kind is bool or item is None:
                parts.append(before + _NAMES[item])
            else:
                parts.append(before)
                self._container(item, kind, depth - 1, parts, texts, encode)
            before = ","
        parts.append("]" if before == "," else "[]")

    def _container(
        self, value: Any, kind: type, depth: int, parts: list[str], texts: list[str], encode: Encode
    ) -> None:
        if depth < 1:
            raise LookupError
        if kind is dict:
            self._dict(value, self._below, depth, parts, texts, encode)
        elif kind is list or kind is tuple:
            self._list(value, depth, parts, texts, encode)
        else:
            raise TypeError

    def _declared(self, key: Any, kind: type) -> str:
        """The name of a key whose declared type the value has. Raises LookupError where it is another, or the key unknown."""
        declared = self._types[key] if type(key) is str else ""
        if type(declared) is not str or kind not in EXACT[declared]:
            raise LookupError
        return self._below[key]
