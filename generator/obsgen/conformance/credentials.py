"""Secrets in a line, by the loggers' own keys and patterns (`assets.REDACTION`)."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator
from typing import Any

from ..assets import REDACTION


def _loaded() -> Any:
    spec = importlib.util.spec_from_file_location("obsgen.libs.redaction", REDACTION)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_redaction = _loaded()
MARK: str = _redaction.MARK
_REDACTED = f":{MARK}@"
_DIGITS = bytes(0x30 if 0x31 <= byte <= 0x39 else byte for byte in range(256))
_CARD = b"0" * 13  # digits of the shortest card number, once each digit is 0 and blanks and hyphens are gone


class Credentials:
    """Keys and patterns of one contract."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._redaction = _redaction.Redaction(keys)
        self._stems = _stems(self._redaction.words)

    def key(self, key: str) -> bool:
        """Whether what stands under this key is secret."""
        return bool(self._redaction.key(key))

    def text(self, text: str) -> str:
        """The text as a logger would have written it."""
        return str(self._redaction.text(text))

    def open(self, value: object) -> bool:
        """Whether a value under a secret key tells anything: not the mark, a row of asterisks, nothing, or yes and no."""
        if isinstance(value, str):
            return MARK[:-1] not in value and any(map(str.isalnum, value))
        return value is not None and not isinstance(value, bool) and value != {} and value != []

    def possible(self, text: str) -> bool:
        """False only where no pattern can match: a look at the text that costs a tenth of the patterns, and nearly every line passes."""
        if not text.isascii():
            return True
        lowered = text.lower()
        if "eyj" in lowered or "earer" in lowered or "asic" in lowered:
            return True
        if "@" in text and "://" in text and "@" in text.replace(_REDACTED, ""):
            return True
        if "=" in text or '"' in text or "'" in text:
            for stem in self._stems:
                if stem in lowered:
                    return True
        return _CARD in text.encode().translate(_DIGITS, b" -")

    def found(self, value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
        """Paths of the texts in a line that hold what looks like a credential; those under secret keys are another matter."""
        if isinstance(value, str):
            if self.text(value) != value:
                yield path
        elif isinstance(value, dict):
            for key, item in value.items():
                if not self.key(key):
                    yield from self.found(item, (*path, key))
        elif isinstance(value, list):
            for item in value:
                yield from self.found(item, path)

    def masked(self, value: Any) -> Any:
        """A value as it may be shown."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: MARK if self.key(key) else self.masked(item) for key, item in value.items()}
        return [self.masked(item) for item in value] if isinstance(value, list) else value


def _stems(words: Iterable[str]) -> tuple[str, ...]:
    """A part of each word without the underscore, which may be written in another way or left out; few, since many words share one."""
    found: set[str] = set()
    for parts in sorted((word.split("_") for word in words), key=len):
        if found.isdisjoint(parts):
            found.add(max(parts, key=len))
    return tuple(sorted(found))
