"""The image without a container engine: the steps of the Dockerfile, typed in a root of their own over this machine's system.

What differs from the image: Debian's files and Python are this machine's. It needs to be root, and namespaces.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from servers import absent

LIBS = Path(__file__).parents[2]
DOCKERFILE = LIBS / "python" / "Dockerfile"

# $1 is the new root, $2 whether it may be written to, the rest what runs in it. Nothing of it outlives the process.
_ENTER = r"""
set -eu
root=$1 writable=$2; shift 2
mount --make-rprivate /
for place in /usr /bin /sbin /lib /lib64 /proc /dev "$PYTHON_PREFIX"; do
    [ ! -e "$place" ] || { mkdir -p "$root$place" && mount --rbind "$place" "$root$place"; }
done
if [ "$writable" = no ]; then
    mount --bind "$root" "$root"
    # a mount over itself shows what was mounted below it before no more
    for place in /usr /bin /sbin /lib /lib64 /proc /dev "$PYTHON_PREFIX"; do
        [ ! -e "$place" ] || mount --rbind "$place" "$root$place"
    done
    mount -o remount,bind,ro "$root"
    mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
fi
exec "$@"
"""


@dataclass(frozen=True)
class Stage:
    """What one FROM begins: its instructions in order, `RUN` and others, with lines that are continued joined."""

    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def last(self, instruction: str) -> str:
        """What an instruction says at last."""
        return next(text for name, text in reversed(self.steps) if name == instruction)

    def variables(self, path: str) -> dict[str, str]:
        """ENV, with $PATH filled in."""
        pairs = re.findall(r'(\w+)=(?:"([^"]*)"|(\S+))', " ".join(text for name, text in self.steps if name == "ENV"))
        return {name: (quoted or plain).replace("$PATH", path) for name, quoted, plain in pairs}


def stages() -> list[Stage]:
    """The Dockerfile, read as far as ours goes."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found: list[Stage] = []
    for line in text.replace("\\\n", " ").splitlines():
        name, _, rest = line.partition(" ")
        if name == "FROM":
            found.append(Stage(rest))
        elif name:
            found[-1].steps.append((name, " ".join(rest.split())))
    return found


class Image:
    """A root in which the steps of both stages were done."""

    def __init__(self, root: Path) -> None:
        if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
            absent("no root or no namespaces here, so nothing shows what the image's steps make")
        if not (Path(sys.base_prefix) / "bin" / "pip").exists():
            absent(f"the Python at {sys.base_prefix} has no pip of its own, as the image's has")
        self.root, (build, self.final) = root, stages()
        for name in ("tmp", "opt"):
            (root / name).mkdir(parents=True)
        (root / "tmp").chmod(0o1777)
        shutil.copytree("/etc", root / "etc", symlinks=True)
        self.path = f"{sys.base_prefix}/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        for stage in (build, self.final):
            where = "/"
            for name, text in stage.steps:
                if name == "WORKDIR":
                    where = text
                    (root / where.strip("/")).mkdir(exist_ok=True)
                elif name == "COPY" and not text.startswith("--from"):  # the other stage is this root too
                    source, target = text.split()
                    ignored = shutil.ignore_patterns("tests", "__pycache__", "*.egg-info")
                    shutil.copytree(LIBS / source, root / where.strip("/") / target, ignore=ignored)
                elif name == "RUN":
                    self._step(where, text)

    def _step(self, where: str, text: str) -> None:
        # whoever builds has a cache of pip's; what is installed is the same
        words = ["chroot", str(self.root), "/bin/sh", "-ec", f"cd {where}; {text.replace('--no-cache-dir ', '')}"]
        ended = self._enter("yes", words, {**os.environ, "PATH": self.path, "HOME": "/tmp"})
        assert ended.wait() == 0, text

    def _enter(
        self, writable: str, words: Sequence[str], environ: Mapping[str, str], **how: object
    ) -> subprocess.Popen[str]:
        command = ["unshare", "--mount", "/bin/sh", "-c", _ENTER, "sh", str(self.root), writable, *words]
        environ = {**environ, "PYTHON_PREFIX": sys.base_prefix}
        return subprocess.Popen(command, env=environ, text=True, **how)  # type: ignore[call-overload,no-any-return]

    def start(self, words: Sequence[str], environ: Mapping[str, str], **how: object) -> subprocess.Popen[str]:
        """A container: read-only, as the image's user, /tmp in memory, no variables but the image's and these."""
        user = self.final.last("USER")
        uid, _, gid = user.partition(":")
        rights = [
            "setpriv",
            f"--reuid={uid}",
            f"--regid={gid}",
            "--clear-groups",
            "--no-new-privs",
            "--bounding-set=-all",
        ]
        given = self.final.variables(self.path) | environ
        inside = ["env", "-i", *(f"{name}={value}" for name, value in given.items()), *words]
        return self._enter("no", ["chroot", str(self.root), *rights, *inside], {"PATH": self.path}, **how)
