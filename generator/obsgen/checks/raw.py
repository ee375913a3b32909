"""The escape hatch of each server: counted, explained, and with an end."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import Any

from ..model import Raw
from ..road import Declared
from .finding import Finding

SERVERS = ("loki", "prometheus", "alertmanager", "grafana")


def today() -> datetime.date:
    """The day, in UTC. Only a warning depends on it, never what is rendered."""
    return datetime.datetime.now(datetime.UTC).date()


def raw_patch(declared: Declared) -> Iterator[Finding]:
    """Every use of the escape hatch is counted and shown, so that it doesn't become the way in."""
    for server, raw in _patches(declared):
        places = list(_places(raw.patch))
        number = f"{len(places)} place{'s' if len(places) != 1 else ''}"
        why = f": {raw.reason}" if raw.reason else ""
        until = f", until {raw.until}" if raw.until else ""
        fact = f"{server} is patched by hand in {number} ({', '.join(places)}){why}{until}"
        yield Finding((server, "raw"), fact, key=True)


def unexplained_patch(declared: Declared) -> Iterator[Finding]:
    """A patch without a reason and an end is there for ever: nobody dares to take it out again."""
    for server, raw in _patches(declared):
        missing = [key for key in ("reason", "until") if not getattr(raw, key)]
        if missing:
            fact = f"nothing says {' or '.join({'reason': 'why', 'until': 'until when'}[key] for key in missing)} {server} is patched"
            yield Finding((server, "raw"), fact, f"add {' and '.join(missing)}", key=True)


def expired_patch(declared: Declared) -> Iterator[Finding]:
    """A patch that outlived its day: what it worked around may be gone, and what it switched off is still off."""
    for server, raw in _patches(declared):
        if raw.until and datetime.date.fromisoformat(raw.until) < today():
            fact = f"the patch of {server} was to be gone by {raw.until}"
            yield Finding((server, "raw", "until"), fact, "take it out, or say anew until when")


def _patches(declared: Declared) -> Iterator[tuple[str, Raw]]:
    for server in SERVERS:
        raw: Raw = getattr(declared.declaration, server).raw
        if raw.patch:
            yield server, raw


def _places(patch: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """The keys that a patch sets or deletes, as `a.b`; what replaces a whole list counts once."""
    for key, value in patch.items():
        if isinstance(value, Mapping) and value:
            yield from _places(value, f"{above}{key}.")
        else:
            yield f"{above}{key}"
