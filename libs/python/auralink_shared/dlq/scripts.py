"""The Lua of libs/lua, which Go runs as well: each is shared.lua and one file behind it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from redis.exceptions import NoScriptError

_PACKAGED = Path(__file__).parents[1] / "lua"
FOLDER = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parents[3] / "lua"
NAMES = sorted(path.stem for path in FOLDER.glob("*.lua") if path.stem != "shared")


@cache
def text(name: str) -> str:
    """A script as Redis gets it."""
    return "".join((FOLDER / f"{part}.lua").read_text(encoding="utf-8") for part in ("shared", name))


@cache
def sha1(name: str) -> str:
    """What EVALSHA calls it; pinned in libs/lua/SHA1SUMS."""
    return hashlib.sha1(text(name).encode(), usedforsecurity=False).hexdigest()


def run(client: Any, name: str, keys: Sequence[str], *arguments: str | bytes | int) -> Any:
    """Its answer. A Redis that doesn't know it yet (restarted, another node) gets the text once more."""
    try:
        return client.evalsha(sha1(name), len(keys), *keys, *arguments)
    except NoScriptError:
        return client.eval(text(name), len(keys), *keys, *arguments)


def sums() -> str:
    """libs/lua/SHA1SUMS: a line for each script."""
    return "".join(f"{sha1(name)}  {name}\n" for name in NAMES)
