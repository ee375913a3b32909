"""A small kubelet: watches the Pods of its Node, runs each as sandbox.py makes it, probes it, and says so in its status.

Of the manifest it does: volumes (ConfigMap, Secret, projected, emptyDir, hostPath, claims), variables, command and arguments,
ports by name, users and fsGroup, read-only root, capabilities, startup, readiness and liveness probes, init containers, restart policy,
termination in time. Names of Services are answered with the addresses of their ready Pods: there is no kube-proxy, so a Service whose port
differs from its target's would not answer.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from collections.abc import Container as Container_
from pathlib import Path
from typing import Any

from kubernetes import client
from urllib3.exceptions import HTTPError

from .node import DOMAIN, NAME, Node
from .plane import Plane
from .pod import Pod

Object = dict[str, Any]


class Kubelet:
    """Runs until `close`; `pods` are those that run, by namespace and name."""

    def __init__(self, plane: Plane, node: Node, trusted: Path, without: Container_[str] = ()) -> None:
        """`trusted`: the certificates that Pods believe. Pods of an image in `without` are never started."""
        self.plane, self.node, self.trusted, self.without = plane, node, trusted, without
        self.pods: dict[tuple[str, str], Pod] = {}
        self.changed = threading.Condition()
        self.closing = threading.Event()
        self.failure: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._keep, args=(follow,), daemon=True)
            for follow in (self._follow_pods, self._follow_names, self._follow_configuration)
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Kills what runs."""
        self.closing.set()
        for pod in list(self.pods.values()):
            pod.end(0)

    def read(self, namespace: str, kind: str, name: str) -> Object | None:
        """A ConfigMap or a Secret, or None."""
        ask = {
            "ConfigMap": self.plane.core.read_namespaced_config_map,
            "Secret": self.plane.core.read_namespaced_secret,
        }[kind]
        try:
            return dict(self.plane.core.api_client.sanitize_for_serialization(ask(name, namespace)))
        except client.ApiException as error:
            if error.status == 404:
                return None
            raise

    def notify(self) -> None:
        """Wakes who waits for Pods to change."""
        with self.changed:
            self.changed.notify_all()

    def _keep(self, follow: Callable[[], None]) -> None:
        try:
            follow()
        except BaseException as error:  # who waits for Pods must hear of it
            self.failure = error
            self.notify()

    def _events(self, ask: Callable[..., Any]) -> Iterator[tuple[str, Object]]:
        """(kind, object) of all there are and of each change, as JSON: the library's classes refuse an EndpointSlice without endpoints."""
        while not self.closing.is_set():
            with contextlib.suppress(client.ApiException, OSError, http.client.HTTPException, HTTPError):
                rest = b""
                for part in ask(watch=True, timeout_seconds=300, _preload_content=False).stream():
                    *events, rest = (rest + part).split(b"\n")
                    for event in map(json.loads, events):
                        if event["type"] != "ERROR":
                            yield event["type"], event["object"]

    def _follow_pods(self) -> None:
        for kind, found in self._events(self.plane.core.list_pod_for_all_namespaces):
            key = found["metadata"]["namespace"], found["metadata"]["name"]
            pod = self.pods.get(key)
            if kind == "DELETED":
                if pod and pod.uid == found["metadata"]["uid"]:
                    pod.end(0)
                    self.pods.pop(key, None)  # its own end may have been first
                continue
            if not found["spec"].get("nodeName"):
                self._bind(*key)
            elif "deletionTimestamp" in found["metadata"]:
                if pod and pod.uid == found["metadata"]["uid"]:
                    pod.stop(found["metadata"].get("deletionGracePeriodSeconds", 30))
                else:
                    self.forget(*key)
            elif (pod is None or pod.uid != found["metadata"]["uid"]) and not _ended(found):
                self.pods[key] = Pod(self, found)
            self.notify()

    def _bind(self, namespace: str, name: str) -> None:
        target = client.V1ObjectReference(kind="Node", api_version="v1", name=NAME)
        body = client.V1Binding(metadata=client.V1ObjectMeta(name=name, namespace=namespace), target=target)
        with contextlib.suppress(client.ApiException, ValueError):  # ValueError: the library reads the empty answer
            self.plane.core.create_namespaced_pod_binding(name, namespace, body, _preload_content=False)

    def forget(self, namespace: str, name: str) -> None:
        """The Pod has ended: its object goes."""
        with contextlib.suppress(client.ApiException):
            self.plane.core.delete_namespaced_pod(name, namespace, grace_period_seconds=0)

    def _follow_names(self) -> None:
        """The addresses of Services, out of the endpoints that the controller manager fills."""
        for _, slice in self._events(client.DiscoveryV1Api().list_endpoint_slice_for_all_namespaces):
            namespace = slice["metadata"]["namespace"]
            service = slice["metadata"].get("labels", {}).get("kubernetes.io/service-name")
            names: dict[str, list[str]] = {}
            for endpoint in slice.get("endpoints") or ():
                if endpoint.get("conditions", {}).get("ready") is False:
                    continue
                for full in _spellings(service, namespace):
                    names.setdefault(full, []).extend(endpoint["addresses"])
                if endpoint.get("hostname"):
                    for full in _spellings(f"{endpoint['hostname']}.{service}", namespace):
                        names.setdefault(full, []).extend(endpoint["addresses"])
            self.node.answer(f"{namespace}.{slice['metadata']['name']}", names)
            self.notify()

    def _follow_configuration(self) -> None:
        """A ConfigMap that changes is swapped under the Pods that mount it (a real kubelet takes up to a minute)."""
        for kind, found in self._events(self.plane.core.list_config_map_for_all_namespaces):
            if kind != "DELETED":  # ADDED: what changed between two watches
                for pod in list(self.pods.values()):
                    if pod.mounts(found["metadata"]["namespace"], found["metadata"]["name"]):
                        with contextlib.suppress(LookupError):
                            pod.renew()


def _ended(pod: Object) -> bool:
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def _spellings(service: str, namespace: str) -> list[str]:
    return [f"{service}.{namespace}.svc.{DOMAIN}"]
