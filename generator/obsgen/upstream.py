"""What differs between the versions of the servers: `upstream/SERVER/*.yaml` as values, each file read when first asked for."""

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import msgspec
import yaml

from .assets import UPSTREAM


class _Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A closed map: a word that is not known here is an error, not silence."""


class EndOfLife(_Record, frozen=True):
    """The day after which a server gets no fixes, what replaces it, and what to write for that."""

    date: str
    instead: str
    change: str


class Version(_Record, frozen=True):
    """One MAJOR.MINOR: `tested` is None where nothing was read by it; `unverified` means from source and documentation only."""

    oldest: str
    tested: str | None
    newest: str | None
    image: str
    end_of_life: EndOfLife | None = None
    unverified: bool = False


class Option(_Record, frozen=True):
    """A key (`a.b[].c`, or `a.b=VALUE` for one value): `instead` where it was removed, `was` and `now` where its default changed."""

    key: str
    since: str
    instead: str = ""
    was: str = ""
    now: str = ""


class DashboardModel(_Record, frozen=True):
    """What Grafana knows of dashboards: the newest `schemaVersion`, its panels, and older ones that it `replaced`."""

    schema_version: int
    panels: tuple[str, ...]
    replaced: tuple[str, ...]


class Metric(_Record, frozen=True):
    """A metric with its own labels, without the target's; `values` closes a label, `open` means that configuration adds more labels."""

    type: Literal["counter", "gauge", "histogram", "summary"]
    labels: tuple[str, ...]
    provoked: str = ""
    values: Mapping[str, tuple[str, ...]] = {}
    open: bool = False


@functools.cache
def _file(server: str, name: str) -> dict[str, Any]:
    path = UPSTREAM / server / name
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return dict(yaml.load(path.read_text(encoding="utf-8"), Loader=loader)) if path.is_file() else {}


@functools.cache
def _versions(server: str) -> dict[str, Version]:
    return msgspec.convert(_file(server, "versions.yaml").get("versions", {}), dict[str, Version])


@functools.cache
def _options(server: str, section: str) -> tuple[Option, ...]:
    return msgspec.convert(_file(server, "options.yaml").get(section, ()), tuple[Option, ...])


def number(version: str) -> tuple[int, ...]:
    """A version as numbers, so that 3.13 comes after 3.5; a release candidate counts as its release."""
    return tuple(int(part) for part in version.partition("-")[0].split("."))


def version(server: str, target: str) -> Version | None:
    """What is known of a server at MAJOR.MINOR; None where nothing is."""
    return _versions(server).get(target)


def versions(server: str) -> tuple[str, ...]:
    """Every known MAJOR.MINOR of a server, oldest first."""
    return tuple(sorted(_versions(server), key=number))


def removed(server: str, target: str) -> tuple[Option, ...]:
    """Keys that the server no longer has at MAJOR.MINOR, each with what to write `instead`."""
    return tuple(option for option in _options(server, "removed") if number(option.since) <= number(target))


def added(server: str) -> tuple[Option, ...]:
    """Keys with the first version that knows them; an older one refuses them."""
    return _options(server, "added")


def knows(server: str, target: str, key: str) -> bool:
    """Whether the server has a key at MAJOR.MINOR, as far as `options.yaml` says: one that it names nowhere was always there."""
    later = {option.key for option in added(server) if number(option.since) > number(target)}
    return key not in later | {option.key for option in removed(server, target)}


def flipped(server: str) -> tuple[Option, ...]:
    """Keys whose default changed, with `was` and `now`."""
    return _options(server, "flipped")


@functools.cache
def dashboard_model() -> DashboardModel:
    """What every known version of Grafana reads."""
    return msgspec.convert(_file("grafana", "dashboards.yaml"), DashboardModel)


@functools.cache
def metrics(server: str) -> Mapping[str, Metric]:
    """Every metric that a server exports or makes, under the name of its family (a histogram without `_bucket`)."""
    file = _file(server, "metrics.yaml")
    rows = {**file.get("metrics", {}), **file.get("series", {})}
    every, ways = {"provoked": file.get("provoked", "")}, file.get("ways", {})
    told = {name: every | row for name, row in rows.items()}
    told = {name: row | {"provoked": ways.get(row["provoked"], row["provoked"])} for name, row in told.items()}
    return MappingProxyType(msgspec.convert(told, dict[str, Metric]))


@functools.cache
def all_metrics() -> Mapping[str, Metric]:
    """Every series of every server, named as queries name it: a histogram as `_bucket` (with `le`), `_sum` and `_count`."""
    servers = sorted(path.parent.name for path in UPSTREAM.glob("*/metrics.yaml"))
    return MappingProxyType(
        {name: m for s in servers for row in metrics(s).items() for name, m in _series(*row).items()}
    )


@functools.cache
def exporters() -> Mapping[str, frozenset[str]]:
    """Series, named as queries name it → the servers that export it, by their folders here."""
    found: dict[str, frozenset[str]] = {}
    for server in sorted(path.parent.name for path in UPSTREAM.glob("*/metrics.yaml")):
        for row in metrics(server).items():
            found |= {name: found.get(name, frozenset()) | {server} for name in _series(*row)}
    return MappingProxyType(found)


def _series(name: str, metric: Metric) -> dict[str, Metric]:
    if metric.type not in ("histogram", "summary"):
        return {name: metric}
    ending, label = ("_bucket", "le") if metric.type == "histogram" else ("", "quantile")
    split = msgspec.structs.replace(metric, labels=(*metric.labels, label))
    return {name + ending: split, name + "_sum": metric, name + "_count": metric}
