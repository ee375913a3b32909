"""Startup, readiness and liveness probes: exec, HTTP and TCP, at the manifest's times and thresholds."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Any

from .sandbox import Container

if TYPE_CHECKING:
    from .pod import Pod

Object = dict[str, Any]


def watch(pod: Pod, container: Object, running: Container, state: Object) -> None:
    """Until the container ends: `state["ready"]`, said in the Pod's status; SIGTERM where it is not alive."""
    startup, readiness, liveness = (container.get(f"{kind}Probe") for kind in ("startup", "readiness", "liveness"))
    process, began = running.process, time.monotonic()

    def wait(seconds: float) -> bool:
        """Whether it still runs after so long."""
        try:
            process.wait(seconds)
            return False
        except subprocess.TimeoutExpired:
            return not pod.ending.is_set()

    if startup:
        misses = 0
        while not _asked(pod, container, running, startup):
            misses += 1
            if misses > startup.get("failureThreshold", 3):
                running.send(signal.SIGTERM)
            if not wait(startup.get("periodSeconds", 10)):
                return
    failures = {"readiness": 0, "liveness": 0}
    due = {
        kind: began + probe.get("initialDelaySeconds", 0)
        for kind, probe in (("readiness", readiness), ("liveness", liveness))
        if probe
    }
    if not readiness:
        state["ready"] = True
        pod.report()
    while due:
        kind = min(due, key=lambda one: due[one])
        pause = max(0.0, due[kind] - time.monotonic())
        if not wait(pause + 0.001):
            return
        probe = readiness if kind == "readiness" else liveness
        assert probe
        good = _asked(pod, container, running, probe)
        due[kind] = time.monotonic() + probe.get("periodSeconds", 10)
        failures[kind] = 0 if good else failures[kind] + 1
        over = failures[kind] >= probe.get("failureThreshold", 3)
        if kind == "readiness" and (good or over) and state["ready"] != good:
            state["ready"] = good
            pod.report()
        if kind == "liveness" and over:
            state["killed"] = state.get("killed", 0) + 1
            running.send(signal.SIGTERM)


def _asked(pod: Pod, container: Object, running: Container, probe: Object) -> bool:
    seconds = probe.get("timeoutSeconds", 1)
    try:
        if "exec" in probe:
            return running.run(probe["exec"]["command"], seconds).returncode == 0
        kind = "httpGet" if "httpGet" in probe else "tcpSocket"
        port = _port(container, probe[kind]["port"])
        if kind == "tcpSocket":
            socket.create_connection((pod.address, port), seconds).close()
            return True
        asked = http.client.HTTPConnection(pod.address, port, timeout=seconds)
        asked.request("GET", probe["httpGet"]["path"])
        return 200 <= asked.getresponse().status < 400
    except (OSError, http.client.HTTPException, subprocess.TimeoutExpired):
        return False


def _port(container: Object, port: int | str) -> int:
    """A port by number or by its name in the container."""
    if isinstance(port, int):
        return port
    return next(int(one["containerPort"]) for one in container.get("ports") or () if one.get("name") == port)
