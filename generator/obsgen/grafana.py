"""Grafana beside the dashboards: files that it takes over, its password, the way from a log line to its trace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import NamedTuple

from .dashboard_reader import BadJSONError, read
from .model import Declaration, SecretSource
from .plan import Plan

SOURCES = ("prometheus", "loki", "alertmanager")
"""Data sources that are provisioned, each by its uid."""

DASHBOARDS = "/etc/grafana/dashboards"
"""Where the provider looks for dashboards."""

ADMIN_PASSWORD = "GF_SECURITY_ADMIN_PASSWORD"
"""The variable from which Grafana takes it."""


def taken(plan: Plan) -> Iterator[tuple[str, str]]:
    """(uid, text) of each file of `dashboards.files`; the name of the file where it has none, which the check `dashboard/uid` tells."""
    for name in plan.declaration.dashboards.files:
        yield _uid(plan.taken[name]) or PurePath(name).stem, plan.taken[name]


def _uid(text: str) -> str:
    try:
        uid = read(text).get("uid")
    except BadJSONError:
        return ""
    return uid if isinstance(uid, str) else ""


def admin_password(declaration: Declaration) -> SecretSource | None:
    """Where the admin's password lives."""
    reference = declaration.grafana.admin_password
    return declaration.secrets[reference.secret] if reference else None


class TraceField(NamedTuple):
    """The trace of a line: how Grafana finds it, as a label or by a regular expression on the line, and the address it leads to."""

    matcher: str
    regex: str
    url: str


def trace_field(declaration: Declaration) -> TraceField | None:
    """None where no viewer is declared, or no field `trace_id`."""
    traces, field = declaration.urls.traces, declaration.logging.fields.get("trace_id")
    if not traces or field is None:
        return None
    address = f"{traces.rstrip('/')}/trace/${{__value.raw}}"
    if field.store == "line":
        key = (field.path or ("trace_id",))[-1]
        # Python's json.dumps puts a blank after the colon, Go's encoder none
        return TraceField("regex", rf'"{key}":\s*"(\w+)"', address)
    return TraceField("label", "trace_id", address)
