"""A program as it runs in its pod: with the ServiceAccount's token, its node's name, and `/var` of its own.

Linux only: a mount namespace of its own gives it `/var`. It needs root, or a kernel that lets others map themselves to root.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..problem import Problem, ProblemsError
from .apiserver import Cluster
from .task import Answer, refusal
from .tether import tethered

_ACCOUNT = "run/secrets/kubernetes.io/serviceaccount"
PATIENCE = 40  # seconds; Alloy 1.19 takes two to be ready, and looks for files every ten
_STOP_SECONDS = 10
_LINES = 8
_ERROR = re.compile(r"^Error: |level=(error|warn)|^[EW]\d{4} ")
_KLOG = re.compile(r"^[EW]\d{4} [\d:.]+ +\d+ \S+\] ")


@dataclass(frozen=True)
class Running:
    """A program that was started, where it answers, and what it has said so far."""

    process: subprocess.Popen[bytes]
    address: str
    log: Path

    def get(self, path: str) -> str | None:
        """What it answers under a path; None while it does not, or not with 200."""
        try:
            with urllib.request.urlopen(f"http://{self.address}{path}", timeout=5) as answer:
                return str(answer.read().decode(errors="replace"))
        except OSError:
            return None

    def waiting(self) -> Iterator[None]:
        """One turn after the other, until it has ended or has had its time."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.process.poll() is None:
            yield
            time.sleep(0.2)

    def said(self) -> str:
        """The last errors of its log, each once; else how it ended."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        errors = dict.fromkeys(_KLOG.sub("", line) for line in lines if _ERROR.search(line))
        return refusal(Answer(self.process.poll() or 0, "", "\n".join([*errors][-_LINES:])))


@contextlib.contextmanager
def running(
    command: Sequence[str], cluster: Cluster, account: tuple[str, str], node: str, address: str, work: Path
) -> Iterator[Running]:
    """Start a command on `node` as the ServiceAccount (namespace, name) of a cluster; `work/var` is its `/var`.

    Raises ProblemsError (could not run) where there is no mount namespace to be had, or no token.
    """
    _lay_out(cluster, account, work / "var")
    with started(command, address, work, {**_variables(cluster, work), "HOSTNAME": node}) as found:
        yield found


@contextlib.contextmanager
def started(command: Sequence[str], address: str, work: Path, variables: Mapping[str, str]) -> Iterator[Running]:
    """Start a command with `work/var` as its `/var` and these variables alone; it is killed at the end.

    Raises ProblemsError (could not run) where there is no mount namespace to be had.
    """
    inner = 'mount --bind "$0" /var && exec "$@"'
    log = work / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*_namespace(), "sh", "-c", inner, str(work / "var"), *command],
            cwd="/",
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        with tethered(process):
            yield Running(process, address, log)
    finally:
        # what it has not sent it would try to send before it ends, to nobody
        process.kill()
        process.wait(_STOP_SECONDS)


def _namespace() -> list[str]:
    unshare = shutil.which("unshare")
    command = [unshare or "", "--mount"] if os.geteuid() == 0 else [unshare or "", "--mount", "--map-root-user"]
    if unshare and subprocess.run([*command, "true"], capture_output=True).returncode == 0:
        return command
    fact = "gives no mount namespace here, and a program is started as in its pod with its help"
    raise ProblemsError([Problem("unshare", 0, 0, fact, "run as root on Linux", "judge/absent")], could_not_run=True)


def _lay_out(cluster: Cluster, account: tuple[str, str], var: Path) -> None:
    namespace, name = account
    token = cluster.kubectl("create", "token", name, f"--namespace={namespace}")
    if token.code:
        problem = Problem("kube-apiserver", 0, 0, f"makes no token: {refusal(token)}", "", "judge/failed")
        raise ProblemsError([problem], could_not_run=True)
    folder = var / _ACCOUNT
    folder.mkdir(parents=True)
    (folder / "token").write_text(token.stdout, encoding="utf-8")
    (folder / "namespace").write_text(namespace, encoding="utf-8")
    shutil.copy(cluster.home / "certificates" / "apiserver.crt", folder / "ca.crt")


def _variables(cluster: Cluster, work: Path) -> Mapping[str, str]:
    kubeconfig: dict[str, Any] = json.loads((cluster.home / "kubeconfig").read_text(encoding="utf-8"))
    host, _, port = kubeconfig["clusters"][0]["cluster"]["server"].removeprefix("https://").partition(":")
    path = os.environ.get("PATH", os.defpath)
    return {"PATH": path, "HOME": str(work), "KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
