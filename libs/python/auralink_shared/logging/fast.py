"""The fast way through orjson (the extra `fast`): encode first, then look at what came out.

orjson raises for every type whose form is not ours, dates and subclasses too; a few checks of the text find all else: they may be wrong
about a text that is harmless, which then takes the quick way, never about one that is not. Nothing but what was looked at is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .quick import SMALL, Quick
from .redaction import UNNEEDED_JSON, Redaction

try:
    from orjson import OPT_PASSTHROUGH_DATACLASS, OPT_PASSTHROUGH_DATETIME, OPT_PASSTHROUGH_SUBCLASS, loads
    from orjson import dumps as dumps
except ImportError:  # the extra is not installed
    dumps = None  # type: ignore[assignment]
else:
    _OPTIONS = OPT_PASSTHROUGH_SUBCLASS | OPT_PASSTHROUGH_DATETIME | OPT_PASSTHROUGH_DATACLASS

_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_CARD = "0" * 13  # the shortest; a number beyond 64 bits is longer
_LOWER = bytes(range(256)).lower()
_NO_WORD = bytes(set(range(128)) - set(b'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"'))
_SPAN = 128  # half of the longest key


class Fast(Quick):
    """As `Quick`."""

    def __init__(self, types: Mapping[str, Any], redaction: Redaction) -> None:
        super().__init__(types, redaction)
        self._slow, self._encode = super().context, dumps
        plain = redaction.plain
        # A secret key ends in one of these, once all but letters and digits is taken out; "token" finds "accesstoken" too.
        self._ends = tuple(f'{one}"' for one in plain if not any(one != end and one.endswith(end) for end in plain))

    def context(self, value: dict[Any, Any], depth: int) -> bytes | None:
        """As `Quick.context`."""
        try:
            copy = value.copy()
            if (plan := self._top.get(tuple(copy))) is None:
                plan = self._plan(copy, self._top)
            for key, kinds in plan:
                if kinds is None or type(copy[key]) not in kinds:
                    return self._slow(copy, depth)
            for item in copy.values():
                kind = type(item)
                if kind is str or kind is int or kind is bool or item is None:
                    continue
                if kind is not float:
                    return self._nested(copy, depth)
                if not (1e-4 <= item < 1e16 or -1e16 < item <= -1e-4 or item == 0.0):
                    return None
            encoded = dumps(copy)
            marks = encoded.translate(None, UNNEEDED_JSON)
            if len(encoded) <= SMALL and ((len(marks) < 13 and marks.isdigit()) or self._quiet(encoded)):
                return encoded
        except Exception:  # what is raised by `_plan`, or by orjson; a key that can't be hashed
            return None
        return self._slow(copy, depth)

    def _nested(self, copy: dict[Any, Any], depth: int) -> bytes | None:
        encoded = dumps(copy, None, _OPTIONS)
        text = encoded.decode()
        if (
            text.isascii()
            and "\n" not in text  # an orjson.Fragment, which is written as it is: on one line, and it reads back
            and "\\" not in text  # from here on a quote is where a text begins or ends
            and "@" not in text
            and "=" not in text
            and "'" not in text
            and len(text) <= SMALL
            and not ("J" in text and "eyJ" in text)
            and "null" not in text  # NaN, perhaps
            and ".0000" not in text  # less than 0.0001, perhaps
            and _CARD not in (digits := encoded.translate(_ZEROS, b" -").decode())
            and "0e" not in digits  # an exponent, perhaps
            and not (" " in text and ("earer" in text or "asic" in text or "EARER" in text or "ASIC" in text))
            and self._plain_below(encoded, text, depth)
        ):
            loads(encoded)
            return encoded
        return self._slow(copy, depth)

    def _plain_below(self, encoded: bytes, text: str, depth: int) -> bool:
        """Whether surely no container is too deep, no key of one too long or secret."""
        if text.count("{") + text.count("[") > depth:
            return False
        words = encoded.translate(_LOWER, _NO_WORD).decode()
        for end in self._ends:
            if end in words:
                return False
        # No span between quotes is as long as a key that values.py would cut.
        return len(text) < 2 * _SPAN or all('"' in text[at : at + _SPAN] for at in range(0, len(text) - _SPAN, _SPAN))
