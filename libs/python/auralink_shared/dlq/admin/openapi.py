"""Prints the API's description: `python -m auralink_shared.dlq.admin.openapi > libs/python/openapi.json`; a test compares."""

from __future__ import annotations

from redis import Redis

from .. import DeadLetters, Settings
from .app import create_app
from .describe import text

if __name__ == "__main__":
    print(text(create_app(DeadLetters(Redis(), settings=Settings()), tokens=None)), end="")
