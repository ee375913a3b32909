"""The quick way through msgspec (the extra `fast`), for what that writes as `values` does.

msgspec decides by itself how a date or bytes look, what NaN is, where an exponent begins. So it gets only flat contexts of what has
one form in JSON, of a shape (keys and types, in order) that `Quick` has rendered before; and as a copy, into which no other thread puts
a secret meanwhile. Containers are no faster here, for looking at them takes longer than writing them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .quick import FEW, SMALL, Quick
from .redaction import Redaction

try:
    from msgspec.json import Encoder as Encoder
except ImportError:  # the extra is not installed
    Encoder = None  # type: ignore[assignment,misc]

_LEAVES = frozenset((str, int, bool, type(None), float))
_SHAPES = 2048  # that are remembered


class Fast(Quick):
    """As `Quick`."""

    def __init__(self, types: Mapping[str, Any], redaction: Redaction) -> None:
        super().__init__(types, redaction)
        self._quiet, self._encode = redaction.quiet_json, Encoder().encode
        self._shapes: dict[tuple[Any, ...], tuple[str, ...]] = {}  # → the keys of floats

    def context(self, value: dict[Any, Any], depth: int) -> str | None:
        """As `Quick.context`."""
        if len(value) > FEW:
            return None
        try:
            copy = value.copy()
            shape = (*copy, *map(type, copy.values()))
            floats = self._shapes.get(shape)
            if floats is None:
                text = super().context(copy, depth)
                if text is not None and _LEAVES.issuperset(shape[len(copy) :]) and self._secret.keys().isdisjoint(copy):
                    self._learn(copy, shape)
                return text
            for key in floats:
                number = copy[key]
                if not (1e-4 <= number < 1e16 or -1e16 < number <= -1e-4 or number == 0.0):  # with an exponent, or NaN
                    return super().context(copy, depth)
            encoded = self._encode(copy)
            if len(encoded) <= SMALL and self._quiet(encoded):
                return encoded.decode()
        except Exception:  # half a surrogate pair, a key that can't be hashed
            return None
        return super().context(copy, depth)

    def _learn(self, value: dict[Any, Any], shape: tuple[Any, ...]) -> None:
        if len(self._shapes) >= _SHAPES:  # keys that are ids: begin anew
            self._shapes.clear()
        self._shapes[shape] = tuple(key for key, item in value.items() if type(item) is float)
