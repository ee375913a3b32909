"""What `output: compose` adds to the rest: which container is given which secret, and how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from . import routing, secrets
from .model import Declaration, SecretRef

LOKI_VARIABLES = "secrets/loki.env"
"""Loki takes the bucket's keys from its environment only, and its image has no shell that could read them from files (since 3.5.8)."""


class File(NamedTuple):
    """A file of the folder `secrets`, the logical names of what stands in it, and who reads it."""

    path: str
    names: tuple[str, ...]
    readers: tuple[str, ...]


def variables(declaration: Declaration) -> Mapping[str, Mapping[str, str]]:
    """Service → variable → logical name of the secret whose file a shell puts there before the program starts."""
    dlq = declaration.dlq
    if dlq is None:
        return {}
    own, exporter = dlq.redis.password.secret, (dlq.redis.exporter_password or dlq.redis.password).secret
    return {
        "dlq-redis": {"DLQ_PASSWORD": own, "EXPORTER_PASSWORD": exporter},
        "redis-exporter": {"REDIS_PASSWORD": exporter},
        "dlq-api": {"DLQ_REDIS_PASSWORD": own},
        "dlq-cleanup": {"DLQ_REDIS_PASSWORD": own},
    }


def file_names(declaration: Declaration) -> Mapping[str, Mapping[str, str]]:
    """Service → variable → logical name of the secret whose file the program reads itself; the variable says where it is."""
    dlq = declaration.dlq
    return {"dlq-api": {"DLQ_TOKENS_FILE": dlq.api.tokens.secret}} if dlq and dlq.api.tokens else {}


def given(declaration: Declaration) -> dict[str, list[str]]:
    """Service → logical names of the secrets that are mounted into it, sorted."""
    found = (variables(declaration), file_names(declaration))
    return {name: sorted({one for of in found for one in of.get(name, {}).values()}) for name in found[0]}


def start(of: Mapping[str, str]) -> str:
    """A shell's script that reads files of secrets into variables and becomes the program named by its arguments.

    For `sh -e`: without its file, the program must not start.
    """
    reads = [f'{variable}="$(cat {secrets.FILES_OF_COMPOSE}/{name})"' for variable, name in of.items()]
    return "; ".join([*reads, f"export {' '.join(of)}", 'exec "$@"'])


def loki_variables(declaration: Declaration) -> dict[str, str]:
    """Variable → logical name of the bucket's keys; empty where Loki needs none."""
    loki = declaration.loki
    store = loki.object_store if loki.deploy else None
    keys: dict[str, SecretRef | None] = {}
    if store:
        keys = {"S3_ACCESS_KEY": store.access_key, "S3_SECRET_KEY": store.secret_key}
    return {variable: key.secret for variable, key in keys.items() if key}


def mounted(declaration: Declaration) -> list[str]:
    """Logical names of the secrets that are files of their own, sorted."""
    names = {name for name, _ in secrets.files(declaration, routing.receivers(declaration))}
    names |= {name for of in _deployed(declaration).values() for name in of.values()}
    names |= {name for of in file_names(declaration).values() for name in of.values()}
    if declaration.deploys_grafana and declaration.grafana.admin_password:
        names.add(declaration.grafana.admin_password.secret)
    return sorted(names)


def _deployed(declaration: Declaration) -> Mapping[str, Mapping[str, str]]:
    found = dict(variables(declaration))
    if declaration.dlq and not declaration.dlq.redis.deploy:
        del found["dlq-redis"]
    return found


def files(declaration: Declaration) -> list[File]:
    """Every file to create before the first start."""
    readers = {need.name: need.readers for need in secrets.needed(declaration, routing.receivers(declaration))}
    found = [
        File(f"secrets/{name}", (name,), tuple(one for one in readers[name] if not one.startswith("Loki")))
        for name in mounted(declaration)
    ]
    keys = loki_variables(declaration)
    return [*found, File(LOKI_VARIABLES, tuple(keys.values()), ("Loki",))] if keys else found
