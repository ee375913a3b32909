"""A loss of power, as far as one machine can show it: the files of Redis lose what no fsync had confirmed."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

_RECORD = struct.Struct("=QQ")  # inode, length: as shim.c writes it


class NoCompilerError(Exception):
    """The shim is C, and nothing here compiles it."""


def shim(folder: Path) -> Path:
    """Compiles shim.c into `folder`, to be preloaded. Raises NoCompilerError."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        raise NoCompilerError("no C compiler is here, so no power can be cut (Debian: gcc and libc6-dev)")
    library = folder / "shim.so"
    source = Path(__file__).with_name("shim.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, source], check=True)
    return library


class Disk:
    """What is known to be on the disk of one Redis. `folder`: its working directory."""

    def __init__(self, folder: Path) -> None:
        self._files, self.journal = folder / "appendonlydir", folder / "synced"

    def boot(self) -> None:
        """A machine that starts has exactly what is on its disk."""
        records = (_RECORD.pack(file.stat().st_ino, file.stat().st_size) for file in self._files.glob("*"))
        self.journal.write_bytes(b"".join(records))

    def cut(self) -> int:
        """Takes away what no fsync had confirmed; returns how many bytes. Redis must be dead.

        A new name is taken as kept: Redis syncs its folder after each one that it relies on, and a lost folder is not what is shown here.
        """
        known, lost = dict(_RECORD.iter_unpack(self.journal.read_bytes())), 0
        for file in self._files.glob("*"):
            now = file.stat()
            kept = min(now.st_size, known.get(now.st_ino, 0))
            lost += now.st_size - kept
            with file.open("r+b") as opened:
                opened.truncate(kept)
        return lost
