"""Values that a label never has: the query is right in every other way, and finds nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

from .. import promql, upstream
from ..agent import UNKNOWN
from ..document import did_you_mean
from ..model import Declaration
from ..road import Declared
from ..scrape import agent_namespace
from .finding import Finding
from .questions import at, logql_queries, promql_trees


def unknown_value(declared: Declared) -> Iterator[Finding]:
    """A selector by a value that the label never has finds nothing: `level="error"` where the agent writes `ERROR`."""
    d = declared.declaration
    of_logs = _of_logs(d)
    for _, path, text, query in logql_queries(declared):
        for name, op, value in (matcher for selector in query.selectors for matcher in selector):
            if name in of_logs and _never(op, value, of_logs[name]):
                yield Finding(path, *_fault(name, value, of_logs[name]), span=at(text, value))
    of_targets = _of_targets(d)
    for _, path, text, tree in promql_trees(declared):
        for metric, name, op, value in promql.matchers(tree):
            row = upstream.all_metrics().get(metric)
            values = row.values.get(name) if row else None
            values = values or of_targets.get(name)
            if values and _never(op, value, values):
                yield Finding(path, *_fault(name, value, values), span=at(text, value))


def _of_logs(d: Declaration) -> Mapping[str, tuple[str, ...]]:
    levels = (*d.logging.levels, UNKNOWN)
    return {"level": levels, "cluster": (d.cluster,), "namespace": (d.namespace,)}


def _of_targets(d: Declaration) -> Mapping[str, tuple[str, ...]]:
    """What our own Prometheus writes; somebody else's may write anything."""
    if not d.prometheus.deploy:
        return {}
    return {"cluster": (d.cluster,), "namespace": tuple(dict.fromkeys((d.namespace, agent_namespace(d))))}


def _never(op: str, value: str, values: tuple[str, ...]) -> bool:
    """Is there no value of which the condition is true? Only asked of conditions that pick some: `!=` leaves the rest."""
    if op == "=":
        return bool(value) and value not in values
    if op != "=~":
        return False
    try:
        return not any(re.fullmatch(value, known) for known in ("", *values))
    except re.error:  # RE2 reads more than Python
        return False


def _fault(name: str, value: str, values: tuple[str, ...]) -> tuple[str, str]:
    guess = did_you_mean(value, values)
    there = f"did you mean {guess!r}?" if guess else f"there are: {', '.join(values)}"
    return f"the label {name!r} is never {value!r}", there


def bucket_bound(declared: Declared) -> Iterator[Finding]:
    """Prometheus 3 stores `le="2"` as `le="2.0"`: a selector with the number as an integer finds no bucket, without a word."""
    target = declared.declaration.versions.prometheus
    stored_as = _stored if upstream.number(target) >= (3,) else _plain
    for _, path, text, tree in promql_trees(declared):
        for _, name, op, value in promql.matchers(tree):
            for bound in _bounds(value, op) if name in ("le", "quantile") else ():
                if _never(op, value, (stored_as(bound),)):
                    fact = f"Prometheus {target} stores {name}={bound!r} as {stored_as(bound)!r}, so this finds nothing"
                    either = f'{name}=~"{_plain(bound)}(\\\\.0)?"'
                    remedy = f"write {either}" if _stored(bound).endswith(".0") else f'write {name}="{_plain(bound)}"'
                    yield Finding(path, fact, remedy, span=at(text, name))


def _bounds(value: str, op: str) -> list[str]:
    """The numbers that a condition names, as they are written there."""
    words = value.split("|") if op == "=~" else [value] if op == "=" else []
    return [word for word in words if re.fullmatch(r"[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?", word)]


def _stored(bound: str) -> str:
    """A bound as Prometheus 3 writes it when it scrapes (`FormatOpenMetricsFloat`, 3.13): Go's shortest %g, with `.0` where no point is."""
    text = _plain(bound)
    return text if "." in text or "e" in text else text + ".0"


def _plain(bound: str) -> str:
    """Go's shortest %g of a number: an exponent from a million up and below 0.0001."""
    number = Decimal(repr(float(bound))).normalize()
    exponent = number.adjusted()
    if number and not -4 <= exponent < 6:
        digits = "".join(map(str, number.as_tuple().digits))
        return f"{digits[0]}{'.' + digits[1:] if digits[1:] else ''}e{exponent:+03d}"
    return f"{number:f}"
