"""Whether Redis keeps what it acknowledges: what it is set to, and what follows for the promises of docs/dead-letters.md."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .errors import REDIS

AWAY = "redis"  # the name of the one finding of a Redis that doesn't answer
OLDEST = (7, 0)  # older ones were never tried
UNSEEN = "not told"


@dataclass(frozen=True)
class Finding:
    """`value` as Redis has it, several of a Cluster with their nodes. `ok`: what `meaning` promises holds; else `remedy` says what to do.

    `promise`: durability hangs on it; the others are told so that nobody believes more than is so.
    """

    name: str
    value: str
    ok: bool
    meaning: str
    remedy: str
    promise: bool = True


# setting, what it has to be, what that promises, what to do
_SETTINGS: tuple[tuple[str, tuple[str, ...], str, str], ...] = (
    (
        "appendonly",
        ("yes",),
        "A restart finds what was written; without it every letter since the last snapshot is gone.",
        "CONFIG SET appendonly yes while it runs, then in its file: a restart with the file alone begins empty.",
    ),
    (
        "appendfsync",
        ("always",),
        "A letter is on disk before it is acknowledged; with everysec the last second and more is lost with the power.",
        "CONFIG SET appendfsync always, and in its file.",
    ),
    (
        "no-appendfsync-on-rewrite",
        ("no",),
        "That holds while the file is rewritten too.",
        "CONFIG SET no-appendfsync-on-rewrite no, and in its file.",
    ),
    (
        "maxmemory-policy",
        ("noeviction",),
        "A full Redis refuses, and services keep letters in their spool; another policy throws keys away.",
        "CONFIG SET maxmemory-policy noeviction, and no cache in this Redis.",
    ),
)


def examine(client: Any) -> list[Finding]:
    """What there is to say, of every primary where it is a Cluster; raises nothing: a Redis that is away is a finding."""
    try:
        nodes, infos = _asked(client)
    except (*REDIS, OSError) as error:
        return [Finding(AWAY, str(error), False, "Nothing can be said.", "See that it runs and lets this user in.")]
    found = [
        Finding(
            "version",
            _said((name, _version(info)) for name, info in infos),
            all(_number(info) >= OLDEST for _, info in infos),
            "The scripts are tested from Redis 7.0 on.",
            "Use Redis 7.0 or newer, or Valkey.",
        ),
        Finding(
            "role",
            _said((name, str(info.get("role", UNSEEN))) for name, info in infos),
            all(info.get("role") == "master" for _, info in infos),
            "Only a primary takes letters.",
            "Name the primary's address.",
        ),
    ]
    for setting, wanted, meaning, remedy in _SETTINGS:
        values = [(name, _setting(node, setting)) for name, node in nodes]
        found.append(Finding(setting, _said(values), all(value in wanted for _, value in values), meaning, remedy))
    writes = [(name, str(info.get("aof_last_write_status", UNSEEN))) for name, info in infos]
    found.append(
        Finding(
            "aof_last_write_status",
            _said(writes),
            all(value == "ok" for _, value in writes),
            "The last write to the append-only file succeeded.",
            "Look at the disk and at Redis' log.",
        )
    )
    rewrites = [(name, str(info.get("aof_last_bgrewrite_status", UNSEEN))) for name, info in infos]
    found.append(
        Finding(
            "aof_last_bgrewrite_status",
            _said(rewrites),
            all(value == "ok" for _, value in rewrites),
            "The append-only file can be rewritten; if not it grows until the disk is full. No letter is in danger yet.",
            "Look at Redis' log; a rewrite needs memory and disk.",
            promise=False,
        )
    )
    found.append(
        Finding(
            "replicas",
            _said((name, str(info.get("connected_slaves", UNSEEN))) for name, info in infos),
            True,
            "Not promised: a replica that takes over may lack the last letters; Redis copies after it acknowledges.",
            "",
            promise=False,
        )
    )
    return found


def durable(findings: Iterable[Finding]) -> bool:
    """`dlq_durability_ok`: every finding that carries a promise is ok."""
    return all(one.ok for one in findings if one.promise)


_Nodes = list[tuple[str, Any]]


def _asked(client: Any) -> tuple[_Nodes, list[tuple[str, dict[str, Any]]]]:
    """Each node, and what it says of itself. Raises Redis' error and OSError.

    A node of a Cluster that has come back at another address is asked there: redis-py (8.1) reads the nodes anew when a command for a key
    meets a dead one, and not when a node is asked by itself.
    """
    try:
        return _infos(client)
    except (*REDIS, OSError):
        if not hasattr(client, "get_primaries"):
            raise
        client.nodes_manager.initialize()
        return _infos(client)


def _infos(client: Any) -> tuple[_Nodes, list[tuple[str, dict[str, Any]]]]:
    nodes: _Nodes = [("", client)]
    if hasattr(client, "get_primaries"):
        nodes = [(node.name, client.get_redis_connection(node)) for node in client.get_primaries()]
    return nodes, [(name, node.info()) for name, node in nodes]


def _setting(node: Any, name: str) -> str:
    try:
        answer = node.config_get(name)
    except REDIS:  # a managed Redis may have no CONFIG
        return UNSEEN
    # in bytes, from a client that carries bodies
    values = [value.decode() if isinstance(value, bytes) else str(value) for value in answer.values()]
    return values[0] if values else UNSEEN


def _version(info: dict[str, Any]) -> str:
    # Valkey calls itself Redis 7.2.4 besides, for clients that ask for features
    if "valkey_version" in info:
        return f"Valkey {info['valkey_version']}"
    return f"Redis {info.get('redis_version', UNSEEN)}"


def _number(info: dict[str, Any]) -> tuple[int, ...]:
    return tuple(int(part) for part in str(info.get("redis_version", "0")).split(".")[:2] if part.isdigit())


def _said(values: Iterable[tuple[str, str]]) -> str:
    """The one value, or each with the nodes that have it."""
    nodes: dict[str, list[str]] = {}
    for node, value in values:
        nodes.setdefault(value, []).append(node)
    if len(nodes) == 1:
        return next(iter(nodes))
    return ", ".join(f"{value} ({' '.join(names)})" for value, names in nodes.items())
