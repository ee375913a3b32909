"""A real kube-apiserver and its etcd on loopback, started once and stopped at the end: the door manifests go through.

No node, no scheduler, no controller. `--dry-run=server` stores nothing, so one server answers for every profile.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import secrets
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ..problem import Problem, ProblemsError
from .task import Answer, ask, refusal
from .tether import tethered

START_SECONDS = 90  # kube-apiserver 1.36 is ready 2 to 10 s after its start on two cores
_STOP_SECONDS = 15
_LOG_LINES = 8

POD_SECURITY = ("enforce", "warn", "audit")


class Programs(NamedTuple):
    """Paths of the three programs; kube-apiserver and kubectl are of one Kubernetes version."""

    etcd: Path
    kube_apiserver: Path
    kubectl: Path


class _Server(NamedTuple):
    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def refuse_dead(self) -> None:
        """Raises ProblemsError (could not run) with the last lines of its log once the server has ended."""
        code = self.process.poll()
        if code is not None:
            raise _failure(self, f"ended on its own (exit {code})")


def _failure(server: _Server, fact: str) -> ProblemsError:
    lines = server.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]
    said = "\n  ".join([f"{fact}; the last lines of its log:", *(lines or ["(none)"])])
    return ProblemsError([Problem(server.name, 0, 0, said, "", "judge/failed")], could_not_run=True)


@dataclass(frozen=True)
class Cluster:
    """A running kube-apiserver, and kubectl to ask it as its administrator."""

    programs: Programs
    home: Path
    servers: tuple[_Server, ...]
    lock: threading.Lock = field(default_factory=threading.Lock)
    levels: dict[str, str] = field(default_factory=dict)
    defined: set[str] = field(default_factory=set)

    def kubectl(self, *arguments: str, work: Path | None = None, stdin: str = "") -> Answer:
        """Run kubectl to its end, in a work folder. Raises ProblemsError when a server is no longer there."""
        variables = {"HOME": str(self.home), "KUBERC": "off"}
        arguments = (f"--kubeconfig={self.home}/kubeconfig", *arguments)
        answer = ask(self.programs.kubectl, arguments, work or self.home, stdin, variables)
        if answer.code:
            for server in self.servers:
                server.refuse_dead()
        return answer

    def label(self, levels: Mapping[str, str]) -> None:
        """Make each namespace, or label it anew, with its Pod Security level. Raises ProblemsError if that fails."""
        self._apply({name: level for name, level in levels.items() if self.levels.get(name) != level})

    def define(self, resources: str) -> None:
        """Make these CustomResourceDefinitions ("": none), and wait until their objects are taken. Raises ProblemsError if that fails."""
        if not resources or resources in self.defined:
            return
        answer = self.kubectl("apply", "--server-side", "-f", "-", stdin=resources)
        if answer.code == 0:
            wait = ("--for=condition=Established", f"--timeout={START_SECONDS}s")
            answer = self.kubectl("wait", *wait, "-f", "-", stdin=resources)
        if answer.code:
            raise _failure(self.servers[-1], f"takes no definitions: {refusal(answer)}")
        self.defined.add(resources)

    def _apply(self, levels: Mapping[str, str]) -> None:
        if not levels:
            return
        items = [_namespace(name, level) for name, level in sorted(levels.items())]
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        answer = self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)
        if answer.code:
            raise _failure(self.servers[-1], f"makes no namespace: {refusal(answer)}")
        for name, level in sorted(levels.items()):
            if name in self.levels:
                self._wait_for(name, level)
        self.levels.update(levels)

    def _wait_for(self, namespace: str, level: str) -> None:
        """Pod Security admission reads labels from a cache that follows a change by some milliseconds (1.36)."""
        for _ in _until(START_SECONDS):
            answer = self.kubectl("create", "--dry-run=server", f"--namespace={namespace}", "-f", "-", stdin=_PROBE)
            if answer.code == 0 and answer.stderr.startswith("Warning") == (level == "restricted"):
                return
        raise _failure(self.servers[-1], f"does not take the new labels of {namespace}")


# Pod Security "privileged" takes it in silence, "restricted" warns.
_PROBE = json.dumps(
    {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "probe"},
        "spec": {
            "selector": {"matchLabels": {"app": "probe"}},
            "template": {
                "metadata": {"labels": {"app": "probe"}},
                "spec": {"containers": [{"name": "probe", "image": "probe"}]},
            },
        },
    }
)


def _namespace(name: str, level: str) -> dict[str, object]:
    labels = {f"pod-security.kubernetes.io/{mode}": level for mode in POD_SECURITY}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


_lock = threading.Lock()


def shared(programs: Programs) -> Cluster:
    """The one cluster of this process for these programs: started at the first call, stopped when the process exits.

    Raises ProblemsError (could not run) when it does not start, with the last lines of the log.
    """
    with _lock:
        return _started(programs)


@functools.cache
def _started(programs: Programs) -> Cluster:
    stack = contextlib.ExitStack()
    made = stack.enter_context(cluster(programs))
    atexit.register(stack.close)
    return made


@contextlib.contextmanager
def cluster(programs: Programs) -> Iterator[Cluster]:
    """A cluster for the length of a `with`: ready at its begin, and gone with its folder at its end."""
    with tempfile.TemporaryDirectory(prefix="obsgen-cluster-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        etcd, peers, port = (f"127.0.0.1:{port}" for port in free_ports(3))
        token = secrets.token_hex(16)
        (home / "tokens.csv").write_text(f"{token},obsgen,obsgen,system:masters\n", encoding="utf-8")
        (home / "kubeconfig").write_text(_kubeconfig(home, port, token), encoding="utf-8")
        # The stack stops the apiserver first: it hangs on its way out once its etcd is gone (1.36).
        with contextlib.ExitStack() as stack:
            first = stack.enter_context(_running("etcd", home, _etcd(programs, home, etcd, peers)))
            second = stack.enter_context(_running("kube-apiserver", home, _apiserver(programs, home, etcd, port)))
            made = Cluster(programs, home, (first, second))
            _wait(made)
            yield made


def _wait(made: Cluster) -> None:
    for _ in _until(START_SECONDS):
        for server in made.servers:
            server.refuse_dead()
        if made.kubectl("get", "--raw=/readyz").code == 0:
            return
    raise _failure(made.servers[-1], f"is not ready after {START_SECONDS} s")


def _until(seconds: float) -> Iterator[None]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.2)


@contextlib.contextmanager
def _running(name: str, home: Path, command: Sequence[str]) -> Iterator[_Server]:
    log = home / f"{name}.log"
    # A session of its own: Ctrl-C must reach us alone, so that the order of stopping is ours.
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, cwd=home, start_new_session=True
        )
    try:
        with tethered(process):
            yield _Server(name, process, log)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_ports(count: int) -> list[int]:
    """Ports of loopback that are free now, each another: they are held until all are known."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(one.getsockname()[1]) for one in held]


def _etcd(programs: Programs, home: Path, clients: str, peers: str) -> list[str]:
    return [
        str(programs.etcd),
        f"--data-dir={home}/etcd",
        f"--listen-client-urls=http://{clients}",
        f"--advertise-client-urls=http://{clients}",
        f"--listen-peer-urls=http://{peers}",
        f"--initial-advertise-peer-urls=http://{peers}",
        f"--initial-cluster=default=http://{peers}",
    ]


def _apiserver(programs: Programs, home: Path, etcd: str, address: str) -> list[str]:
    # It writes its own certificate and key there before it reads a signing key: one key serves for both.
    key = f"{home}/certificates/apiserver.key"
    return [
        str(programs.kube_apiserver),
        f"--etcd-servers=http://{etcd}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={address.rpartition(':')[2]}",
        f"--cert-dir={home}/certificates",
        # the addresses of this server are nobody's business, and loopback is none that it would publish
        "--endpoint-reconciler-type=none",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        f"--token-auth-file={home}/tokens.csv",
        "--authorization-mode=RBAC",
    ]


def _kubeconfig(home: Path, address: str, token: str) -> str:
    server = {"server": f"https://{address}", "certificate-authority": f"{home}/certificates/apiserver.crt"}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "judge", "cluster": server}],
            "users": [{"name": "judge", "user": {"token": token}}],
            "contexts": [{"name": "judge", "context": {"cluster": "judge", "user": "judge"}}],
            "current-context": "judge",
        }
    )
