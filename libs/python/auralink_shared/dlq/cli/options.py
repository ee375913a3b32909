"""What commands have in common: how Redis is reached, what they print, which letters are meant, who asks."""

from __future__ import annotations

import functools
import getpass
import os
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click

from .. import DeadLetters
from ..letter import Filter

Function = Callable[..., Any]
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def moment(value: str) -> float:
    """Seconds since 1970, of RFC 3339 (UTC where it names no zone) or of how long ago: 90m, 3d12h. Raises click.BadParameter."""
    if re.fullmatch(r"(\d+[smhdw])+", value):
        return time.time() - sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"(\d+)([smhdw])", value))
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        said = f"{value!r} is no time: 2026-11-26T09:00:00Z, 2026-11-26, or how long ago, 90m"
        raise click.BadParameter(said) from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def environment(redis: str | None) -> dict[str, str]:
    """The environment, with the Redis of --redis; without either this machine's, as redis-cli has it."""
    return {"DLQ_REDIS_URL": "redis://127.0.0.1:6379/0", **os.environ, **({"DLQ_REDIS_URL": redis} if redis else {})}


def connected(function: Function) -> Function:
    """Gives a command `letters`, by --redis and the environment."""

    @click.option("--redis", metavar="URL", help="Where Redis is, as redis://USER@HOST:PORT/0; else DLQ_REDIS_URL.")
    @functools.wraps(function)
    def command(*args: Any, redis: str | None = None, **kwargs: Any) -> Any:
        return function(*args, letters=DeadLetters.from_env(environment(redis)), **kwargs)

    return command


def printing(function: Function) -> Function:
    """Gives a command `as_json`."""

    @click.option(
        "--output",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="Text for people, or one JSON object a line.",
    )
    @functools.wraps(function)
    def command(*args: Any, output: str = "text", **kwargs: Any) -> Any:
        return function(*args, as_json=output == "json", **kwargs)

    return command


def filtered(function: Function) -> Function:
    """Gives a command `only`."""

    @click.option("--error", default="", metavar="TEXT", help="Part of the error or of its type, in any letter case.")
    @click.option("--text", default="", metavar="TEXT", help="Part of the whole letter, in any letter case.")
    @click.option("--fingerprint", default="", metavar="HEX", help="Of one group of equal errors, as groups shows it.")
    @click.option("--min-attempts", default=0, metavar="N", help="At least so many attempts.")
    @click.option("--since", type=moment, metavar="TIME", help="Not older: a time, or how long ago (90m, 3d).")
    @click.option("--until", type=moment, metavar="TIME", help="Not younger.")
    @click.option("--quarantined/--not-quarantined", default=None, help="Replayed as often as allowed, or not.")
    @functools.wraps(function)
    def command(*args: Any, **kwargs: Any) -> Any:
        names = ("error", "text", "fingerprint", "min_attempts", "since", "until", "quarantined")
        only = Filter(**{name: kwargs.pop(name) for name in names})
        return function(*args, only=only, **kwargs)

    return command


def acting(function: Function) -> Function:
    """Gives a command `by` and `note`, who did it and why, for the audit."""
    function = click.option(
        "--by", default=_login, metavar="NAME", help="Who does it, for the audit; else the login name."
    )(function)
    return click.option("--reason", "note", default="", metavar="TEXT", help="Why, for the audit.")(function)


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user that has no name
        return f"uid-{os.getuid()}"


def queue_argument(function: Function) -> Function:
    """The queue that is meant."""
    return click.argument("queue")(function)
