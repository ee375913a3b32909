"""The dead letters' Redis, its exporter, the admin API and the cleanup."""

from __future__ import annotations

from collections.abc import Mapping

from .. import addresses, deadletters
from .row import Row, Value, image_of, named

# What the programs of `dlq.image` are told: where Redis is, and who they are there.
_DEAD_LETTERS: Mapping[str, Value] = {
    "address": lambda v: addresses.redis(v.d),
    "cluster_mode": lambda v: deadletters.of(v.d).redis.cluster,
    "image": lambda v: deadletters.of(v.d).image,
    "password": lambda v: deadletters.password(v.d),
}


ROWS: tuple[Row, ...] = (
    Row(
        "dlq/redis.yaml",
        "kubernetes/dlq-redis.yaml.j2",
        {
            **named("header", "namespace"),
            "commands": lambda v: deadletters.commands(),
            "image": image_of("redis"),
            "passwords": lambda v: deadletters.passwords(v.d),
            "queues": lambda v: sorted(deadletters.of(v.d).queues),
            "storage": lambda v: deadletters.of(v.d).redis.storage,
        },
        when=lambda p: p.declaration.dlq is not None and p.declaration.dlq.redis.deploy,
        manifest=True,
    ),
    Row(
        "dlq/exporter.yaml",
        "kubernetes/dlq-exporter.yaml.j2",
        {
            **named("header", "namespace"),
            "address": lambda v: addresses.redis(v.d),
            "cluster_mode": lambda v: deadletters.of(v.d).redis.cluster,
            "image": image_of("redis_exporter"),
            "keys": lambda v: ",".join(deadletters.measured_keys(v.d)),
            "password": lambda v: deadletters.exporter_password(v.d),
        },
        when=lambda p: p.declaration.dlq is not None,
        manifest=True,
    ),
    Row(
        "dlq/api.yaml",
        "kubernetes/dlq-api.yaml.j2",
        {
            **named("header", "namespace"),
            **_DEAD_LETTERS,
            "contract": lambda v: v.files["contract/contract.json"],
            "monitoring_namespace": lambda v: v.d.monitoring_namespace,
            "own_prometheus": lambda v: v.d.prometheus.deploy,
            "tokens": lambda v: deadletters.tokens(v.d),
        },
        when=lambda p: p.declaration.dlq is not None,
        wraps=("contract/contract.json",),
        manifest=True,
    ),
    Row(
        "dlq/cleanup.yaml",
        "kubernetes/dlq-cleanup.yaml.j2",
        {**named("header", "namespace"), **_DEAD_LETTERS},
        when=lambda p: p.declaration.dlq is not None,
        manifest=True,
    ),
)
