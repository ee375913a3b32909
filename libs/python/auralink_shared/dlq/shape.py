"""Errors that differ only in ids, numbers and names are one error: what letters are grouped by."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

# In this order, and all that RE2 (Go) has too: texts in quotes, UUIDs, hexadecimal and long numbers, other numbers.
_CHANGING = re.compile(
    r""""[^"\n]*"|`[^`\n]*`|\B'[^'\n]*'"""
    r"|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|\b(?:0x[0-9a-f]+|[0-9a-f]{8,})\b|[0-9]+",
    re.ASCII | re.IGNORECASE,
)
_HALF_PAIR = re.compile("[\ud800-\udfff]")


def text_of(value: Any) -> str:
    """A field as a person reads it: text as it is (half a surrogate pair as U+FFFD), anything else as JSON, "" of what isn't there."""
    if value is None:
        return ""
    return _HALF_PAIR.sub(
        "\ufffd", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    )


def shape_of(text: str) -> str:
    """The text with `*` for what changes from one time to the next.

    >>> shape_of("room 'b-7' of 5f0c1d2e-0000-4000-8000-000000000000: timeout after 30s")
    'room * of *: timeout after *s'
    """
    return _CHANGING.sub("*", text)


def fingerprint_of(error_type: str, error: str) -> str:
    """12 hex digits: the SHA-1 of type, line break and shape in UTF-8 begins with them."""
    shape = f"{error_type}\n{shape_of(error)}".encode(errors="replace")
    return hashlib.sha1(shape, usedforsecurity=False).hexdigest()[:12]
