"""Secrets that were written down: in git they are everybody's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..document import Path
from ..road import Declared
from .finding import Finding

# What real credentials look like, whatever key they stand under.
_TOKENS = re.compile(
    r"hooks\.slack\.com/(services|workflows|triggers)/\S|xox[abprs]-|\bgh[pousr]_[A-Za-z0-9]{20}|\bAKIA[0-9A-Z]{16}\b|"
    r"\bglpat-[\w-]{20}|\bsk-[A-Za-z0-9]{20}|-----BEGIN [A-Z ]*PRIVATE KEY|\beyJ[\w-]{10,}\.[\w-]{10,}\.|"
    r"webhook\.office\.com/\S|\.logic\.azure\.com\S*[?&]sig=|discord(app)?\.com/api/webhooks/\S|"
    r"://[^/\s:@]+:[^/\s@]+@"
)
_SECRET_KEY = re.compile(
    r"(.*_)?(password|passwd|secret|token|api_?key|access_?key|secret_?key|routing_?key|service_?key|credentials?|private_?key)"
    r"(_id)?"
)
_PLACES = frozenset({"redact"})  # maps whose keys are names of fields, not of secrets


def literal_secret(declared: Declared) -> Iterator[Finding]:
    """A token, password or webhook address in the declaration is in git, in every clone and in every render."""
    yield from _literals(declared.layers.data, ())


def _literals(value: Any, path: Path) -> Iterator[Finding]:
    if isinstance(value, dict):
        if set(value) <= {"secret", "key"} and "secret" in value:
            return
        for key, item in value.items():
            if key not in _PLACES:
                yield from _literals(item, (*path, key))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _literals(item, (*path, place))
    elif isinstance(value, str) and value:
        if _TOKENS.search(value) or _random_key(value):
            yield Finding(path, "this looks like a secret", _REMEDY)
        elif path and _SECRET_KEY.fullmatch(str(path[-1])):
            yield Finding(path, f"{path[-1]!r} holds text, not a reference to a secret", _REMEDY)


_REMEDY = "declare it under secrets, and write {secret: NAME}"


def _random_key(value: str) -> bool:
    """32 or more characters of hexadecimal or base64 with letters and digits mixed, alone."""
    if re.fullmatch(r"[0-9a-fA-F]{32,}", value):
        return len(set(value)) > 8
    mixed = all(re.search(kind, value) for kind in ("[a-z]", "[A-Z]", "[0-9]"))
    return bool(re.fullmatch(r"[A-Za-z0-9+/_-]{32,}={0,2}", value)) and mixed
