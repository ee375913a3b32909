"""Who reads which secret, and how: mounted files for Alertmanager, environment for Loki. Never a value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from . import deadletters
from .grafana import ADMIN_PASSWORD
from .model import Declaration, ObjectStore, SecretSource
from .quoting import SECRETS_MOUNT
from .routing import Receiver


class Needed(NamedTuple):
    """A key of a Secret that must exist, and who reads it."""

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


def environment(declaration: Declaration, store: ObjectStore | None) -> list[tuple[str, SecretSource]]:
    """Environment variables of Loki that hold the bucket's keys; empty with a ServiceAccount."""
    pairs = [("S3_ACCESS_KEY", store and store.access_key), ("S3_SECRET_KEY", store and store.secret_key)]
    return [(variable, declaration.secrets[reference.secret]) for variable, reference in pairs if reference]


def needed(declaration: Declaration, receivers: Iterable[Receiver]) -> list[Needed]:
    """Every Secret key to create, sorted by where it lives."""
    readers: dict[str, set[str]] = {}
    for name, _ in files(declaration, receivers):
        readers.setdefault(name, set()).add(f"Alertmanager, file `{SECRETS_MOUNT}/{name}`")
    store = declaration.loki.object_store
    if declaration.loki.deploy and store:
        for variable, reference in (("S3_ACCESS_KEY", store.access_key), ("S3_SECRET_KEY", store.secret_key)):
            if reference:
                readers.setdefault(reference.secret, set()).add(f"Loki, variable `{variable}`")
    if declaration.grafana.deploy and declaration.grafana.admin_password:
        reader = f"Grafana, variable `{ADMIN_PASSWORD}`"
        readers.setdefault(declaration.grafana.admin_password.secret, set()).add(reader)
    for name, reader in deadletters.readers(declaration):
        readers.setdefault(name, set()).add(reader)
    sources = declaration.secrets
    return sorted(Needed(sources[n].secret, sources[n].key, n, tuple(sorted(who))) for n, who in readers.items())
