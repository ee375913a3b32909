"""What services say of their requests, and what they promise on top of it."""

from __future__ import annotations

from collections.abc import Iterator

from .. import availability, promql
from ..query import QueryError
from ..road import Declared
from .finding import Finding


def bad_matchers(declared: Declared) -> Iterator[Finding]:
    """The matchers stand in the expressions of packs: one that can't be read makes Prometheus refuse the whole file of rules."""
    for name, service in declared.declaration.services.items():
        requests = service.metrics and service.metrics.requests
        if requests and requests.errors:
            try:
                promql.parse(f"{requests.total}{{{requests.errors}}}")
            except QueryError as error:
                path = ("services", name, "metrics", "requests", "errors")
                yield Finding(path, f"these are no matchers: {error.message}", 'write label="value" or label=~"regex"')


def unmeasured(declared: Declared) -> Iterator[Finding]:
    """A promise that nothing measures looks kept, whatever happens."""
    d = declared.declaration
    measured = {app for row in availability.counted(d) for app in row["apps"]}
    guarded = {app for windows in availability.pairs(d).values() for row in windows for app in row["apps"]}
    for name in (name for name, service in d.services.items() if "availability" in service.objectives):
        path = ("services", name, "objectives", "availability")
        if name not in measured:
            fact = f"nothing measures this promise: {name} doesn't say which of its requests fail"
            yield Finding(path, fact, "add metrics.requests with total and errors", key=True)
        elif name not in guarded:
            fact = "no alert can guard this promise: over so short a window, or with so large a budget, none is in time"
            yield Finding(path, fact, "promise more, or over a longer window", key=True)
