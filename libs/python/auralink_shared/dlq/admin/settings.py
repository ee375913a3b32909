"""The API as its environment says."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from fastapi import FastAPI

from .. import DeadLetters
from .app import create_app
from .auth import Tokens


class SettingsError(Exception):
    """The API can't start like this; the message says why and what to do."""


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address. A name other than `localhost` may be anything."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def create_from_env(environ: Mapping[str, str], host: str) -> FastAPI:
    """The application for a server on `host`: DLQ_TOKENS_FILE, DLQ_READ_ONLY, and what `DeadLetters.from_env` reads.

    Raises SettingsError where anybody could ask: no tokens, and `host` is not loopback. TokensError, ContractError and
    ValueError pass through.
    """
    path, loopback = environ.get("DLQ_TOKENS_FILE"), is_loopback(host)
    if not path and not loopback:
        raise SettingsError(
            f"without DLQ_TOKENS_FILE anybody who reaches {host} could read and send letters: name a file of tokens "
            "(auralink-dlq token makes one), or serve 127.0.0.1"
        )
    read_only = environ.get("DLQ_READ_ONLY", "").lower() in ("1", "true", "yes", "on")
    tokens = Tokens.load(path) if path else None
    return create_app(DeadLetters.from_env(environ), tokens=tokens, read_only=read_only, loopback=loopback)
