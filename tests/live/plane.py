"""A real control plane: etcd, kube-apiserver, kube-controller-manager. It makes the Pods; tests/live/kubelet.py runs them."""

from __future__ import annotations

import contextlib
import json
import secrets
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from kubernetes import client, config  # type: ignore[import-untyped]

from . import images
from .node import ADDRESS, NAME
from .until import until

PORT = 6443
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager")


class Plane:
    """Its API as the administrator: `core`, `apps` and the others of the kubernetes library, and kubectl."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.kubeconfig = home / "kubeconfig"
        self.certificate = home / "certificates" / "apiserver.crt"
        config.load_kube_config(str(self.kubeconfig))
        self.core, self.apps, self.batch = client.CoreV1Api(), client.AppsV1Api(), client.BatchV1Api()

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """What kubectl prints. Raises AssertionError with its words where it fails or warns."""
        ended = subprocess.run(
            [str(images.program("kubectl")), f"--kubeconfig={self.kubeconfig}", *arguments],
            input=stdin, capture_output=True, text=True, cwd=self.home, env={"HOME": str(self.home), "KUBERC": "off"},
        )  # fmt: skip
        assert ended.returncode == 0 and "Warning" not in ended.stderr, ended.stderr
        return ended.stdout


@contextlib.contextmanager
def running(home: Path) -> Iterator[Plane]:
    """Ready, with one Node, at the begin of the `with`."""
    token = secrets.token_hex(16)
    (home / "tokens.csv").write_text(f"{token},live,live,system:masters\n")
    server = {"server": f"https://{ADDRESS}:{PORT}", "certificate-authority": f"{home}/certificates/apiserver.crt"}
    kubeconfig = {
        "apiVersion": "v1", "kind": "Config", "current-context": "live",
        "clusters": [{"name": "live", "cluster": server}],
        "users": [{"name": "live", "user": {"token": token}}],
        "contexts": [{"name": "live", "context": {"cluster": "live", "user": "live"}}],
    }  # fmt: skip
    (home / "kubeconfig").write_text(json.dumps(kubeconfig))
    key = f"{home}/certificates/apiserver.key"
    # stopped in the other order: kube-apiserver hangs on its way out once its etcd is gone (1.36)
    with contextlib.ExitStack() as stack:
        _start(stack, home, "etcd", [
            f"--data-dir={home}/etcd", "--listen-client-urls=http://127.0.0.1:2379", "--advertise-client-urls=http://127.0.0.1:2379",
            "--listen-peer-urls=http://127.0.0.1:2380", "--unsafe-no-fsync",
        ])  # fmt: skip
        _start(stack, home, "kube-apiserver", [
            "--etcd-servers=http://127.0.0.1:2379", f"--bind-address={ADDRESS}", f"--advertise-address={ADDRESS}", f"--secure-port={PORT}",
            f"--cert-dir={home}/certificates", "--service-cluster-ip-range=10.89.0.0/16", "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}", f"--token-auth-file={home}/tokens.csv",
        ])  # fmt: skip
        until((home / "certificates" / "apiserver.crt").exists, 60, lambda: said(home))
        made = Plane(home)
        until(lambda: _ready(made), 60, lambda: said(home))
        _start(stack, home, "kube-controller-manager", [
            f"--kubeconfig={home}/kubeconfig", f"--service-account-private-key-file={key}",
            f"--root-ca-file={home}/certificates/apiserver.crt",
            "--leader-elect=false", "--controllers=*,-node-lifecycle-controller,-taint-eviction-controller,-node-ipam-controller",
            f"--bind-address={ADDRESS}", "--kube-api-qps=200", "--kube-api-burst=400", "--concurrent-statefulset-syncs=20",
        ])  # fmt: skip
        made.core.create_node(
            client.V1Node(
                metadata=client.V1ObjectMeta(
                    name=NAME, labels={"kubernetes.io/hostname": NAME, "kubernetes.io/os": "linux"}
                )
            )
        )
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
        made.core.patch_node_status(
            NAME,
            {
                "status": {
                    "conditions": [ready],
                    "capacity": {"cpu": "64", "memory": "256Gi", "pods": "500"},
                    "allocatable": {"cpu": "64", "memory": "256Gi", "pods": "500"},
                }
            },
        )
        # the tree may name any node of its own: none is tainted
        yield made


def _start(stack: contextlib.ExitStack, home: Path, name: str, arguments: Sequence[str]) -> None:
    process = subprocess.Popen(
        [str(images.program(name)), *arguments], stdin=subprocess.DEVNULL, stdout=(home / f"{name}.log").open("wb"),
        stderr=subprocess.STDOUT, cwd=home, start_new_session=True,
    )  # fmt: skip

    def stop() -> None:
        process.kill()  # nothing of it is kept, and kube-apiserver would wait for who watches it
        process.wait()

    stack.callback(stop)


def _ready(plane: Plane) -> bool:
    with contextlib.suppress(AssertionError):
        return plane.kubectl("get", "--raw=/readyz") == "ok"
    return False


def said(home: Path) -> str:
    """What each of the three has said last."""
    return "\n".join(f"== {log.stem}\n{tail(log)}" for name in PROGRAMS if (log := home / f"{name}.log").exists())


def tail(log: Path, characters: int = 1500) -> str:
    """The end of a file that may be long."""
    return log.read_text(errors="replace")[-characters:]
