"""How long logs are kept: what Loki accepts and then doesn't do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .. import agent, logql
from ..document import Path
from ..logql_pipeline import Matcher
from ..model import Retention, StreamRetention, seconds
from ..query import QueryError
from ..road import Declared
from .finding import Finding
from .questions import logql_queries, span_of

DAY = 86_400  # seconds: the period of Loki's index, and the least that its compactor keeps (3.7.6)


def short_retention(declared: Declared) -> Iterator[Finding]:
    """Under 24 h, the period of its index, Loki refuses the file (of a stream) or takes it and does not keep to it (of all)."""
    retention = declared.declaration.loki.retention
    periods: dict[Path, str] = {("loki", "retention", "default"): retention.default}
    periods |= {("loki", "retention", "streams", name, "period"): s.period for name, s in retention.streams.items()}
    for path, period in periods.items():
        if seconds(period) < DAY:
            yield Finding(path, f"{period} is less than the 24h that Loki keeps at least", "write 24h or more")


def retention_by_label(declared: Declared) -> Iterator[Finding]:
    """Retention per stream goes by labels only: by anything else it deletes nothing, silently."""
    for name, stream in declared.declaration.loki.retention.streams.items():
        yield from _faults(declared, ("loki", "retention", "streams", name, "selector"), stream)


def _faults(declared: Declared, path: Path, stream: StreamRetention) -> Iterator[Finding]:
    d = declared.declaration
    labels = agent.stream_labels(d)
    try:
        query = logql.parse(stream.selector)
    except QueryError as error:
        fact = f"this selector is not LogQL: {error.message}"
        yield Finding(path, fact, "", span=span_of(error))
        return
    text = stream.selector.strip()
    if not (text.startswith("{") and text.endswith("}")):
        fact = "retention goes by the stream alone, and this filters its lines: Loki would not start"
        yield Finding(path, fact, "end the selector with the closing brace")
    for matcher in (matcher for selector in query.selectors for matcher in selector):
        if matcher.name not in labels:
            fact = f"{matcher.name!r} is no stream label, so this retention never applies"
            there = f"stream labels here: {', '.join(sorted(labels))}"
            yield Finding(path, fact, "write store: label for the field" if matcher.name in d.logging.fields else there)


def objective_kept(declared: Declared) -> Iterator[Finding]:
    """A promise of retention that the configuration does not keep."""
    d = declared.declaration
    promised = d.objectives.get("log_retention")
    kept = seconds(d.loki.retention.default)
    if d.loki.deploy and promised and promised.min is not None and seconds(str(promised.min)) > kept:
        fact = f"logs are kept for {d.loki.retention.default}, and the objective log_retention promises {promised.min}"
        yield Finding(("loki", "retention", "default"), fact, "keep them longer, or promise less")


def bucket_rule(declared: Declared) -> Iterator[Finding]:
    """A lifecycle rule of the bucket deletes under Loki's feet: the index still promises what is gone, and searches fail."""
    loki = declared.declaration.loki
    expires = loki.object_store.expires if loki.deploy and loki.object_store else None
    longest = loki.retention.longest
    # Loki deletes a chunk itself, so long after its time
    if expires and seconds(expires) <= seconds(longest) + seconds(loki.compactor.delete_delay):
        fact = f"the bucket deletes after {expires} what Loki keeps for {longest}"
        yield Finding(("loki", "object_store", "expires"), fact, "make the bucket's rule longer, or take it out")


def long_log_window(declared: Declared) -> Iterator[Finding]:
    """Loki refuses a query over more than it keeps at most (`max_query_length`), and finds in the rest only what is left."""
    retention = declared.declaration.loki.retention
    for _, path, _, query in logql_queries(declared):
        kept = max((_kept(retention, selector) for selector in query.selectors), key=seconds, default=retention.default)
        for window in query.ranges:
            if window > seconds(kept):
                fact = f"looks back {window / DAY:g} days, and Loki keeps these lines for {kept}"
                yield Finding(path, fact, "keep them longer, or shorten the window")


def _kept(retention: Retention, selector: Sequence[Matcher]) -> str:
    """How long the lines of a selector are kept: by the stream of the highest priority whose conditions are all among its own."""
    own = {(matcher.name, matcher.op, matcher.value) for matcher in selector}
    found: list[tuple[int, str]] = []
    for stream in retention.streams.values():
        try:
            (conditions,) = logql.parse(stream.selector).selectors
        except (QueryError, ValueError):
            continue
        if {(matcher.name, matcher.op, matcher.value) for matcher in conditions} <= own:
            found.append((stream.priority, stream.period))
    return max(found)[1] if found else retention.default
