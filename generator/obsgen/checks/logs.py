"""Labels and streams: mistakes that Loki or the agent accepts when the file is read, and that then lose logs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .. import agent
from ..road import Declared
from ..scrape import agent_namespace
from .finding import Finding

# One value per request, user or place: as labels each makes a stream, and at 5,000 streams Loki 3.7.6 answers 429 to every service.
_IDENTIFIER = re.compile(
    r"(.*_)?(id|ids|uid|uuid|guid|ip|address|path|url|uri|email|token|session|timestamp|duration|duration_ms|message|msg|"
    r"user|username|customer|request|error|exception|stack_trace|stacktrace|span|trace|pod|instance|host|hostname)"
)


def identifier_as_label(declared: Declared) -> Iterator[Finding]:
    """One stream per request: Loki refuses every new stream of every service at its limit (5,000; 3.7.6 answers 429)."""
    for name, field in declared.declaration.logging.fields.items():
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
        if field.store == "label" and field.type != "boolean" and _IDENTIFIER.fullmatch(words):
            fact = f"{name!r} has a value per request or machine: each would become a stream of its own"
            yield Finding(("logging", "fields", name, "store"), fact, "write store: metadata")


def stream_limit(declared: Declared) -> Iterator[Finding]:
    """Over the limit, Loki refuses each new stream, whoever sends it."""
    d = declared.declaration
    expected, limit = agent.streams(d), d.loki.limits.max_global_streams_per_user
    spread = (d.loki.replicas or 0) > (d.loki.replication_factor or 3)
    if d.loki.deploy and expected > limit * (0.8 if spread else 1):
        uneven = " if they lay evenly on its replicas" if spread else ""
        fact = f"the services make about {expected} streams, and Loki takes {limit}{uneven}"
        path = ("loki", "limits", "max_global_streams_per_user")
        yield Finding(path, fact, "store fewer fields as labels, or raise max_global_streams_per_user")


def level_label(declared: Declared) -> Iterator[Finding]:
    """Panels, alerts on logs and retention for some levels go by the label `level`."""
    fields = declared.declaration.logging.fields
    if "level" not in fields or fields["level"].store != "label":
        fact = "'level' is not stored as a label, and panels, alerts and retention go by it"
        path = ("logging", "fields", "level") if "level" in fields else ("logging", "fields")
        yield Finding(path, fact, "write level: {required: true, store: label}", key=True)


def reserved_level(declared: Declared) -> Iterator[Finding]:
    """The agent writes `UNKNOWN` for every level that isn't declared: as a level of its own nobody could tell the two apart."""
    for place, level in enumerate(declared.declaration.logging.levels):
        if level == agent.UNKNOWN:
            fact = f"{agent.UNKNOWN} is what the agent writes where a line has none of the levels"
            yield Finding(("logging", "levels", place), fact, "leave it out, or choose another word")


def reserved_label(declared: Declared) -> Iterator[Finding]:
    """The agent writes these labels from the pod; taken from the line, a service could write into another's stream."""
    for name, field in declared.declaration.logging.fields.items():
        if field.store != "line" and name in (*agent.TARGET_LABELS, *agent.TARGET_METADATA):
            fact = f"the agent writes {name!r} itself, from the pod"
            path = ("logging", "fields", name)
            yield Finding(path, fact, "leave it in the line, or call it something else", key=True)


def host_path(declared: Declared) -> Iterator[Finding]:
    """The agent mounts the nodes' log files, which Pod Security refuses below `privileged`: a DaemonSet without a pod, and no logs."""
    d = declared.declaration
    if d.output != "compose" and agent_namespace(d) == d.namespace:
        fact = (
            f"the agent reads files of the nodes, so that {d.namespace!r}, and all that runs there, must be privileged"
        )
        path = ("logging", "agent") if d.logging.agent.namespace is None else ("logging", "agent", "namespace")
        yield Finding(path, fact, "give the agent a namespace of its own: logging.agent.namespace")
