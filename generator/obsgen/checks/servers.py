"""What one server or another would swallow without a word."""

from __future__ import annotations

from collections.abc import Iterator

from ..road import Declared
from .finding import Finding


def s3_credentials(declared: Declared) -> Iterator[Finding]:
    """Such a Loki starts, reports ready, and never writes a chunk."""
    loki = declared.declaration.loki
    store = loki.object_store
    if loki.deploy and store and not (store.access_key and store.secret_key) and not store.service_account:
        fact = "the bucket has neither both keys nor a service account: Loki would report ready and store nothing"
        yield Finding(("loki", "object_store"), fact, "add access_key and secret_key, or service_account", key=True)


def no_schema(declared: Declared) -> Iterator[Finding]:
    """Loki does not start without a first period, nor know what to do before it."""
    loki = declared.declaration.loki
    if loki.deploy and not loki.schema:
        fact = "Loki has no storage history"
        yield Finding(("loki", "schema"), fact, 'add a day in the past: schema: {"2025-10-01": {}}', key=True)


def no_image(declared: Declared) -> Iterator[Finding]:
    """The admin API and the cleanup have nothing to run: no counter is exported, and every alert on dead letters is silent."""
    dlq = declared.declaration.dlq
    if dlq and not dlq.image:
        fact = "the admin API and the cleanup have no image"
        yield Finding(("dlq",), fact, "add image", key=True)


def no_tokens(declared: Declared) -> Iterator[Finding]:
    """The admin API refuses to serve an address that others reach while it doesn't know who may retry and remove."""
    dlq = declared.declaration.dlq
    if dlq and not dlq.api.tokens:
        fact = "the admin API doesn't know who may use it, and would not start"
        yield Finding(("dlq",), fact, "add api: {tokens: {secret: NAME}}", key=True)


def moving_image(declared: Declared) -> Iterator[Finding]:
    """A name without a version is another program after the next pull, on one node and not on the other."""
    dlq = declared.declaration.dlq
    image = dlq.image if dlq else None
    if image and "@" not in image and image.rpartition("/")[2].partition(":")[2] in ("", "latest"):
        fact = f"{image} names no version, so that nodes may run different ones"
        yield Finding(("dlq", "image"), fact, "add a tag or a digest")


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
