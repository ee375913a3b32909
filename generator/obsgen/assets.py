"""Where the shipped data lives: beside the package in a wheel, at the top of the tree in a checkout."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def _shipped(name: str) -> Path:
    installed = _PACKAGE / name
    return installed if installed.is_dir() else _PACKAGE.parents[1] / name


TEMPLATES = _shipped("templates")
SCHEMAS = _shipped("schemas")
UPSTREAM = _shipped("upstream")
PACKS = _shipped("packs")
LUA = _shipped("libs/lua")
REDACTION = _shipped("libs/python") / "auralink_shared" / "logging" / "redaction.py"
"""What the loggers redact by, so that what looks for credentials in their lines goes by the same patterns."""
