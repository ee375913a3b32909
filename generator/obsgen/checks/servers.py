"""What one server or another would swallow without a word."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any

import yaml

from ..overlay import merge
from ..road import Declared
from .finding import Finding


def s3_credentials(declared: Declared) -> Iterator[Finding]:
    """Such a Loki starts, reports ready, and never writes a chunk."""
    loki = declared.declaration.loki
    store = loki.object_store
    if loki.deploy and store and not (store.access_key and store.secret_key) and not store.service_account:
        fact = "the bucket has neither both keys nor a service account: Loki would report ready and store nothing"
        yield Finding(("loki", "object_store"), fact, "add access_key and secret_key, or service_account", key=True)


def replication(declared: Declared) -> Iterator[Finding]:
    """Fewer replicas than copies: Loki refuses each push ("at least N live replicas required")."""
    loki = declared.declaration.loki
    if not loki.deploy:
        return
    replicas = loki.replicas or (1 if loki.mode == "single-binary" else 3)
    copies = loki.replication_factor or (1 if loki.mode == "single-binary" else 3)
    if copies > replicas:
        fact = f"{copies} copies of each line need as many replicas, and there are {replicas}"
        key = "replication_factor" if loki.replication_factor else "replicas"
        yield Finding(("loki", key), fact, "lower replication_factor, or raise replicas")
    if loki.mode == "single-binary" and replicas > 1:
        fact = f"{replicas} single binaries don't know of each other, and each would hold a part of the logs"
        yield Finding(("loki", "replicas"), fact, "write replicas: 1, or mode: monolithic-ha")


def no_schema(declared: Declared) -> Iterator[Finding]:
    """Loki does not start without a first period, nor know what to do before it."""
    loki = declared.declaration.loki
    if loki.deploy and not loki.schema:
        fact = "Loki has no storage history"
        yield Finding(("loki", "schema"), fact, 'add a day in the past: schema: {"2025-10-01": {}}', key=True)


def schema_history(declared: Declared) -> Iterator[Finding]:
    """A past period that changes makes the logs written under it unreadable."""
    now = declared.declaration.loki.schema
    for day, period in _in_git_head(declared).items():
        if day not in now:
            fact = f"the period from {day} is in git's HEAD and gone here: its logs could not be read any more"
            yield Finding(("loki", "schema"), fact, "put it back", key=True)
        elif (period.get("store", "tsdb"), period.get("version", "v13")) != (now[day].store, now[day].version):
            fact = f"the period from {day} differs from git's HEAD: its logs could not be read any more"
            yield Finding(("loki", "schema", day), fact, "put it back, and add a new period", key=True)


def _in_git_head(declared: Declared) -> dict[str, dict[str, Any]]:
    """`loki.schema` of the same declaration and profile in git's HEAD; empty where HEAD lacks one of them, or without git."""
    merged: Any = {}
    for document in declared.layers.documents:
        before = _loki_schema(FilePath(document.file))
        if before is None:
            return {}
        merged = merge(merged, before)
    return {str(day): dict(period or {}) for day, period in merged.items() if isinstance(period, Mapping)}


def _loki_schema(file: FilePath) -> Mapping[str, Any] | None:
    """What HEAD says under `loki.schema` in this file; None where HEAD has no such file."""
    command = ["git", "-C", str(file.parent), "show", f"HEAD:./{file.name}"]
    try:
        shown = subprocess.run(command, capture_output=True, check=True, timeout=10)
        found = (yaml.safe_load(shown.stdout) or {}).get("loki") or {}
        return dict(found.get("schema") or {})
    except (OSError, subprocess.SubprocessError):
        return None
    except (yaml.YAMLError, AttributeError, TypeError, ValueError):
        return {}


def no_image(declared: Declared) -> Iterator[Finding]:
    """The admin API and the cleanup have nothing to run: no counter is exported, and every alert on dead letters is silent."""
    dlq = declared.declaration.dlq
    if dlq and not dlq.image:
        fact = "the admin API and the cleanup have no image"
        yield Finding(("dlq",), fact, "add image", key=True)


def cluster_of_one(declared: Declared) -> Iterator[Finding]:
    """The clients would ask a single Redis for the Cluster's slots, and get an error for an answer."""
    dlq = declared.declaration.dlq
    if dlq and dlq.redis.deploy and dlq.redis.cluster:
        fact = "the Redis that is deployed is no Cluster, and its clients would take it for one"
        yield Finding(
            ("dlq", "redis", "cluster"), fact, "remove cluster, or name your own: deploy: false and its address"
        )


def no_address(declared: Declared) -> Iterator[Finding]:
    """`deploy: false` means one that you run: without its address the agent has nowhere to send, and alerts reach nobody."""
    d = declared.declaration
    if not d.loki.deploy and not d.loki.url:
        fact = "Loki is not deployed here, and the agent doesn't know where it is"
        yield Finding(("loki",), fact, "add url, or deploy it", key=True)
    # the operator's Prometheus is told by its own object
    told_here = d.prometheus.deploy and d.output != "operator"
    asks = [name for name, needs in (("Prometheus", told_here), ("Loki's ruler", d.loki.deploy)) if needs]
    if not d.alertmanager.deploy and not d.alertmanager.url and asks:
        fact = f"Alertmanager is not deployed here, and {' and '.join(asks)} would send alerts to nobody"
        yield Finding(("alertmanager",), fact, "add url, or deploy it", key=True)


def no_admin_password(declared: Declared) -> Iterator[Finding]:
    """Without one, Grafana's admin is `admin` with the password `admin`, for everybody who finds the address."""
    grafana = declared.declaration.grafana
    if declared.declaration.deploys_grafana and grafana.admin_password is None:
        remedy = "add admin_password: {secret: NAME}, or write deploy: false"
        yield Finding(("grafana",), "Grafana is deployed without a password for its admin", remedy, key=True)
