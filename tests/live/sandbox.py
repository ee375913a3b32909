"""One container as a process: its namespaces, its root, its mounts, its user. What an engine and a kubelet would do.

The root is this machine's own under an overlay, so that what the container writes stays its own; it is read-only where the
manifest says so. Not done: cgroups (limits), seccomp, AppArmor, network policies.
"""

from __future__ import annotations

import itertools
import os
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import images
from .node import ADDRESS, BRIDGE, DOMAIN

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Mount:
    """What a container sees at `target`: a folder or a file of the node, or without a source memory of its own (tmpfs)."""

    source: Path | None
    target: str
    read_only: bool
    options: str = ""  # of the tmpfs


@dataclass(frozen=True)
class User:
    """Who a container is; `capabilities`: what is left to it."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    capabilities: tuple[str, ...]


_PORTS = itertools.count()


class Network:
    """A Pod's network namespace, held open by a process of its own, and its end of the bridge."""

    def __init__(self, address: str, name: str) -> None:
        self.address = address
        self.holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "echo; exec sleep infinity"], stdout=subprocess.PIPE
        )
        assert self.holder.stdout and self.holder.stdout.readline()  # it is in its namespace now
        port = self.port = (
            f"v{next(_PORTS)}"  # never one that was: the kernel takes the end of a Pod's link away some time after the Pod
        )
        inside = ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net"]
        for command in (
            ["ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", str(self.holder.pid)],
            ["ip", "link", "set", port, "master", BRIDGE, "up"],
            [*inside, "ip", "link", "set", "lo", "up"],
            [*inside, "ip", "addr", "add", f"{address}/16", "dev", "eth0"],
            [*inside, "ip", "link", "set", "eth0", "up"],
            [*inside, "ip", "route", "add", "default", "via", ADDRESS],
        ):
            subprocess.run(command, check=True)

    def close(self) -> None:
        """The namespace ends with the last process in it."""
        self.holder.kill()
        self.holder.wait()


class Container:
    """A started container; `process` is the outer one, `pid` the program itself (1 inside)."""

    def __init__(
        self,
        image: images.Image,
        command: Sequence[str],
        variables: Mapping[str, str],
        user: User,
        mounts: Sequence[Mount],
        network: Network,
        folder: Path,
        *,
        hostname: str,
        namespace: str,
        read_only: bool,
        stdout: int,
        stderr: int | None = None,
    ) -> None:
        """`namespace`: in which names of Services are looked for first; "": names are whole, as Docker answers them."""
        script = _script(
            image, command, variables, user, mounts, folder, hostname, namespace, network.address, read_only
        )
        (folder / "start.sh").write_text(script)
        enter = ["nsenter", f"--net=/proc/{network.holder.pid}/ns/net"]
        self.user, self.variables = user, variables
        self.process = subprocess.Popen(
            [
                *enter,
                "unshare",
                "--mount",
                "--uts",
                "--ipc",
                "--pid",
                "--fork",
                "--kill-child",
                "sh",
                str(folder / "start.sh"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stdout if stderr is None else stderr,
            start_new_session=True,
        )

    @property
    def pid(self) -> int | None:
        """The program's, as this machine numbers it; None before it began and after it ended."""
        try:
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        except OSError:
            return None
        return int(children[0]) if children else None

    def run(self, command: Sequence[str], seconds: float) -> subprocess.CompletedProcess[bytes]:
        """A command beside the program, as its user: what `kubectl exec` and exec probes do."""
        inside = ["nsenter", f"--target={self.pid}", "--mount", "--net", "--pid", "--uts", "--root", "--wd=/"]
        return subprocess.run(
            [*inside, *_become(self.user), *command], env=dict(self.variables), capture_output=True, timeout=seconds
        )

    def send(self, number: signal.Signals) -> None:
        """A signal to the program."""
        pid = self.pid
        if pid:
            os.kill(pid, number)

    def kill(self) -> None:
        """SIGKILL for the program. The outer process alone would leave it behind: `--kill-child` ends where setpriv changes the user."""
        self.send(signal.SIGKILL)
        self.process.kill()


def _become(user: User) -> list[str]:
    kept = ",".join(["-all", *(f"+{name.lower()}" for name in user.capabilities)])
    groups = [f"--groups={','.join(map(str, user.groups))}"] if user.groups else ["--clear-groups"]
    return [
        "setpriv", f"--reuid={user.uid}", f"--regid={user.gid}", *groups,
        f"--inh-caps={kept}", f"--bounding-set={kept}", "--no-new-privs",
    ]  # fmt: skip


def _script(
    image: images.Image,
    command: Sequence[str],
    variables: Mapping[str, str],
    user: User,
    mounts: Sequence[Mount],
    folder: Path,
    hostname: str,
    namespace: str,
    address: str,
    read_only: bool,
) -> str:
    root, q = folder / "root", shlex.quote
    names = [f"nameserver {ADDRESS}"]
    if namespace:
        names += [f"search {namespace}.svc.{DOMAIN} svc.{DOMAIN} {DOMAIN}", "options ndots:5"]
    lines = [
        "set -e",
        "mount --make-rprivate /",
        f"mkdir -p {folder}/disk && mount -t tmpfs none {folder}/disk && mkdir {folder}/disk/upper {folder}/disk/work {root}",
        *(f"mkdir -p {q(f'{folder}/disk/upper{place}')}" for place in _opened(image)),
        *(_place(f"{folder}/disk/upper", mount) for mount in mounts),
        f"mount -t overlay overlay -o lowerdir=/,upperdir={folder}/disk/upper,workdir={folder}/disk/work {root}",
        f"mount -t proc proc {root}/proc",
        f"mount --rbind /dev {root}/dev",
        f"chmod 1777 {root}/tmp",
        f"printf '%s\\n' {shlex.join(names)} >{root}/etc/resolv.conf",
        f"printf '%s\\n' '127.0.0.1 localhost' '{address} {hostname}' >{root}/etc/hosts",
    ]
    for target, program in image.files().items():
        lines += [
            f"mkdir -p {root}{Path(target).parent}",
            f": >{root}{target}",
            f"mount --bind {q(str(program))} {root}{target}",
        ]
    if read_only:
        lines.append(f"mount -o remount,ro {root}")
    for mount in sorted(mounts, key=lambda one: one.target):
        if mount.source is None:
            lines.append(f"mount -t tmpfs -o {mount.options} none {q(str(root) + mount.target)}")
            continue
        lines.append(f"mount --rbind {q(str(mount.source))} {q(str(root) + mount.target)}")
        if mount.read_only:
            lines.append(f"mount -o remount,bind,ro {q(str(root) + mount.target)}")
    # our own programs stand in this tree: where a Pod has a folder of its own over it (/tmp), it is put there again
    for place in (ROOT, images.PYTHON):
        if any(place.is_relative_to(mount.target) for mount in mounts):
            lines.append(f"mkdir -p {q(f'{root}{place}')} && mount --rbind {q(str(place))} {q(f'{root}{place}')}")
    environment = [f"{name}={value}" for name, value in variables.items()]
    start = shlex.join(["exec", "chroot", str(root), "env", "-i", *environment, *_become(user), *command])
    return "\n".join([*lines, f"hostname {q(hostname)}", start, ""])


def _place(root: str, mount: Mount) -> str:
    """Makes what is mounted upon: a file for a file or a socket, else a folder."""
    place = Path(root + mount.target)
    if mount.source is None or mount.source.is_dir():
        return f"mkdir -p {shlex.quote(str(place))}"
    return f"mkdir -p {shlex.quote(str(place.parent))} && : >{shlex.quote(str(place))}"


def _opened(image: images.Image) -> list[str]:
    """Folders that others than root must be able to pass, since the programs lie below them here."""
    places = [images.PYTHON, Path(os.path.realpath(images.PYTHON / "bin" / "python"))]
    places += [program.parent for program in image.files().values()]
    found = {str(parent) for place in places for parent in place.parents if str(parent) != "/"}
    return sorted(found)
