"""What `output: compose`, which is one machine, can't hold."""

from __future__ import annotations

from collections.abc import Iterator

from ..road import Declared
from .finding import Finding


def one_machine(declared: Declared) -> Iterator[Finding]:
    """Copies on one machine fail together, and what only Kubernetes gives is given by nobody here."""
    d = declared.declaration
    if d.output != "compose":
        return
    if d.loki.deploy and d.loki.mode != "single-binary":
        fact = f"output: compose is one machine, and mode: {d.loki.mode} is several"
        yield Finding(("loki", "mode"), fact, "write mode: single-binary, or output: kubernetes")
    if d.alertmanager.deploy and d.alertmanager.replicas > 1:
        fact = f"output: compose is one machine, whose {d.alertmanager.replicas} Alertmanagers would fail together"
        yield Finding(("alertmanager", "replicas"), fact, "write replicas: 1, or output: kubernetes")
    store = d.loki.object_store
    if d.loki.deploy and store and store.service_account and not (store.access_key and store.secret_key):
        fact = "a service account is Kubernetes': on one machine Loki would have no way into its bucket"
        yield Finding(("loki", "object_store", "service_account"), fact, "add access_key and secret_key", key=True)
