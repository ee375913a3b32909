"""What an operation on a dead letter can meet. Redis' own errors pass through as they are.

Names say what is so, as an operator reads it, not that something is an error.
"""

from __future__ import annotations

from redis.exceptions import RedisClusterException, RedisError

REDIS = (RedisError, RedisClusterException)
"""What redis-py raises for a Redis that doesn't do it: that no node of a Cluster is reached is no RedisError (redis-py 8.1)."""


class DeadLetterError(Exception):
    """Nothing was changed, for the reason that the subclass names."""


class Unknown(DeadLetterError):  # noqa: N818
    """No such letter where it was looked for: never there, or somebody was faster."""


class Conflict(DeadLetterError):  # noqa: N818
    """The letter is not the one that was seen, another has its id, or a retry of it is under way."""


class Quarantined(DeadLetterError):  # noqa: N818
    """It was replayed as often as allowed; a person may force it."""


class Refused(DeadLetterError):  # noqa: N818
    """The queue's key holds something else than a list, so the letter stays."""


class TooLarge(DeadLetterError):  # noqa: N818
    """Its body is over the limit."""


class NeedsAllowAll(DeadLetterError):  # noqa: N818
    """A filter without a condition means every letter, which must be said."""
