"""What differs between the versions of the servers: `upstream/SERVER/*.yaml` as values, each file read when first asked for."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal

import msgspec
import yaml

from .assets import UPSTREAM

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A closed map of these files: a word that is not known here is an error, not silence."""


class EndOfLife(_Record, frozen=True, kw_only=True):
    """The day after which a server gets no fixes, what replaces it, and what to write for that."""

    date: str
    instead: str
    change: str


class Version(_Record, frozen=True, kw_only=True):
    """One MAJOR.MINOR of a server.

    `tested` is the exact version that read such output, None where none did; `unverified` is known from source and documentation only.
    """

    oldest: str
    tested: str | None
    newest: str | None
    image: str
    end_of_life: EndOfLife | None = None
    unverified: bool = False


class Removed(_Record, frozen=True, kw_only=True):
    """A key (`a.b[].c`, or `a.b=VALUE` for one value of it) that the server has not known since a version; None where none is announced."""

    key: str
    since: str | None = None
    instead: str


class Added(_Record, frozen=True, kw_only=True):
    """A key that an older server refuses."""

    key: str
    since: str


class Flipped(_Record, frozen=True, kw_only=True):
    """A key whose default changed."""

    key: str
    since: str
    was: str
    now: str


class Metric(_Record, frozen=True, kw_only=True):
    """A metric with its own labels, without those of the target.

    `values` closes the values of a label; `open` says that further labels come from somebody's configuration.
    """

    type: Literal["counter", "gauge", "histogram", "summary"]
    labels: tuple[str, ...]
    provoked: str = ""
    values: Mapping[str, tuple[str, ...]] = {}
    open: bool = False


class _Versions(_Record, frozen=True, kw_only=True):
    versions: Mapping[str, Version] = {}


class _Options(_Record, frozen=True, kw_only=True):
    removed: tuple[Removed, ...] = ()
    deprecated: tuple[Removed, ...] = ()
    added: tuple[Added, ...] = ()
    flipped: tuple[Flipped, ...] = ()


class _Metrics(_Record, frozen=True, kw_only=True):
    provoked: str = ""
    metrics: Mapping[str, Metric] = {}
    series: Mapping[str, Metric] = {}


@functools.cache
def _read(server: str, kind: Any) -> Any:
    path = UPSTREAM / server / f"{kind.__name__.strip('_').lower()}.yaml"
    data = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER) if path.is_file() else {}
    return msgspec.convert(data, kind)


def number(version: str) -> tuple[int, ...]:
    """A version as numbers, so that 3.13 comes after 3.5."""
    return tuple(int(part) for part in version.split("."))


def version(server: str, target: str) -> Version | None:
    """What is known of a server at MAJOR.MINOR; None where nothing is."""
    found: Version | None = _read(server, _Versions).versions.get(target)
    return found


def versions(server: str) -> tuple[str, ...]:
    """Every known MAJOR.MINOR of a server, oldest first."""
    return tuple(sorted(_read(server, _Versions).versions, key=number))


def removed(server: str, target: str) -> tuple[Removed, ...]:
    """Keys that the server no longer has at MAJOR.MINOR."""
    every: tuple[Removed, ...] = _read(server, _Options).removed
    return tuple(option for option in every if option.since and number(option.since) <= number(target))


def deprecated(server: str) -> tuple[Removed, ...]:
    """Keys that the newest known version still takes, and means to drop."""
    found: tuple[Removed, ...] = _read(server, _Options).deprecated
    return found


def added(server: str) -> tuple[Added, ...]:
    """Keys with the first version that knows them."""
    found: tuple[Added, ...] = _read(server, _Options).added
    return found


def flipped(server: str) -> tuple[Flipped, ...]:
    """Defaults with the version that changed them."""
    found: tuple[Flipped, ...] = _read(server, _Options).flipped
    return found


@functools.cache
def metrics(server: str) -> Mapping[str, Metric]:
    """Every metric that a server exports or makes, under the name of its family (a histogram without `_bucket`)."""
    file: _Metrics = _read(server, _Metrics)
    rows = {**file.metrics, **file.series}
    return MappingProxyType(
        {n: m if m.provoked else msgspec.structs.replace(m, provoked=file.provoked) for n, m in rows.items()}
    )


@functools.cache
def all_metrics() -> Mapping[str, Metric]:
    """Every series of every server under the name that a query uses: a histogram as `_bucket` (with `le`), `_sum` and `_count`."""
    servers = sorted(path.parent.name for path in UPSTREAM.glob("*/metrics.yaml"))
    return MappingProxyType({name: m for s in servers for row in metrics(s).items() for name, m in _series(*row)})


def _series(name: str, metric: Metric) -> Iterator[tuple[str, Metric]]:
    if metric.type not in ("histogram", "summary"):
        yield name, metric
        return
    ending, label = ("_bucket", "le") if metric.type == "histogram" else ("", "quantile")
    yield name + ending, msgspec.structs.replace(metric, labels=(*metric.labels, label))
    yield name + "_sum", metric
    yield name + "_count", metric
