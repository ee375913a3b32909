"""Labels, streams and retention: mistakes that Loki accepts, and that then lose logs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .. import agent, logql
from ..model import seconds
from ..query import QueryError
from ..road import Declared
from .finding import Finding

# One value per request, user or place: as labels each makes a stream, and at 5,000 streams Loki 3.7.6 answers 429 to every service.
_IDENTIFIER = re.compile(
    r".*(^|_)(id|ids|uid|uuid|guid|ip|address|path|url|uri|email|token|session|timestamp|duration|duration_ms|message|"
    r"stack_trace|span|trace|pod|instance|host|hostname)$"
)


def identifier_as_label(declared: Declared) -> Iterator[Finding]:
    """One stream per request: Loki refuses every new stream of every service at its limit."""
    for name, field in declared.plan.declaration.logging.fields.items():
        if field.store == "label" and _IDENTIFIER.fullmatch(name):
            fact = f"{name!r} has a value per request or machine: each would become a stream of its own"
            yield Finding(("logging", "fields", name, "store"), fact, "write store: metadata")


def stream_limit(declared: Declared) -> Iterator[Finding]:
    """Over the limit, Loki refuses each new stream, whoever sends it."""
    d = declared.plan.declaration
    expected, limit = agent.streams(d), d.loki.limits.max_global_streams_per_user
    if expected > limit:
        fact = f"the services make about {expected} streams, and Loki takes {limit}"
        path = ("loki", "limits", "max_global_streams_per_user")
        yield Finding(path, fact, "store fewer fields as labels, or raise max_global_streams_per_user")


def short_retention(declared: Declared) -> Iterator[Finding]:
    """Loki's index has a period of 24 h, and its compactor deletes nothing younger (facts: minimum 24h)."""
    retention = declared.plan.declaration.loki.retention
    periods = {("loki", "retention", "default"): retention.default}
    periods |= {("loki", "retention", "streams", name, "period"): s.period for name, s in retention.streams.items()}
    for path, period in periods.items():
        if seconds(period) < 86_400:
            yield Finding(path, f"{period} is less than the 24h that Loki keeps at least", "write 24h or more")


def retention_by_label(declared: Declared) -> Iterator[Finding]:
    """Retention per stream goes by labels only: by anything else it deletes nothing, silently."""
    d = declared.plan.declaration
    labels = agent.stream_labels(d)
    for name, stream in d.loki.retention.streams.items():
        try:
            query = logql.parse(stream.selector)
        except QueryError as error:
            path = ("loki", "retention", "streams", name, "selector")
            yield Finding(
                path, f"this selector is not LogQL: {error.message}", "", offset=error.offset, length=error.length
            )
            continue
        for matcher in (matcher for selector in query.selectors for matcher in selector):
            if matcher.name not in labels:
                fact = f"{matcher.name!r} is no stream label, so this retention never applies"
                remedy = "write store: label for the field" if matcher.name in d.logging.fields else _labels(labels)
                yield Finding(("loki", "retention", "streams", name, "selector"), fact, remedy)


def _labels(labels: set[str]) -> str:
    return f"stream labels here: {', '.join(sorted(labels))}"


def objective_kept(declared: Declared) -> Iterator[Finding]:
    """A promise of retention that the configuration does not keep."""
    d = declared.plan.declaration
    promised = d.objectives.get("log_retention")
    if promised and promised.min is not None and seconds(str(promised.min)) > seconds(d.loki.retention.default):
        fact = f"logs are kept for {d.loki.retention.default}, and the objective log_retention promises {promised.min}"
        yield Finding(("loki", "retention", "default"), fact, "keep them longer, or promise less")


def missing_fields(declared: Declared) -> Iterator[Finding]:
    """Queries, routes and alerts rely on `level` as a label and `service` in the line."""
    fields = declared.plan.declaration.logging.fields
    if "level" not in fields or fields["level"].store != "label":
        fact = "'level' is not stored as a label, and panels, alerts and retention go by it"
        path = ("logging", "fields", "level") if "level" in fields else ("logging", "fields")
        yield Finding(path, fact, "write level: {required: true, store: label}", key=True)
