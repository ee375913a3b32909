"""The client that the variables of a rendered workload name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

URL, PASSWORD, CLUSTER = "DLQ_REDIS_URL", "DLQ_REDIS_PASSWORD", "DLQ_REDIS_CLUSTER"
_NO = ("", "0", "false", "no")
_YES = ("1", "true", "yes")


def from_env(environ: Mapping[str, str]) -> Any:
    """redis.Redis, or redis.RedisCluster. Raises ValueError that names a variable, and for a Cluster that is away Redis' error."""
    import redis

    url, cluster = environ.get(URL, ""), environ.get(CLUSTER, "").lower()
    if not url:
        raise ValueError(f"{URL} is not set: redis://dlq@HOST:6379/0")
    if cluster not in _NO + _YES:
        raise ValueError(f"{CLUSTER}={cluster} is neither 1 nor 0")
    # nobody waits for a Redis that has gone for ever
    how: dict[str, Any] = {"socket_timeout": 10, "socket_connect_timeout": 5}
    if environ.get(PASSWORD):
        how["password"] = environ[PASSWORD]
    try:
        client: Any = (redis.RedisCluster if cluster in _YES else redis.Redis).from_url(url, **how)
    except ValueError as error:
        raise ValueError(f"{URL}: {error}") from None
    return client
