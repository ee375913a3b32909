"""A redis-server of its own, with the rendered settings."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

from bench.processes import ROOT

# of a container, or in the way of a million letters
ELSEWHERE = ("dir", "aclfile", "bind", "port", "maxmemory")


@contextmanager
def server() -> Iterator[Any]:
    """A client of it; it ends with the block. Raises RuntimeError where there is no redis-server."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "obsgen" / "bin"
    program = next((str(path) for path in cache.glob("redis-server-7.*")), None) or shutil.which("redis-server")
    if not program:
        raise RuntimeError("redis-server is not here (make tools)")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    rendered = (ROOT / "rendered" / "local" / "dlq" / "redis.conf").read_text(encoding="utf-8").splitlines()
    kept = [line for line in rendered if line.partition(" ")[0] not in ELSEWHERE]
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "redis.conf"
        settings.write_text("\n".join([*kept, f"dir {folder}", "bind 127.0.0.1", f"port {port}", ""]), encoding="utf-8")
        process = subprocess.Popen([program, settings], stdout=subprocess.DEVNULL)
        try:
            yield _ready(redis.Redis(port=port), process)
        finally:
            process.kill()
            process.wait()


def _ready(client: Any, process: subprocess.Popen[bytes]) -> Any:
    while True:
        try:
            client.ping()
            return client
        except redis.ConnectionError:
            if process.poll() is not None:
                raise RuntimeError("redis-server did not start") from None
            time.sleep(0.01)
