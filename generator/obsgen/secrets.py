"""Who reads which secret, and how: mounted files for Alertmanager, environment for Loki. Never a value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from . import deadletters
from .grafana import ADMIN_PASSWORD
from .model import Declaration, ObjectStore, SecretSource
from .quoting import SecretFile
from .routing import Receiver

FILES_OF_COMPOSE = "/run/secrets"
"""Where Compose mounts each secret that a service names (Compose specification, `secrets`)."""

# For each output, the file in which Alertmanager finds a secret, from its logical name and where it lives.
FILES: Mapping[str, Callable[[str, SecretSource], str]] = {
    "kubernetes": lambda name, source: f"/etc/alertmanager/secrets/{name}",
    # prometheus-operator 0.85 mounts each Secret of `spec.secrets` there, whole
    "operator": lambda name, source: f"/etc/alertmanager/secrets/{source.secret}/{source.key}",
    "compose": lambda name, source: f"{FILES_OF_COMPOSE}/{name}",
}


class Needed(NamedTuple):
    """A key of a Secret that must exist in a namespace, and who reads it there."""

    namespace: str
    secret: str
    key: str
    name: str
    readers: tuple[str, ...]


def references(value: Any) -> Iterator[str]:
    """Logical names of every `{secret: NAME}` inside a channel."""
    if isinstance(value, Mapping):
        if set(value) == {"secret"}:
            yield value["secret"]
        else:
            for item in value.values():
                yield from references(item)


def files(declaration: Declaration, receivers: Iterable[Receiver]) -> list[tuple[str, SecretSource]]:
    """Secrets that Alertmanager reads as files of its mounted folder, by logical name."""
    names = {name for receiver in receivers for channel in receiver.channels for name in references(channel)}
    return [(name, declaration.secrets[name]) for name in sorted(names)]


def file(declaration: Declaration, name: str) -> str:
    """The file in which Alertmanager finds the secret of a logical name; read at each notification, so rotating needs no reload."""
    return FILES[declaration.output](name, declaration.secrets[name])


def located(declaration: Declaration, receivers: Iterable[Receiver]) -> list[Receiver]:
    """Receivers as their templates see them: for each `secret: NAME`, the file where this output puts it."""
    return [
        replace(receiver, channels=tuple(_located(declaration, channel) for channel in receiver.channels))
        for receiver in receivers
    ]


def _located(declaration: Declaration, value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    if set(value) == {"secret"}:
        return SecretFile(file(declaration, value["secret"]))
    return {key: _located(declaration, item) for key, item in value.items()}


def environment(declaration: Declaration, store: ObjectStore | None) -> list[tuple[str, SecretSource]]:
    """Environment variables of Loki that hold the bucket's keys; empty with a ServiceAccount."""
    pairs = [("S3_ACCESS_KEY", store and store.access_key), ("S3_SECRET_KEY", store and store.secret_key)]
    return [(variable, declaration.secrets[reference.secret]) for variable, reference in pairs if reference]


def needed(declaration: Declaration, receivers: Iterable[Receiver]) -> list[Needed]:
    """Every Secret key to create, sorted by where it lives; the declaration's namespace first."""
    d = declaration
    readers: dict[tuple[str, str], set[str]] = {}
    for name, _ in files(d, receivers):
        readers.setdefault((d.monitoring_namespace, name), set()).add(f"Alertmanager, file `{file(d, name)}`")
    store = d.loki.object_store
    if d.loki.deploy and store:
        for variable, reference in (("S3_ACCESS_KEY", store.access_key), ("S3_SECRET_KEY", store.secret_key)):
            if reference:
                readers.setdefault((d.namespace, reference.secret), set()).add(f"Loki, variable `{variable}`")
    if d.deploys_grafana and d.grafana.admin_password:
        reader = f"Grafana, variable `{ADMIN_PASSWORD}`"
        readers.setdefault((d.namespace, d.grafana.admin_password.secret), set()).add(reader)
    for name, reader in deadletters.readers(d):
        readers.setdefault((d.namespace, name), set()).add(reader)
    found = [
        Needed(namespace, d.secrets[name].secret, d.secrets[name].key, name, tuple(sorted(who)))
        for (namespace, name), who in readers.items()
    ]
    return sorted(found, key=lambda need: (need.namespace != d.namespace, need))
