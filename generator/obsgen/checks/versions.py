"""Versions, options by hand, and what this version of obsgen does not render."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .. import upstream
from ..document import Path
from ..model import Declaration
from ..road import Declared
from .finding import Finding
from .routing import alertmanager_config


def unknown_version(declared: Declared) -> Iterator[Finding]:
    """A version that nothing here was ever read by."""
    for server, target in _targets(declared.declaration):
        if upstream.version(server, target) is None:
            known = ", ".join(upstream.versions(server))
            yield Finding(("versions", server), f"{server} {target} is not known here", f"there are: {known}")


def _targets(d: Declaration) -> Iterator[tuple[str, str]]:
    for server in d.versions.__struct_fields__:
        yield server, getattr(d.versions, server)


def unverified(declared: Declared) -> Iterator[Finding]:
    """A version that is known from its source and documentation only: no text of ours was ever read by it."""
    d = declared.declaration
    for server, target in _targets(d):
        version = upstream.version(server, target)
        if version and version.unverified and _in_use(d, server):
            tested = [
                one for one in upstream.versions(server) if (known := upstream.version(server, one)) and known.tested
            ]
            state = "is known from its source only:" if version.newest else "is not released, has no image, and"
            fact = f"{server} {target} {state} nothing rendered here was ever read by it"
            yield Finding(("versions", server), fact, f"read by their own programs: {', '.join(tested)}")


def end_of_life(declared: Declared) -> Iterator[Finding]:
    """A server that gets no fixes any more."""
    d = declared.declaration
    for server, target in _targets(d):
        version = upstream.version(server, target)
        if version and version.end_of_life and _in_use(d, server):
            ended = version.end_of_life
            is_agent = server == d.logging.agent.type
            path = ("logging", "agent", "type") if is_agent else ("versions", server)
            name = server if is_agent else f"{server} {target}"
            yield Finding(path, f"{name} reached its end of life on {ended.date}", f"change to {ended.change}")


def unpublished(declared: Declared) -> Iterator[Finding]:
    """A version that was never released has no image: the pod waits for it for ever."""
    d = declared.declaration
    for server, target in _targets(d):
        version = upstream.version(server, target)
        if version and version.newest is None and _in_use(d, server):
            fact = (
                f"{server} {target} is not released, as far as known here: {version.image} is the name that it may get"
            )
            yield Finding(("versions", server), fact, "write a version that is released")


def _in_use(d: Declaration, server: str) -> bool:
    if server in ("promtail", "alloy"):
        return server == d.logging.agent.type
    if server in ("redis", "redis_exporter"):
        return d.dlq is not None and (d.dlq.redis.deploy or server == "redis_exporter")
    return bool(getattr(getattr(d, server, None), "deploy", True))


def removed_option(declared: Declared) -> Iterator[Finding]:
    """A key that the target version no longer has, or does not have yet: the server refuses to start."""
    d = declared.declaration
    for server in ("loki", "prometheus", "alertmanager"):
        target = getattr(d.versions, server)
        for path, key in written(getattr(d, server).raw.patch, (server, "raw", "patch")):
            for option in upstream.removed(server, target):
                if option.key == key:
                    fact = f"{server} {target} has no {option.key} (removed in {option.since})"
                    yield Finding(path, fact, f"use {option.instead}" if option.instead else "remove it", key=True)
            for option in upstream.added(server):
                if option.key == key and upstream.number(option.since) > upstream.number(target):
                    fact = f"{option.key} came with {server} {option.since}, and the target is {target}"
                    yield Finding(path, fact, "remove it, or raise the version", key=True)


def too_old(declared: Declared) -> Iterator[Finding]:
    """A channel whose key the target Alertmanager doesn't know yet: it refuses the whole configuration, and nobody is told."""
    target = declared.declaration.versions.alertmanager
    newer = [
        option for option in upstream.added("alertmanager") if upstream.number(option.since) > upstream.number(target)
    ]
    if not newer:
        return
    used = {key for _, key in written(alertmanager_config(declared), ())}
    for option in newer:
        if option.key in used:
            fact = f"what is rendered uses {option.key}, which came with alertmanager {option.since}; the target is {target}"
            yield Finding(("versions", "alertmanager"), fact, "raise the version, or choose another channel")


def written(patch: Any, path: Path, above: str = "") -> Iterator[tuple[Path, str]]:
    """Where a patch or a configuration writes something, with the option's name as `upstream/` spells it: `a.b`, `a[].b`, `a=VALUE`."""
    if isinstance(patch, Mapping):
        for key, value in patch.items():
            name = f"{above}.{key}" if above else key
            if value is not None:  # null deletes
                yield (*path, key), name
                yield from written(value, (*path, key), name)
    elif isinstance(patch, list):
        for place, value in enumerate(patch):
            yield from written(value, (*path, place), f"{above}[]")
    else:
        yield path, f"{above}={patch}"
