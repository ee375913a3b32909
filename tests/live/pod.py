"""One Pod as the kubelet runs it: what its manifest gives to each container, its restarts, its status, its end."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubernetes import client
from urllib3.exceptions import HTTPError

from . import images, probes, volumes
from .crilog import CriLog
from .node import ADDRESS, NAME
from .plane import PORT
from .sandbox import Container, Mount, Network, User

if TYPE_CHECKING:
    from .kubelet import Kubelet

Object = dict[str, Any]
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def now() -> str:
    """RFC 3339, as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Pod:
    """One Pod: its network, its volumes, its containers; each container has a thread that starts it again when it ends."""

    def __init__(self, kubelet: Kubelet, manifest: Object) -> None:
        self.kubelet, self.manifest = kubelet, manifest
        self.namespace, self.name = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
        self.uid, self.spec = manifest["metadata"]["uid"], manifest["spec"]
        self.folder = kubelet.node.home / "pods" / f"{self.namespace}_{self.name}_{self.uid}"
        self.folder.mkdir(parents=True)
        self.address = kubelet.node.address()
        self.network = Network(self.address, self.name)
        self.states: dict[str, Object] = {}
        self.running: dict[str, Container] = {}
        self.logs: dict[str, CriLog] = {}
        self.ending = threading.Event()
        self.startable = threading.Event()  # cleared, what ended is not started again yet
        self.startable.set()
        self.problem = ""
        self._lock, self._laying_out = threading.Lock(), threading.Lock()
        self.thread = threading.Thread(target=self._live, daemon=True)
        self.thread.start()

    # Volumes and mounts

    def renew(self) -> None:
        """Volumes of ConfigMaps, Secrets and tokens, as they are now. Raises LookupError for what isn't there."""
        group = self.spec.get("securityContext", {}).get("fsGroup")

        def word(source: Object) -> str:
            if "fieldPath" in source:
                return self.field(source["fieldPath"])
            return self._token(source.get("audience"))

        with self._laying_out:  # containers that start at the same time share them
            for volume in self.spec.get("volumes") or ():
                if {"configMap", "secret"} & volume.keys() or "projected" in volume:
                    volumes.lay_out(volume, self.folder / "volumes" / volume["name"], group, self._read, word)

    def mounts(self, namespace: str, config_map: str) -> bool:
        """Whether a volume of this running Pod holds a ConfigMap."""
        held = self.spec.get("volumes") or ()
        sources = [*held, *(one for volume in held for one in volume.get("projected", {}).get("sources", ()))]
        named = {one["configMap"]["name"] for one in sources if "configMap" in one}
        return bool(self.running) and namespace == self.namespace and config_map in named

    def _read(self, kind: str, name: str) -> Object | None:
        return self.kubelet.read(self.namespace, kind, name)

    def _token(self, audience: str | None) -> str:
        spec = client.V1TokenRequestSpec(audiences=[audience] if audience else [], expiration_seconds=3600)
        body = client.AuthenticationV1TokenRequest(spec=spec)
        account = self.spec.get("serviceAccountName", "default")
        return str(
            self.kubelet.plane.core.create_namespaced_service_account_token(account, self.namespace, body).status.token
        )

    def field(self, path: str) -> str:
        """What `fieldRef` means of this Pod."""
        known = {
            "metadata.name": self.name, "metadata.namespace": self.namespace, "metadata.uid": self.uid, "spec.nodeName": NAME,
            "status.podIP": self.address, "status.hostIP": ADDRESS,
            "spec.serviceAccountName": self.spec.get("serviceAccountName", "default"),
        }  # fmt: skip
        if path in known:
            return known[path]
        found = re.fullmatch(r"metadata\.(labels|annotations)\['(.*)'\]", path)
        assert found, f"fieldRef {path}"
        return str(self.manifest["metadata"].get(found[1], {}).get(found[2], ""))

    def _place(self, volume: Object) -> Path:
        """Where the node keeps a volume; made if need be."""
        group = self.spec.get("securityContext", {}).get("fsGroup")
        if "hostPath" in volume:
            place = self.kubelet.node.host / volume["hostPath"]["path"].lstrip("/")
            place.mkdir(parents=True, exist_ok=True)
            return place
        if "persistentVolumeClaim" in volume:
            place = self.kubelet.node.home / "claims" / self.namespace / volume["persistentVolumeClaim"]["claimName"]
        else:
            place = self.folder / "volumes" / volume["name"]
        fresh = not place.exists()
        place.mkdir(parents=True, exist_ok=True)
        if fresh and ("emptyDir" in volume or "persistentVolumeClaim" in volume):
            place.chmod(0o777 if "emptyDir" in volume else 0o755)
            if group is not None:
                os.chown(place, 0, group)
                place.chmod(0o2775 if "persistentVolumeClaim" in volume else 0o2777)
        return place

    def _mounts(self, container: Object) -> list[Mount]:
        known = {volume["name"]: volume for volume in self.spec.get("volumes") or ()}
        made = []
        for mount in container.get("volumeMounts") or ():
            place = self._place(known[mount["name"]])
            if mount.get("subPath"):
                place = place / mount["subPath"]
                if not place.exists():
                    place.mkdir(parents=True)
            made.append(Mount(place, mount["mountPath"], bool(mount.get("readOnly"))))
        trusted = self.kubelet.trusted
        return [*made, Mount(trusted, "/etc/ssl/certs", True)]

    # Containers

    def _user(self, container: Object) -> User:
        pod, own = self.spec.get("securityContext", {}), container.get("securityContext", {})
        uid = own.get("runAsUser", pod.get("runAsUser", 0))
        gid = own.get("runAsGroup", pod.get("runAsGroup", 0))
        assert uid or not own.get("runAsNonRoot", pod.get("runAsNonRoot")), f"{self.name}: runAsNonRoot, and it is root"
        groups = tuple({*pod.get("supplementalGroups", ()), *([pod["fsGroup"]] if "fsGroup" in pod else ())})
        return User(uid, gid, groups, tuple(own.get("capabilities", {}).get("add", ())))

    def _variables(self, container: Object) -> dict[str, str]:
        own = {
            "PATH": f"{images.PYTHON}/bin:{PATH}",
            "HOSTNAME": self.name,
            "HOME": "/",
            "KUBERNETES_SERVICE_HOST": ADDRESS,
            "KUBERNETES_SERVICE_PORT": str(PORT),
        }
        for one in container.get("env") or ():
            source = one.get("valueFrom") or {}
            if "secretKeyRef" in source or "configMapKeyRef" in source:
                kind, ref = (
                    ("Secret", source["secretKeyRef"])
                    if "secretKeyRef" in source
                    else ("ConfigMap", source["configMapKeyRef"])
                )
                found = self._read(kind, ref["name"])
                data = volumes.contents(kind, found) if found else {}
                if ref["key"] not in data:
                    if ref.get("optional"):
                        continue
                    raise LookupError(f"{kind} {ref['name']} has no key {ref['key']}")
                own[one["name"]] = data[ref["key"]].decode()
            elif "fieldRef" in source:
                own[one["name"]] = self.field(source["fieldRef"]["fieldPath"])
            else:
                own[one["name"]] = _expanded(one.get("value", ""), own)
        return own

    def _start(self, container: Object, attempt: int) -> Container:
        image = images.image(container["image"], self.kubelet.without)
        self.renew()
        variables = self._variables(container)
        command = [_expanded(word, variables) for word in (container.get("command") or image.entrypoint)]
        command += [_expanded(word, variables) for word in container.get("args") or ()]
        folder = self.folder / f"{container['name']}-{attempt}"
        folder.mkdir()
        log = self.kubelet.node.host / "var/log/pods" / f"{self.namespace}_{self.name}_{self.uid}" / container["name"]
        log.mkdir(parents=True, exist_ok=True)
        read_end, write_end = os.pipe()
        self.logs[container["name"]] = CriLog(log / f"{attempt}.log", read_end)
        try:
            return Container(
                image, command, variables, self._user(container), self._mounts(container), self.network, folder,
                hostname=self.name[:63], namespace=self.namespace,
                read_only=bool(container.get("securityContext", {}).get("readOnlyRootFilesystem")), stdout=write_end,
            )  # fmt: skip
        finally:
            os.close(write_end)

    def _live(self) -> None:
        try:
            for container in self.spec.get("initContainers") or ():
                started = self._start(container, 0)
                assert started.process.wait() == 0, (
                    f"init container {container['name']} failed: {self.log(container['name'])}"
                )
        except Exception as error:
            self._say_problem(error)
            return
        threads = [threading.Thread(target=self._keep, args=(one,), daemon=True) for one in self.spec["containers"]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if not self.ending.is_set():  # a Job's: all have ended
            failed = any(state.get("exit") for state in self.states.values())
            self.report("Failed" if failed else "Succeeded")

    def _say_problem(self, error: Exception) -> None:
        self.problem = f"{type(error).__name__}: {error}"
        self.kubelet.notify()

    def _keep(self, container: Object) -> None:
        name, attempt, policy = container["name"], 0, self.spec.get("restartPolicy", "Always")
        state = self.states[name] = {"ready": False, "restarts": 0, "started": None, "exit": None}
        while not self.ending.is_set():
            if not self.startable.wait(0.2):
                continue
            try:
                running = self._start(container, attempt)
            except images.AbsentError as error:  # ImagePullBackOff, for good
                self._say_problem(error)
                self.ending.wait()
                return
            except LookupError as error:  # CreateContainerConfigError: tried again until it is there
                self._say_problem(error)
                self.ending.wait(1)
                continue
            except Exception as error:
                self._say_problem(error)
                return
            self.problem = ""
            with self._lock:
                self.running[name] = running
            state.update(
                started=now(), exit=None, ready="readinessProbe" not in container and "startupProbe" not in container
            )
            self.report()
            prober = threading.Thread(target=probes.watch, args=(self, container, running, state), daemon=True)
            prober.start()
            state["exit"] = running.process.wait()
            state.update(ready=False)
            prober.join()
            if self.ending.is_set() or policy == "Never" or (policy == "OnFailure" and not state["exit"]):
                break
            attempt += 1
            state["restarts"] = attempt
            self.report()
            self.ending.wait(min(10.0, 0.5 * 2 ** min(attempt, 5)))

    # Status and end

    def report(self, phase: str = "Running") -> None:
        """Writes what is known of the containers into the Pod's status."""
        if self.ending.is_set():
            return
        statuses = []
        for container in self.spec["containers"]:
            state = self.states.get(container["name"]) or {}
            running: Object = (
                {"running": {"startedAt": state.get("started")}}
                if state.get("started") and state.get("exit") is None
                else {}
            )
            if state.get("exit") is not None:
                running = {
                    "terminated": {
                        "exitCode": state["exit"] if state["exit"] >= 0 else 128 - state["exit"],
                        "reason": "Ended",
                    }
                }
            statuses.append({
                "name": container["name"], "ready": bool(state.get("ready")), "restartCount": state.get("restarts", 0),
                "image": container["image"], "imageID": "", "state": running or {"waiting": {"reason": "ContainerCreating"}},
            })  # fmt: skip
        ready = "True" if phase == "Running" and all(one["ready"] for one in statuses) else "False"
        conditions = [
            {"type": kind, "status": ready, "lastTransitionTime": now()} for kind in ("Ready", "ContainersReady")
        ]
        conditions.append({"type": "Initialized", "status": "True", "lastTransitionTime": now()})
        status = {
            "phase": phase, "podIP": self.address, "podIPs": [{"ip": self.address}], "hostIP": ADDRESS,
            "conditions": conditions, "containerStatuses": statuses, "startTime": now(),
        }  # fmt: skip
        with contextlib.suppress(client.ApiException, HTTPError):  # the plane has ended
            self.kubelet.plane.core.patch_namespaced_pod_status(self.name, self.namespace, {"status": status})
        self.kubelet.notify()

    def stop(self, grace: int) -> None:
        """SIGTERM, then after `grace` seconds SIGKILL; then the Pod's object goes."""
        if self.ending.is_set():
            return
        self.ending.set()
        threading.Thread(target=self._stop, args=(grace,), daemon=True).start()

    def _stop(self, grace: int) -> None:
        end = time.monotonic() + grace
        for running in self.running.values():
            running.send(signal.SIGTERM)
        for running in self.running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.process.wait(max(0.1, end - time.monotonic()))
        self.end(0)
        self.kubelet.pods.pop((self.namespace, self.name), None)
        self.kubelet.forget(self.namespace, self.name)
        self.kubelet.notify()

    def end(self, grace: int) -> None:
        """At once."""
        self.ending.set()
        for running in self.running.values():
            running.kill()
            running.process.wait()
        self.network.close()

    @property
    def ready(self) -> bool:
        """All containers are."""
        return len(self.states) == len(self.spec["containers"]) and all(
            state["ready"] for state in self.states.values()
        )

    def log(self, container: str = "") -> str:
        """The last of what it wrote."""
        folder = self.kubelet.node.host / "var/log/pods" / f"{self.namespace}_{self.name}_{self.uid}"
        files = sorted(folder.glob(f"{container or '*'}/*.log"), key=lambda one: one.stat().st_mtime)
        return "\n".join(
            line.split(" ", 3)[-1] for file in files for line in file.read_text(errors="replace").splitlines()[-30:]
        )


_VARIABLE = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)|\$\$")


def _expanded(text: str, variables: dict[str, str]) -> str:
    """`$(NAME)` as Kubernetes expands it; unknown names stay."""
    return _VARIABLE.sub(lambda found: "$" if found[0] == "$$" else variables.get(found[1], found[0]), text)
