"""Questions no schema can ask, one function each; a check is a row of `CHECKS` and a page in docs/checks."""

from __future__ import annotations

from collections.abc import Iterator

from ..document import Document
from ..problem import Problem
from ..road import Declared
from . import literals, logs, messages, names, queries, routing, servers
from .finding import Check, Finding
from .ignore import silenced
from .place import place

CHECKS: tuple[Check, ...] = (
    Check("reference/severity", "error", names.unknown_severity),
    Check("reference/role", "error", names.unknown_role),
    Check("reference/team", "error", names.unknown_team),
    Check("reference/service", "error", names.unknown_service),
    Check("reference/secret", "error", names.unknown_secret),
    Check("reference/owner-label", "error", names.team_of),
    Check("team/default", "error", names.default_team),
    Check("secret/unused", "warning", names.unused_secret),
    Check("secret/literal", "error", literals.literal_secret),
    Check("route/silent-severity", "error", routing.silent_severity),
    Check("route/unused-channel", "warning", routing.unused_channel),
    Check("route/watchdog", "error", routing.watchdog),
    Check("route/test", "error", routing.declared_tests),
    Check("log/identifier-label", "error", logs.identifier_as_label),
    Check("log/stream-limit", "error", logs.stream_limit),
    Check("log/level-label", "error", logs.missing_fields),
    Check("retention/too-short", "error", logs.short_retention),
    Check("retention/by-label", "error", logs.retention_by_label),
    Check("retention/objective", "error", logs.objective_kept),
    Check("query/promql", "error", queries.bad_promql),
    Check("query/logql", "error", queries.bad_logql),
    Check("query/unknown-label", "error", queries.unknown_log_label),
    Check("query/unknown-metric", "warning", queries.unknown_metric),
    Check("query/rate-window", "error", queries.short_window),
    Check("query/beyond-retention", "error", queries.long_window),
    Check("alert/always-fires", "error", queries.no_comparison),
    Check("alert/lost-label", "error", queries.lost_label),
    Check("alert/example-metric", "error", queries.unknown_example),
    Check("alert/examples", "warning", messages.no_examples),
    Check("alert/template", "error", messages.bad_template),
    Check("alert/changing-summary", "warning", messages.changing_summary),
    Check("alert/runbook", "warning", messages.no_runbook),
    Check("alert/duplicate", "error", names.duplicate_alert),
    Check("loki/s3-credentials", "error", servers.s3_credentials),
    Check("loki/replication", "error", servers.replication),
    Check("loki/no-schema", "error", servers.no_schema),
    Check("loki/schema-history", "error", servers.schema_history),
    Check("version/unknown", "error", servers.unknown_version),
    Check("version/end-of-life", "warning", servers.end_of_life),
    Check("version/option", "error", servers.removed_option),
    Check("server/raw", "warning", servers.raw_patch),
    Check("render/not-yet", "error", servers.not_rendered),
    Check("render/left-out", "warning", servers.partly_rendered),
)

# What later questions take for granted: asked first, and where one has an answer the others wait.
_FIRST = frozenset(check.id for check in CHECKS if check.id.startswith(("reference/", "team/", "version/unknown")))


def check(declared: Declared) -> list[Problem]:
    """Every finding of every check that no comment silences, sorted by place."""
    documents = (*declared.layers.documents, *declared.layers.included)
    found = [(row, problem) for row, problem in _asked(declared, documents)]
    return silenced(documents, [problem for _, problem in found], {row.id for row in CHECKS})


def _asked(declared: Declared, documents: tuple[Document, ...]) -> Iterator[tuple[Check, Problem]]:
    stopped = False
    for first in (True, False):
        for row in CHECKS:
            if (row.id in _FIRST) == first and not (stopped and not first):
                for finding in row.ask(declared):
                    stopped = stopped or first
                    yield row, _problem(declared, documents, row, finding)


def _problem(declared: Declared, documents: tuple[Document, ...], row: Check, finding: Finding) -> Problem:
    spot = declared.layers.spot(finding.path, finding.key)
    excerpt = ""
    if finding.offset is not None:
        document = next(document for document in documents if document.file == spot.file)
        spot, excerpt = place(document, spot, finding)
    return Problem(*spot, finding.fact, finding.remedy, row.id, row.severity, excerpt)
