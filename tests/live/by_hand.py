"""What somebody does by hand on the cluster: scales, edits a ConfigMap, has a server load what was edited."""

from __future__ import annotations

import contextlib
import json
import signal
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .conftest import TOKEN
from .stage import Stage


def scale(stage: Stage, workload: str, replicas: int) -> None:
    """`kubectl scale`."""
    stage.plane.kubectl("scale", "-n", "auralink", workload, f"--replicas={replicas}")


@contextlib.contextmanager
def edited(
    stage: Stage, name: str, key: str, edit: Callable[[str], str], namespace: str = "auralink"
) -> Iterator[None]:
    """Somebody edits a ConfigMap by hand, and puts it back; each time until the Pods that mount it see it."""

    def patch(text: str | None) -> None:
        body = json.dumps({"data": {key: text}})
        stage.plane.kubectl("patch", "configmap", "-n", namespace, name, "--type=merge", f"--patch={body}")
        files = [folder / key for folder in _mounts(stage, name)]
        stage.await_(lambda: all(_read(file) == text for file in files), 60, f"{name} is not swapped")

    before = stage.plane.core.read_namespaced_config_map(name, namespace).data.get(key)
    patch(edit(before or ""))
    try:
        yield
    finally:
        patch(before)


def _mounts(stage: Stage, name: str) -> list[Path]:
    """The folders of the node in which Pods have a ConfigMap."""
    return [
        pod.folder / "volumes" / volume["name"]
        for pod in stage.kubelet.pods.values()
        for volume in pod.spec.get("volumes") or ()
        for source in (volume, *volume.get("projected", {}).get("sources", ()))
        if source.get("configMap", {}).get("name") == name
    ]


def _read(file: Path) -> str | None:
    return file.read_text() if file.exists() else None


def api(stage: Stage, method: str, path: str, body: Any = None) -> Any:
    """The admin API of dead letters, as nina. Raises OSError."""
    request = urllib.request.Request(
        f"http://{stage.pods('dlq-api')[0].address}:8080/api/v1/admin/dlq{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def reload_alertmanager(stage: Stage) -> None:
    """As the reloader beside it does where there are several; alone, it is asked by whoever has changed something."""
    request = urllib.request.Request(f"http://{stage.pods('alertmanager')[0].address}:9093/-/reload", method="POST")
    with contextlib.suppress(urllib.error.HTTPError):  # 500: it refuses
        urllib.request.urlopen(request, timeout=10).close()


def reload_prometheus(stage: Stage, *, works: bool = True) -> None:
    """`kill -HUP`: by itself Prometheus looks every 30 seconds."""

    def loaded() -> dict[str, float]:
        lines = stage.get("prometheus", 9090, "/metrics").decode().splitlines()
        return {
            name: float(value)
            for name, _, value in (line.partition(" ") for line in lines if line.startswith("prometheus_config_last"))
        }

    success = "prometheus_config_last_reload_success"
    before = loaded()[f"{success}_timestamp_seconds"]
    stage.pods("prometheus")[0].running["prometheus"].send(signal.SIGHUP)
    if works:
        stage.await_(lambda: loaded()[f"{success}_timestamp_seconds"] > before, 30, "Prometheus loads nothing")
    else:
        stage.await_(lambda: loaded()[f"{success}ful"] == 0, 30, "Prometheus takes it")
