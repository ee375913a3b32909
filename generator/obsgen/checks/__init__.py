"""Questions no schema can ask, one function each; a check is a row of `CHECKS` and a page in docs/checks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..document import Document
from ..problem import Problem
from ..road import Declared
from . import (
    dashboards,
    duplicates,
    estimates,
    history,
    loglines,
    logs,
    loki,
    machine,
    messages,
    metrics,
    names,
    operator,
    panelqueries,
    panels,
    promises,
    queries,
    raw,
    retention,
    routetree,
    routing,
    rulefiles,
    secrets,
    servers,
    sizes,
    templates,
    timing,
    values,
    versions,
)
from .finding import Check, Finding
from .ignore import Found, silenced
from .place import place

CHECKS: tuple[Check, ...] = (
    Check("reference/severity", "error", names.unknown_severity),
    Check("reference/role", "error", names.unknown_role),
    Check("reference/team", "error", names.unknown_team),
    Check("reference/service", "error", names.unknown_service),
    Check("reference/secret", "error", secrets.unknown_secret),
    Check("reference/objective", "error", names.unknown_objective),
    Check("reference/queue", "error", names.unknown_queue),
    Check("reference/owner-label", "error", names.team_of),
    Check("team/default", "error", names.default_team),
    Check("team/idle", "warning", routetree.idle_team),
    Check("secret/unused", "warning", secrets.unused_secret),
    Check("secret/literal", "error", secrets.literal_secret),
    Check("route/reserved-severity", "error", routing.reserved_severity),
    Check("route/silent-severity", "error", routing.silent_severity),
    Check("route/unused-channel", "warning", routing.unused_channel),
    Check("route/watchdog", "error", routing.watchdog),
    Check("route/repeat", "warning", timing.uneven_repeat),
    Check("route/turns", "warning", timing.hasty_group),
    Check("route/unreachable", "error", routetree.unreachable),
    Check("route/inhibition", "error", routetree.loose_inhibition),
    Check("route/test", "error", routing.declared_tests),
    Check("log/identifier-label", "error", logs.identifier_as_label),
    Check("log/reserved-label", "error", logs.reserved_label),
    Check("log/stream-limit", "error", logs.stream_limit),
    Check("log/level-label", "error", logs.level_label),
    Check("log/reserved-level", "error", logs.reserved_level),
    Check("log/host-path", "warning", logs.host_path),
    Check("retention/too-short", "error", retention.short_retention),
    Check("retention/by-label", "error", retention.retention_by_label),
    Check("retention/objective", "error", retention.objective_kept),
    Check("retention/bucket", "error", retention.bucket_rule),
    Check("retention/volume", "warning", estimates.volume),
    Check("query/promql", "error", queries.bad_promql),
    Check("query/logql", "error", queries.bad_logql),
    Check("query/unknown-label", "error", loglines.unknown_log_label),
    Check("query/unknown-metric", "error", metrics.unknown_metric),
    Check("query/metric-label", "error", metrics.unknown_label),
    Check("query/unknown-value", "error", values.unknown_value),
    Check("query/bucket-bound", "error", values.bucket_bound),
    Check("query/undeclared-field", "warning", loglines.undeclared_field),
    Check("query/rate-window", "error", queries.short_window),
    Check("query/log-window", "error", loglines.short_log_window),
    Check("query/log-number", "error", loglines.number_that_is_none),
    Check("query/beyond-retention", "error", queries.long_window),
    Check("query/log-beyond-retention", "error", retention.long_log_window),
    Check("alert/short-for", "warning", timing.short_for),
    Check("alert/always-fires", "error", queries.no_comparison),
    Check("alert/lost-label", "error", templates.lost_label),
    Check("alert/example-metric", "error", metrics.made_up_example),
    Check("alert/examples", "warning", messages.no_examples),
    Check("alert/beyond-examples", "error", messages.beyond_examples),
    Check("alert/template", "error", templates.bad_template),
    Check("alert/changing-summary", "warning", messages.changing_summary),
    Check("alert/runbook", "warning", messages.no_runbook),
    Check("runbook/incomplete", "warning", messages.incomplete_runbook),
    Check("alert/duplicate", "error", duplicates.duplicate_alert),
    Check("loki/s3-credentials", "error", servers.s3_credentials),
    Check("loki/replication", "error", loki.replication),
    Check("loki/quorum", "warning", loki.quorum),
    Check("loki/no-bucket", "error", loki.no_bucket),
    Check("loki/compactors", "error", loki.compactors),
    Check("loki/unused-target", "warning", loki.unused_target),
    Check("loki/memory", "error", loki.memory_below_request),
    Check("loki/future-schema", "error", loki.future_schema),
    Check("loki/no-schema", "error", servers.no_schema),
    Check("loki/schema-history", "error", history.schema_history),
    Check("loki/moved-storage", "error", history.moved_storage),
    Check("output/one-machine", "error", machine.one_machine),
    Check("dlq/image", "error", servers.no_image),
    Check("dlq/image-version", "warning", servers.moving_image),
    Check("dlq/tokens", "error", servers.no_tokens),
    Check("dlq/cluster", "error", servers.cluster_of_one),
    Check("grafana/admin-password", "error", servers.no_admin_password),
    Check("dashboard/json", "error", dashboards.bad_json),
    Check("dashboard/model", "error", dashboards.bad_model),
    Check("dashboard/uid", "error", dashboards.bad_uid),
    Check("dashboard/title", "error", dashboards.bad_title),
    Check("dashboard/size", "error", dashboards.too_big),
    Check("dashboard/panel", "error", panels.bad_panel),
    Check("dashboard/undescribed", "warning", panels.undescribed),
    Check("dashboard/data-source", "error", panels.unknown_source),
    Check("dashboard/variable", "error", panels.unknown_variable),
    Check("dashboard/unused-variable", "warning", panels.unused_variable),
    Check("dashboard/query", "error", panelqueries.bad_query),
    Check("dashboard/finds-nothing", "warning", panelqueries.finds_nothing),
    Check("service/matchers", "error", promises.bad_matchers),
    Check("service/unmeasured", "warning", promises.unmeasured),
    Check("version/unknown", "error", versions.unknown_version),
    Check("route/version", "error", versions.too_old),
    Check("version/unverified", "warning", versions.unverified),
    Check("version/end-of-life", "warning", versions.end_of_life),
    Check("version/option", "error", versions.removed_option),
    Check("server/raw", "warning", raw.raw_patch),
    Check("server/raw-reason", "error", raw.unexplained_patch),
    Check("server/raw-expired", "warning", raw.expired_patch),
    Check("server/url", "error", servers.no_address),
    Check("operator/labels", "error", operator.no_labels),
    Check("operator/no-effect", "error", operator.no_effect),
    Check("operator/option", "error", operator.newer_option),
    Check("operator/variable", "error", operator.variable),
    Check("rules/file", "error", rulefiles.not_a_rule_file),
    Check("rules/name", "error", rulefiles.taken_name),
    Check("rules/duplicate", "error", rulefiles.same_alert),
    Check("rules/unrouted", "warning", rulefiles.unrouted),
    Check("rules/runbook", "warning", rulefiles.no_page),
    Check("render/too-large", "error", sizes.too_large),
)

# Rules and routes are made of the names that these ask about: where one leads nowhere, what they do can't be said.
_NAMES = ("reference/", "team/", "version/unknown")
_OF_ROUTES = ("route/", "rules/", "operator/", "render/too-large")


def check(declared: Declared) -> list[Problem]:
    """Every finding of every check that no comment silences, sorted by place."""
    documents = (*declared.layers.documents, *declared.layers.included)
    return silenced(documents, list(_found(declared, documents)), {row.id for row in CHECKS})


def _found(declared: Declared, documents: Sequence[Document]) -> Iterator[Found]:
    lost = False
    for row in sorted(CHECKS, key=lambda row: row.id.startswith(_OF_ROUTES)):
        if not (lost and row.id.startswith(_OF_ROUTES)):
            for finding in row.ask(declared):
                lost = lost or row.id.startswith(_NAMES)
                yield _problem(declared, documents, row, finding)


def _problem(declared: Declared, documents: Sequence[Document], row: Check, finding: Finding) -> Found:
    begins = declared.layers.spot(finding.path, finding.key)
    spot, excerpt = begins, ""
    if finding.span:
        document = next(document for document in documents if document.file == begins.file)
        spot, excerpt = place(document, begins, finding.path, finding.span)
    lines = {spot.line, begins.line, declared.layers.spot(finding.path, key=True).line}
    return Problem(*spot, finding.fact, finding.remedy, row.id, row.severity, excerpt), frozenset(lines)


# A leftover is one only if it is left over everywhere: what dev doesn't use, prod may.
_LEFTOVERS = frozenset({"ignore/unused", "secret/unused", "route/unused-channel", "loki/unused-target"})


def check_all(declared: Sequence[Declared], complete: bool = True) -> list[Problem]:
    """The findings under several profiles; a leftover counts where every profile that reads the file agrees.

    `complete` False: these are not all profiles there are, so that only a profile's own leftovers count.
    """
    found = [set(check(one)) for one in declared]
    read = [{document.file for document in (*one.layers.documents, *one.layers.included)} for one in declared]
    shared = {one.layers.documents[0].file for one in declared} | {
        d.file for one in declared for d in one.layers.included
    }

    def counts(problem: Problem) -> bool:
        if problem.rule not in _LEFTOVERS:
            return True
        agreed = all(problem in problems for problems, files in zip(found, read, strict=True) if problem.file in files)
        return agreed and (complete or problem.file not in shared)

    return sorted(problem for problem in set[Problem]().union(*found) if counts(problem))
