"""What queries of the logs ask for, and what the agent writes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .. import agent
from ..document import did_you_mean
from ..logql import Query
from ..model import Declaration
from ..road import Declared
from .finding import Finding
from .questions import at, logql_queries, made


def unknown_log_label(declared: Declared) -> Iterator[Finding]:
    """A selector by a label that no agent writes finds nothing, for ever."""
    d = declared.declaration
    labels, lifted = agent.stream_labels(d), _lifted(d)
    for _, path, text, query in logql_queries(declared):
        for name in sorted({matcher.name for selector in query.selectors for matcher in selector} - labels):
            where = "it is structured metadata: filter by it after the braces" if name in lifted else _those(labels)
            yield Finding(path, f"no agent writes the stream label {name!r}", where, span=at(text, name))
        for name in sorted(set(query.filters) - lifted - made(text)):
            remedy = "parse it from the line (| json), or store it"
            if not name.startswith("__"):
                yield Finding(path, f"no agent writes {name!r}", remedy, span=at(text, name))
        if query.grouping and not query.parsers:
            for name in sorted(query.grouping - lifted - made(text)):
                fact = f"no agent writes {name!r}, so this groups by nothing"
                yield Finding(path, fact, _those(lifted), span=at(text, name))


RULER_INTERVAL = 60.0  # seconds; `evaluation_interval` of the rendered ruler, and of each rendered group


def short_log_window(declared: Declared) -> Iterator[Finding]:
    """Lines between two evaluations that no window covers are never counted."""
    for _, path, _, query in logql_queries(declared):
        for window in query.ranges:
            if window < RULER_INTERVAL:
                fact = f"a window of {window:g}s leaves out lines: Loki's ruler asks once in {RULER_INTERVAL:g}s"
                yield Finding(path, fact, f"use a window of {RULER_INTERVAL:g}s or more")


def _lifted(d: Declaration) -> set[str]:
    """What stands beside the line: labels and structured metadata."""
    return agent.stream_labels(d) | {*agent.stored(d, "metadata"), *agent.TARGET_METADATA}


def _those(names: set[str]) -> str:
    return f"there are: {', '.join(sorted(names))}"


def undeclared_field(declared: Declared) -> Iterator[Finding]:
    """`context.*` of a line is open: a field that nobody declared may be there, or be called something else in each service."""
    fields = declared.declaration.logging.fields
    paths = {tuple(field.path or (name,)) for name, field in fields.items()}
    flat = {"_".join(path) for path in paths}  # as `| json` without arguments calls them (3.7.6)
    for _, path, text, query in logql_queries(declared):
        for json_path in query.expressions.values():
            steps = _steps(json_path)
            if steps not in paths:
                yield Finding(
                    path, *_undeclared(".".join(steps), {".".join(p) for p in paths}), span=at(text, json_path)
                )
        if not re.search(r"\|\s*(logfmt|unpack)\b", text):
            known = flat | {f"{name}_extracted" for name in flat} | _lifted(declared.declaration)
            for name in sorted(_parsed(query) - known - set(query.expressions) - made(text)):
                yield Finding(path, *_undeclared(name, flat), span=at(text, name))


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
