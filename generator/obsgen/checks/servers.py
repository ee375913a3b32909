"""What one server or another would swallow without a word."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from .. import upstream
from ..assets import TEMPLATES
from ..packs import CONTEXT
from ..road import Declared
from .finding import Finding


def s3_credentials(declared: Declared) -> Iterator[Finding]:
    """Such a Loki starts, reports ready, and never writes a chunk."""
    store = declared.plan.declaration.loki.object_store
    if store and not (store.access_key and store.secret_key) and not store.service_account:
        fact = "the bucket has neither both keys nor a service account: Loki would report ready and store nothing"
        yield Finding(("loki", "object_store"), fact, "add access_key and secret_key, or service_account", key=True)


def replication(declared: Declared) -> Iterator[Finding]:
    """Fewer replicas than copies: Loki refuses each push ("at least N live replicas required")."""
    loki = declared.plan.declaration.loki
    replicas = loki.replicas or (1 if loki.mode == "single-binary" else 3)
    copies = loki.replication_factor or (1 if loki.mode == "single-binary" else 3)
    if copies > replicas:
        fact = f"{copies} copies of each line need as many replicas, and there are {replicas}"
        yield Finding(("loki", "replication_factor"), fact, "lower replication_factor, or raise replicas")
    if loki.mode == "single-binary" and replicas > 1:
        fact = f"{replicas} single binaries don't know of each other, and each would hold a part of the logs"
        yield Finding(("loki", "replicas"), fact, "write replicas: 1, or mode: monolithic-ha")


def no_schema(declared: Declared) -> Iterator[Finding]:
    """Loki does not start without a first period, nor know what to do before it."""
    loki = declared.plan.declaration.loki
    if loki.deploy and not loki.schema:
        fact = "Loki has no storage history"
        yield Finding(("loki", "schema"), fact, 'add a day in the past: schema: {"2025-10-01": {}}', key=True)


def schema_history(declared: Declared) -> Iterator[Finding]:
    """A past period that changes makes the logs written under it unreadable."""
    base = declared.layers.documents[0]
    before = _in_git_head(base.file)
    now = declared.plan.declaration.loki.schema
    for day, period in before.items():
        path = ("loki", "schema", day)
        if day not in now:
            fact = f"the period from {day} is in git's HEAD and gone here: its logs could not be read any more"
            yield Finding(("loki", "schema"), fact, "put it back", key=True)
        elif {"store": "tsdb", "version": "v13", **(period or {})} != {
            "store": now[day].store,
            "version": now[day].version,
        }:
            yield Finding(path, f"the period from {day} differs from git's HEAD", "add a new period instead", key=True)


def _in_git_head(file: str) -> Mapping[str, Any]:
    """`loki.schema` of the declaration in git's HEAD; empty without git, without HEAD, or where it can't be read."""
    try:
        shown = subprocess.run(["git", "show", f"HEAD:./{file}"], capture_output=True, check=True, timeout=10)
        return dict((yaml.safe_load(shown.stdout) or {}).get("loki", {}).get("schema", {}))
    except (OSError, subprocess.SubprocessError, yaml.YAMLError, AttributeError, TypeError, ValueError):
        return {}


def end_of_life(declared: Declared) -> Iterator[Finding]:
    """A server that gets no fixes any more."""
    d = declared.plan.declaration
    agent = d.logging.agent.type
    version = upstream.version(agent, getattr(d.versions, agent))
    if version and version.end_of_life:
        ended = version.end_of_life
        fact = f"{agent} reached its end of life on {ended.date}"
        yield Finding(("logging", "agent", "type"), fact, f"change to {ended.change}")


def unknown_version(declared: Declared) -> Iterator[Finding]:
    """A version that nothing here was ever read by."""
    versions = declared.plan.declaration.versions
    for server in versions.__struct_fields__:
        target = getattr(versions, server)
        if upstream.version(server, target) is None:
            known = ", ".join(upstream.versions(server))
            yield Finding(("versions", server), f"{server} {target} is not known here", f"there are: {known}")


def removed_option(declared: Declared) -> Iterator[Finding]:
    """A key that the target version no longer has, or does not have yet: the server refuses to start."""
    d = declared.plan.declaration
    for server in ("loki", "prometheus", "alertmanager"):
        target = getattr(d.versions, server)
        written = set(_keys(getattr(d, server).raw.patch))
        for option in upstream.removed(server, target):
            if option.key in written:
                path = (server, "raw", "patch", *option.key.split("."))
                fact = f"{server} {target} has no {option.key} (removed in {option.since})"
                yield Finding(path, fact, f"use {option.instead}", key=True)
        for option in upstream.added(server):
            if option.key in written and _number(option.since) > _number(target):
                path = (server, "raw", "patch", *option.key.split("."))
                yield Finding(
                    path, f"{option.key} came with {server} {option.since}, and the target is {target}", "", key=True
                )


def _keys(patch: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for key, value in patch.items():
        yield above + key
        if isinstance(value, Mapping):
            yield from _keys(value, f"{above}{key}.")


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def raw_patch(declared: Declared) -> Iterator[Finding]:
    """Every use of the escape hatch is shown, so that it doesn't become the way in."""
    d = declared.plan.declaration
    for server in ("loki", "prometheus", "alertmanager", "grafana"):
        raw = getattr(d, server).raw
        if raw.patch:
            keys = ", ".join(raw.patch)
            reason = raw.reason or "no reason is given"
            until = f", until {raw.until}" if raw.until else ""
            yield Finding((server, "raw"), f"{server} is patched by hand at {keys}: {reason}{until}", "", key=True)


def not_rendered(declared: Declared) -> Iterator[Finding]:
    """What the grammar knows and this version can't render at all: the output would not be what was asked for."""
    d = declared.plan.declaration
    if d.output != "kubernetes":
        yield Finding(("output",), f"output: {d.output} is not rendered yet", "write output: kubernetes")
    if d.loki.mode != "single-binary":
        yield Finding(("loki", "mode"), f"mode: {d.loki.mode} is not rendered yet", "write mode: single-binary")
    agent = d.logging.agent.type
    if not (TEMPLATES / agent / "config.yaml.j2").is_file():
        yield Finding(("logging", "agent", "type"), f"the agent {agent} is not rendered yet", "write type: promtail")
    for pack in d.packs:
        if pack not in CONTEXT:
            yield Finding(("packs", pack), f"the pack {pack!r} is not rendered yet", "remove it for now", key=True)


def partly_rendered(declared: Declared) -> Iterator[Finding]:
    """What is declared and left out of the output must not look rendered."""
    d = declared.plan.declaration
    left_out = {
        ("grafana",): d.grafana.deploy,
        ("rule_files",): bool(d.rule_files),
        ("dashboards",): bool(d.dashboards.files),
        ("dlq", "redis"): bool(d.dlq and d.dlq.redis.deploy),
    }
    for path, wanted in left_out.items():
        if wanted:
            fact = f"{'.'.join(path)} is declared, and this version renders nothing for it yet"
            yield Finding(path, fact, "deploy it yourself for now", key=True)
