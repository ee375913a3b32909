"""The sidecar beside several Alertmanagers, real and with its rendered arguments: it sees each change of what it mounts."""

from __future__ import annotations

import queue
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from conftest import judge
from live import volumes
from obsgen.road import load, texts

ROOT, HOME = Path(__file__).parents[1], "/etc/alertmanager/"
SECONDS = 30
"""Longer than it waits after a change (1), shorter than it waits where it sees none (180)."""


@pytest.fixture
def asked() -> Iterator[tuple[str, queue.Queue[str]]]:
    """Where a server listens in Alertmanager's place, and the paths that it is asked for."""
    paths: queue.Queue[str] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            paths.put(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}", paths
        server.shutdown()


def write(folder: Path, mount: str, text: str) -> None:
    """What a ConfigMap's volume holds from now on, as a kubelet swaps it."""
    held = {"data": {"alertmanager.yaml": text}}
    volumes.lay_out({"configMap": {"name": mount}}, folder / mount, None, lambda kind, name: held, lambda _: "")


def test_every_change_of_a_mounted_folder_is_told_to_alertmanager_not_only_the_first(
    tmp_path: Path, asked: tuple[str, queue.Queue[str]]
) -> None:
    program = judge("prometheus-config-reloader", "0.93", "whether the sidecar sees changes was not asked")
    address, paths = asked
    objects = yaml.safe_load_all(texts(load(ROOT / "observability.yaml", "prod"))["monitoring/alertmanager.yaml"])
    (pod,) = [one["spec"]["template"]["spec"] for one in objects if one["kind"] == "StatefulSet"]
    (sidecar,) = [one for one in pod["containers"] if one["name"] == "config-reloader"]
    mounts = [one["mountPath"].removeprefix(HOME) for one in sidecar["volumeMounts"]]
    here = {HOME: f"{tmp_path}/", "=:8080": "=127.0.0.1:0", "127.0.0.1:9093": address}
    arguments = sidecar["args"]
    for old, new in here.items():
        assert any(old in one for one in arguments), f"{old} is not rendered any more"
        arguments = [one.replace(old, new) for one in arguments]
    for mount in mounts:
        write(tmp_path, mount, "0")

    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen([program, *arguments], stdout=log, stderr=log) as running,
    ):
        try:
            assert paths.get(timeout=SECONDS) == "/-/reload"  # at its start
            for mount in mounts:
                for change in ("1", "2"):
                    write(tmp_path, mount, change)
                    assert paths.get(timeout=SECONDS) == "/-/reload"
        except queue.Empty:
            pytest.fail((tmp_path / "log").read_text())
        finally:
            running.kill()
