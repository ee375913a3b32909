"""What queries of the logs ask for, and what the agent writes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .. import agent
from ..document import did_you_mean
from ..logql import Query
from ..model import Declaration
from ..road import Declared
from .finding import Fault, Finding
from .questions import at, logql_queries, made


def unknown_log_label(declared: Declared) -> Iterator[Finding]:
    """A selector by a label that no agent writes finds nothing, for ever."""
    for _, path, text, query in logql_queries(declared):
        for fact, remedy, name in strange_labels(declared.declaration, text, query):
            yield Finding(path, fact, remedy, span=at(text, name))


def strange_labels(d: Declaration, text: str, query: Query) -> Iterator[Fault]:
    """Labels of a query that no agent writes."""
    labels, lifted = agent.stream_labels(d), _lifted(d)
    for name in sorted({matcher.name for selector in query.selectors for matcher in selector} - labels):
        where = "it is structured metadata: filter by it after the braces" if name in lifted else _those(labels)
        yield Fault(f"no agent writes the stream label {name!r}", where, name)
    for name in sorted(set(query.filters) - lifted - made(text)):
        if not name.startswith("__"):
            yield Fault(f"no agent writes {name!r}", "parse it from the line (| json), or store it", name)
    if query.grouping and not query.parsers:
        for name in sorted(query.grouping - lifted - made(text)):
            yield Fault(f"no agent writes {name!r}, so this groups by nothing", _those(lifted), name)


RULER_INTERVAL = 60.0  # seconds; `evaluation_interval` of the rendered ruler, and of each rendered group


def short_log_window(declared: Declared) -> Iterator[Finding]:
    """Lines between two evaluations that no window covers are never counted, nor those that come after the evaluation of their minute."""
    for _, path, _, query in logql_queries(declared):
        for window in query.ranges:
            if window < 2 * RULER_INTERVAL:
                which = "lines" if window < RULER_INTERVAL else "lines that come late"
                fact = f"a window of {window:g}s leaves out {which}: Loki's ruler asks once in {RULER_INTERVAL:g}s"
                yield Finding(path, fact, f"use a window of {2 * RULER_INTERVAL:g}s or more")


def number_that_is_none(declared: Declared) -> Iterator[Finding]:
    """One line whose value is no number makes a whole alert fail: a comparison lets it through, with an error."""
    for _, path, text, query in logql_queries(declared):
        if query.numeric_filters and "__error__" not in (*query.filters, *query.parsed_filters):
            name = query.numeric_filters[0]
            fact = f"a line whose {name} is missing or no number makes this query fail, and the alert silent"
            yield Finding(path, fact, 'write | __error__="" after the comparison', span=at(text, name))


def _lifted(d: Declaration) -> set[str]:
    """What stands beside the line: labels and structured metadata."""
    return agent.stream_labels(d) | {*agent.stored(d, "metadata"), *agent.TARGET_METADATA}


def _those(names: set[str]) -> str:
    return f"there are: {', '.join(sorted(names))}"


def undeclared_field(declared: Declared) -> Iterator[Finding]:
    """`context.*` of a line is open: a field that nobody declared may be there, or be called something else in each service."""
    for _, path, text, query in logql_queries(declared):
        for fact, remedy, word in strange_fields(declared.declaration, text, query):
            yield Finding(path, fact, remedy, span=at(text, word))


def strange_fields(d: Declaration, text: str, query: Query) -> Iterator[Fault]:
    """Fields that a query parses out of a line and nobody declared."""
    paths = {tuple(field.path or (name,)) for name, field in d.logging.fields.items()}
    flat = {"_".join(path) for path in paths}  # as `| json` without arguments calls them (3.7.6)
    for json_path in query.expressions.values():
        steps = _steps(json_path)
        if steps not in paths:
            yield Fault(*_undeclared(".".join(steps), {".".join(p) for p in paths}), json_path)
    if not re.search(r"\|\s*(logfmt|unpack)\b", text):
        known = flat | {f"{name}_extracted" for name in flat} | _lifted(d)
        for name in sorted(_parsed(query) - known - set(query.expressions) - made(text)):
            yield Fault(*_undeclared(name, flat), name)


def _parsed(query: Query) -> set[str]:
    """Names that a parser must find in the line; those with __ are Loki's own."""
    names = {*query.parsed_filters, *(query.unwraps if query.parsers else ())}
    return {name for name in names if not name.startswith("__")}


def _steps(json_path: str) -> tuple[str, ...]:
    """`a.b[0]["c d"]` up to its first index, which no declared path has."""
    steps = []
    for name, quoted, index in re.findall(r'([A-Za-z_]\w*)|\[\s*"([^"\]]*)"\s*\]|(\[\s*\d+\s*\])', json_path):
        if index:
            break
        steps.append(name or quoted)
    return tuple(steps)


def _undeclared(name: str, known: set[str]) -> tuple[str, str]:
    guess = did_you_mean(name, known)
    nested = name if "." in name else "context_" + name
    if guess is None and nested in known:
        guess = nested
    hint = f"did you mean {guess!r}?" if guess else "declare it under logging.fields, with its path"
    return f"no declared field is {name!r}", hint
