"""A sample of what Loki holds: lines after or before random moments of the time asked for, the same for the same seed.

The range is cut into equal windows. In each a moment is drawn, and lines are taken from it onwards or, in every second window, backwards;
where a window holds fewer than its part, all of them are taken. So a service that writes little is read whole.
"""

from __future__ import annotations

import base64
import json
import math
import os
import random
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..problem import Problem, ProblemsError
from .checker import Captured, Checker
from .frames import Framed

PER_QUERY = 5000
"""Loki's own `max_entries_limit_per_query` (3.7); more is refused."""
WINDOWS = 20
TIMEOUT = 60.0
_SECOND = 10**9


class Asked(NamedTuple):
    """What to sample: at most `lines` of what `query` selects between two moments, in nanoseconds since 1970."""

    url: str
    query: str
    lines: int
    start: int
    end: int
    seed: int


class _Entry(NamedTuple):
    at: int
    line: str
    labels: dict[str, str]


class Sample:
    """Lines of one sample.

    Afterwards `covered` is how many seconds of writing they are, and `foreign` counts lines of what is no declared service.
    """

    def __init__(self, asked: Asked, checker: Checker) -> None:
        self.asked, self.checker = asked, checker
        self.covered = 0.0
        self.foreign: dict[str, int] = {}
        checker.source = "loki"
        self._headers = _headers()
        self._context = ssl.create_default_context(cafile=os.environ.get("LOKI_CA_CERT_PATH") or None)
        parts = urllib.parse.urlsplit(asked.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise _stopped("the address of Loki is no http:// or https:// URL", "as in http://loki:3100")
        if parts.username or parts.password:
            raise _stopped("the address of Loki holds a user or a password", "set LOKI_USERNAME and LOKI_PASSWORD")

    def lines(self) -> Iterator[Framed]:
        """The sampled lines, window by window, in the order of their time. Raises ProblemsError where Loki doesn't give them."""
        services = set(self.checker.standard.contract.services)
        number = 0
        for entry in self._entries():
            app = entry.labels.get("app")
            if app and services and app not in services:
                self.foreign[app] = self.foreign.get(app, 0) + 1
                continue
            number += 1
            yield entry.line.encode(), number, Captured(0, entry.at / _SECOND, app)

    def left_out(self) -> dict[str, str]:
        """Lines of the answer that are no declared service's, for the report."""
        if not self.foreign:
            return {}
        return {
            f"{sum(self.foreign.values()):,} lines": f"of what is no declared service: {', '.join(sorted(self.foreign))}"
        }

    def _entries(self) -> Iterator[_Entry]:
        asked, chance = self.asked, random.Random(self.asked.seed)
        windows = max(math.ceil(asked.lines / PER_QUERY), min(WINDOWS, asked.lines))
        for window in range(windows):
            begin, end = (asked.start + (asked.end - asked.start) * edge // windows for edge in (window, window + 1))
            wanted = asked.lines * (window + 1) // windows - asked.lines * window // windows
            moment = chance.randrange(begin, max(end, begin + 1))
            halves = [("forward", moment, end), ("backward", begin, moment)]
            found: list[_Entry] = []
            for direction, start, stop in halves if window % 2 == 0 else reversed(halves):
                if wanted > len(found) and stop > start:
                    found += self._asked(direction, start, stop, wanted - len(found))
            yield from sorted(found)

    def _asked(self, direction: str, start: int, end: int, limit: int) -> list[_Entry]:
        found = self._query(query=self.asked.query, start=start, end=end, limit=limit, direction=direction)
        if len(found) < limit:
            self.covered += (end - start) / _SECOND
        elif direction == "forward":
            self.covered += (max(found).at - start) / _SECOND
        else:
            self.covered += (end - min(found).at) / _SECOND
        return found

    def _query(self, **parameters: object) -> list[_Entry]:
        address = f"{self.asked.url.rstrip('/')}/loki/api/v1/query_range?{urllib.parse.urlencode(parameters)}"
        request = urllib.request.Request(address)
        for name, value in self._headers.items():
            request.add_unredirected_header(name, value)  # another host gets no credentials
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT, context=self._context) as answer:
                data = json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            said = " ".join(error.read(500).decode("utf-8", "replace").split())
            raise _stopped(f"Loki answers {error.code}: {said or error.reason}", _REMEDY.get(error.code, "")) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = getattr(error, "reason", error)
            raise _stopped(f"Loki can't be asked: {reason}", "is the address right, and is it Loki's?") from None
        if data.get("resultType") != "streams":
            raise _stopped("the query gives numbers, not lines", 'select lines, as in {app="checkout"}')
        return [
            _Entry(int(at), line, stream["stream"]) for stream in data["result"] for at, line, *_ in stream["values"]
        ]


_REMEDY = {
    400: "Loki reads the query otherwise",
    401: "set LOKI_USERNAME and LOKI_PASSWORD, or LOKI_BEARER_TOKEN_FILE; LOKI_ORG_ID names the tenant",
    403: "these credentials may not read",
    404: "is the address right, and is it Loki's?",
}


def _headers() -> dict[str, str]:
    """Credentials from the variables that logcli reads, so that a shell set up for it works here."""
    found, get = {}, os.environ.get
    token, file = get("LOKI_BEARER_TOKEN"), get("LOKI_BEARER_TOKEN_FILE")
    if file:
        try:
            token = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise _stopped(f"LOKI_BEARER_TOKEN_FILE: {error}", "name a file that holds the token") from None
    if token:
        found["Authorization"] = f"Bearer {token}"
    elif user := get("LOKI_USERNAME"):
        pair = f"{user}:{get('LOKI_PASSWORD') or ''}".encode()
        found["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    if tenant := get("LOKI_ORG_ID"):
        found["X-Scope-OrgID"] = tenant
    return found


def _stopped(fact: str, remedy: str = "") -> ProblemsError:
    return ProblemsError([Problem("loki", 0, 0, fact, remedy, "usage/loki")], could_not_run=True)
