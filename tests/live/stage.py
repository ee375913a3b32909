"""A rendered tree on a cluster of its own: applied as it is committed, with the Secrets that its SECRETS.md asks for."""

from __future__ import annotations

import contextlib
import json
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme
import yaml

from . import plane as planes
from . import sinks as sinkhouse
from .kubelet import Kubelet
from .node import Node
from .pod import Pod
from .site import site

_SECRET = re.compile(r"^\| `([^`]+)` \| `([^`]+)` \| `([^`]+)` \|", re.MULTILINE)


@dataclass(frozen=True)
class Neighbour:
    """A server outside the cluster: its address, its names in the world, and what serves there from a folder and an authority."""

    address: str
    names: tuple[str, ...]
    serving: Callable[[Path, trustme.CA], contextlib.AbstractContextManager[Any]]


@dataclass
class Stage:
    """What a scenario speaks of: Pods, servers by name, what people were told."""

    plane: planes.Plane
    node: Node
    kubelet: Kubelet
    sinks: sinkhouse.Sinks
    tree: Path
    began: float = field(default_factory=time.monotonic)

    def pods(self, app: str) -> list[Pod]:
        """The running Pods of an app."""
        return [
            pod
            for pod in list(self.kubelet.pods.values())
            if pod.manifest["metadata"].get("labels", {}).get("app") == app and not pod.ending.is_set()
        ]

    def gone(self, app: str) -> bool:
        """Whether no Pod of an app is left: one that ends may still answer."""
        return all(
            pod.manifest["metadata"].get("labels", {}).get("app") != app for pod in list(self.kubelet.pods.values())
        )

    def await_(self, true: Callable[[], Any], seconds: float, what: str) -> Any:
        """Until a change of the Pods makes it true, asked at least once a second. Raises AssertionError with the Pods' logs."""
        end = time.monotonic() + seconds
        while True:
            if self.kubelet.failure:
                raise AssertionError(f"{what}: the kubelet has failed") from self.kubelet.failure
            with contextlib.suppress(OSError):
                found = true()
                if found:
                    return found
            left = end - time.monotonic()
            assert left > 0, f"{what}: not within {seconds} s\n{self.state()}"
            with self.kubelet.changed:
                self.kubelet.changed.wait(min(left, 1))

    def await_ready(self, app: str, seconds: float = 90) -> list[Pod]:
        """Its Pods, once there are some and all are ready."""
        return list(
            self.await_(
                lambda: (found := self.pods(app)) and all(pod.ready for pod in found) and found,
                seconds,
                f"{app} is not ready",
            )
        )

    def replace(self, pod: Pod, seconds: float = 60) -> Pod:
        """Deletes a Pod, and returns the one that its controller makes instead once that is ready."""
        app = pod.manifest["metadata"]["labels"]["app"]
        self.plane.kubectl("delete", "pod", "-n", pod.namespace, pod.name, "--wait=false")
        known = {one.uid for one in self.pods(app)}

        def fresh() -> list[Pod]:
            return [one for one in self.pods(app) if one.uid not in known and one.ready]

        return next(iter(self.await_(fresh, seconds, f"{pod.name} is not replaced")))

    @contextlib.contextmanager
    def killed(self, pod: Pod) -> Iterator[None]:
        """Its programs get SIGKILL, and are started again only at the end of the `with`: a machine that was lost for a while."""
        pod.startable.clear()
        try:
            for running in pod.running.values():
                running.kill()
            self.await_(lambda: not pod.ready, 10, f"{pod.name} is not killed")
            yield
        finally:
            pod.startable.set()

    def state(self) -> str:
        """What each Pod that isn't ready has said last, and DNS."""
        unready = [_said(pod) for pod in list(self.kubelet.pods.values()) if not pod.ready]
        return "\n".join([*unready, self.node.state()])

    def said(self) -> str:
        """What every server has said last, those that are ready and the control plane too."""
        pods = [_said(pod) for _, pod in sorted(self.kubelet.pods.items())]
        return "\n".join([*pods, planes.said(self.plane.home), self.node.state()])

    def get(self, app: str, port: int, path: str, **query: str) -> bytes:
        """What the first Pod of an app answers. Raises OSError."""
        found = self.pods(app)
        if not found:
            raise OSError(f"{app} has no Pod")
        words = f"?{urllib.parse.urlencode(query)}" if query else ""
        with urllib.request.urlopen(f"http://{found[0].address}:{port}{path}{words}", timeout=10) as answer:
            return bytes(answer.read())

    def order(self, app: str, order: str, **arguments: Any) -> Any:
        """Has a fixture service do something (service.py, ORDERS); what it answers. Raises OSError."""
        pod = self.pods(app)[0]
        port = pod.spec["containers"][0]["ports"][0]["containerPort"]
        request = urllib.request.Request(
            f"http://{pod.address}:{port}/{order}", method="POST", data=json.dumps(arguments).encode()
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())


def _said(pod: Pod) -> str:
    return f"== {pod.namespace}/{pod.name} {pod.states} {pod.problem}\n{pod.log()[-1500:]}"


def secrets(tree: Path, values: Mapping[str, str]) -> list[dict[str, Any]]:
    """The Secrets of SECRETS.md; the value of a logical name, where none is given, is that name."""
    found: dict[str, dict[str, str]] = {}
    for name, key, logical in _SECRET.findall((tree / "SECRETS.md").read_text()):
        found.setdefault(name, {})[key] = values.get(logical, logical)
    return [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}
        for name, data in found.items()
    ]


@contextlib.contextmanager
def staged(
    tree: Path,
    values: Mapping[str, str],
    *,
    without: Container[str] = (),
    namespaces: tuple[str, ...] = ("auralink", "auralink-agents"),
    neighbours: Sequence[Neighbour] = (),
) -> Iterator[Stage]:
    """The tree, applied; gone with all it started at the end."""
    with site() as at, contextlib.ExitStack() as stack:
        for one in neighbours:
            at.node.neighbour(one.address, one.names)
            stack.enter_context(one.serving(at.home, at.authority))
        plane = stack.enter_context(planes.running(at.home))
        kubelet = Kubelet(plane, at.node, at.trusted, without)
        stack.callback(kubelet.close)
        for namespace in namespaces:
            plane.kubectl("create", "namespace", namespace)
            for secret in secrets(tree, values):
                plane.kubectl("apply", "--server-side", "-n", namespace, "-f", "-", stdin=yaml.safe_dump(secret))
        plane.kubectl("apply", "--server-side", "-k", str(tree))
        yield Stage(plane, at.node, kubelet, at.sinks, tree)
