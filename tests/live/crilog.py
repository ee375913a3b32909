"""The log file of a container on its node: written in CRI's form as containerd does, rotated as a kubelet does."""

from __future__ import annotations

import gzip
import os
import threading
from datetime import UTC, datetime
from pathlib import Path

PART = 16384
"""containerd's max_container_log_line_size: what is longer goes in parts, all but the last marked P."""


class CriLog:
    """Takes what comes out of a pipe into `path`, in a thread of its own, until the pipe's other end is closed."""

    def __init__(self, path: Path, pipe: int) -> None:
        self.path = path
        self._file = path.open("ab")
        self._lock = threading.Lock()
        threading.Thread(target=self._follow, args=(pipe,), daemon=True).start()

    def _follow(self, pipe: int) -> None:
        with os.fdopen(pipe, "rb") as lines:
            while part := lines.readline(PART):
                whole = part.endswith(b"\n")
                stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z").encode()
                with self._lock:
                    self._file.write(b"%s stdout %s %s\n" % (stamp, b"F" if whole else b"P", part.rstrip(b"\n")))
                    self._file.flush()
        with self._lock:
            self._file.close()

    def rotate(self) -> None:
        """The file gets a name of its time and the runtime begins a new one; what was rotated before is compressed first.

        So does a kubelet (1.36, pkg/kubelet/logs) with a file over containerLogMaxSize.
        """
        for before in self.path.parent.glob(f"{self.path.name}.*[0-9]"):
            packed = before.with_name(f"{before.name}.tmp")
            packed.write_bytes(gzip.compress(before.read_bytes()))
            packed.rename(before.with_name(f"{before.name}.gz"))
            before.unlink()
        rotated = self.path.with_name(f"{self.path.name}.{datetime.now(UTC):%Y%m%d-%H%M%S.%f}")
        # a real runtime opens the new file some milliseconds later: what it writes to the old one in between, an agent may miss
        with self._lock:
            self.path.rename(rotated)
            self._file.close()
            self._file = self.path.open("ab")
