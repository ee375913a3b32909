"""uvicorn, gunicorn and celery as people run them: every line of both streams is one of the standard, or is named here."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lines
import pytest

PARENT, TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "4bf92f3577b34da6a3ce929d0e0e4736"
HEADERS = {"traceparent": PARENT, "x-request-id": "r-1"}

ASGI = """
import logging, threading, warnings
from auralink_shared.logging import setup
from auralink_shared.logging.web import ASGIMiddleware
logger = setup("dashboard-service", version="1")

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        return await send({"type": "lifespan.shutdown.complete"})
    if scope["path"] == "/broken":
        raise KeyError("broken")
    logging.getLogger("rooms").warning("a library's line")
    warnings.warn("old")
    thread = threading.Thread(target=lambda: 1 / 0); thread.start(); thread.join()
    await send({"type": "http.response.start", "status": 201, "headers": []})
    await send({"type": "http.response.body", "body": b"made"})

app = ASGIMiddleware(app, logger)
"""

WSGI = """
import logging
from auralink_shared.logging import StructuredLogger
from auralink_shared.logging.web import WSGIMiddleware

def app(environ, start_response):
    if environ["PATH_INFO"] == "/broken":
        raise KeyError("broken")
    logging.getLogger("rooms").warning("a library's line")
    start_response("201 Created", [])
    return [b"made"]

app = WSGIMiddleware(app, StructuredLogger("dashboard-service", version="1"))
"""

GUNICORN = """
from auralink_shared.logging import setup
setup("dashboard-service", version="1")
logger_class = "auralink_shared.logging.gunicorn.Logger"
"""

CELERY = """
from celery import Celery
from celery.signals import setup_logging
from auralink_shared.logging import new_trace, setup

setup("worker-service", version="1")

@setup_logging.connect
def leave_logging_alone(**_):
    pass

app = Celery("rooms", broker="filesystem://", backend="cache+memory://")
app.conf.broker_transport_options = {"data_folder_in": "q", "data_folder_out": "q", "control_folder": "c"}

@app.task
@new_trace()
def create(room, broken=False):
    import logging
    logging.getLogger("rooms").info("creating", extra={"room": room})
    if broken:
        raise ValueError("no room")
"""


class Server:
    """A program whose two streams go into one pipe, and what came out of it so far."""

    def __init__(self, folder: Path, *command: str) -> None:
        path = os.pathsep.join([str(lines.LIBS / "python"), str(folder)])
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "HOME": str(folder)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.output: list[bytes] = []
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            with self._more:
                self.output.append(line)
                self._more.notify_all()

    def await_line(self, pattern: str, times: int = 1, seconds: float = 60) -> re.Match[bytes]:
        """The last of so many lines that the pattern finds."""

        def found() -> list[re.Match[bytes]]:
            return [match for line in list(self.output) if (match := re.search(pattern.encode(), line))]

        with self._more:
            assert self._more.wait_for(lambda: len(found()) >= times, seconds), b"".join(self.output).decode()
        return found()[times - 1]

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        finally:
            self.process.kill()
            self._reader.join()

    def lines(self, but: str = "(?!)") -> list[dict[str, Any]]:
        """Each line, held to the rendered schema, but those that the pattern is all of."""
        return [lines.read(line) for line in self.output if not re.fullmatch(but, line.decode().rstrip("\n"))]


@contextmanager
def served(folder: Path, *command: str) -> Iterator[Server]:
    server = Server(folder, *command)
    try:
        yield server
    finally:
        server.stop()


def ask(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers=HEADERS)
    answer = connection.getresponse()
    if path != "/broken":
        assert answer.headers["x-request-id"] == "r-1"
    answer.read()
    connection.close()
    return answer.status


def access(found: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """The access lines, all of which must be of the caller's trace."""
    mine = [line for line in found if "path" in line["context"]]
    assert {(line["trace_id"], line["request_id"]) for line in mine} == {(TRACE, "r-1")}
    return [(line["level"], line["context"]["path"], line["context"]["status"]) for line in mine]


def test_uvicorn(tmp_path: Path) -> None:
    (tmp_path / "rooms.py").write_text(ASGI)
    with served(tmp_path, "uvicorn", "rooms:app", "--port", "0") as server:
        port = int(server.await_line(r"http://127\.0\.0\.1:(\d+)")[1])
        assert (ask(port, "/rooms"), ask(port, "/broken")) == (201, 500)
    found = server.lines()
    assert access(found) == [("INFO", "/rooms", 201), ("ERROR", "/broken", 500)]
    told = [line["message"] for line in found]
    assert "Application startup complete." in told and "Uncaught exception in a thread" in told
    inside = next(line for line in found if line["message"] == "a library's line")
    assert (inside["trace_id"], inside["request_id"]) == (TRACE, "r-1")
    assert {line["context"]["logger"] for line in found if "logger" in line["context"]} >= {"uvicorn.error", "rooms"}


def test_uvicorn_with_workers_started_by_a_program(tmp_path: Path) -> None:
    (tmp_path / "rooms.py").write_text(ASGI)
    (tmp_path / "main.py").write_text(
        "import uvicorn\nfrom auralink_shared.logging import setup\n"
        "if __name__ == '__main__':\n"
        " setup('dashboard-service', version='1')\n"
        " uvicorn.run('rooms:app', port=0, workers=2, log_config=None)\n"
    )
    with served(tmp_path, "main") as server:
        port = int(server.await_line(r"http://127\.0\.0\.1:(\d+)")[1])
        server.await_line("Application startup complete", times=2)
        assert ask(port, "/rooms") == 201
    assert access(server.lines()) == [("INFO", "/rooms", 201)]


def test_gunicorn(tmp_path: Path) -> None:
    (tmp_path / "rooms.py").write_text(WSGI)
    (tmp_path / "gunicorn.conf.py").write_text(GUNICORN)
    with served(tmp_path, "gunicorn", "rooms:app", "--bind", "127.0.0.1:0", "--workers", "2") as server:
        port = int(server.await_line(r"http://127\.0\.0\.1:(\d+)")[1])
        server.await_line("Booting worker", times=2)
        assert (ask(port, "/rooms"), ask(port, "/broken")) == (201, 500)
    found = server.lines()
    assert access(found) == [("INFO", "/rooms", 201), ("ERROR", "/broken", 500)]
    assert found[0]["message"].startswith("Starting gunicorn")
    inside = next(line for line in found if line["message"] == "a library's line")
    assert (inside["trace_id"], inside["request_id"]) == (TRACE, "r-1")


def test_gunicorn_with_uvicorns_worker(tmp_path: Path) -> None:
    (tmp_path / "rooms.py").write_text(ASGI)
    (tmp_path / "gunicorn.conf.py").write_text(GUNICORN)
    options = ("--bind", "127.0.0.1:0", "--worker-class", "uvicorn.workers.UvicornWorker")
    with served(tmp_path, "gunicorn", "rooms:app", *options) as server:
        port = int(server.await_line(r"http://127\.0\.0\.1:(\d+)")[1])
        server.await_line("Application startup complete")
        assert ask(port, "/rooms") == 201
    assert access(server.lines()) == [("INFO", "/rooms", 201)]


@pytest.mark.parametrize("pool", ["prefork", "solo"])
def test_celery(tmp_path: Path, pool: str) -> None:
    """Not ours: what celery prints when it ends, and an empty line before it; `--quiet` spares the banner."""
    (tmp_path / "rooms.py").write_text(CELERY)
    for folder in ("q", "c"):
        (tmp_path / folder).mkdir()
    with served(tmp_path, "celery", "--quiet", "-A", "rooms", "worker", "-c", "2", "-P", pool) as server:
        server.await_line(r"celery@.* ready")
        program = "import rooms; rooms.create.delay('r-7'); rooms.create.delay('r-8', broken=True)"
        environment = {**os.environ, "PYTHONPATH": str(lines.LIBS / "python")}
        subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, check=True)
        server.await_line("succeeded in")
        server.await_line("no room")
    found = server.lines(but=r"|worker: Warm shutdown \(MainProcess\)")
    created = [line for line in found if line["message"] == "creating"]
    assert {line["context"]["room"] for line in created} == {"r-7", "r-8"}
    assert len({line["trace_id"] for line in created}) == 2 and lines.ZEROS not in {
        line["trace_id"] for line in created
    }
    (failed,) = [line for line in found if line.get("error_type") == "ValueError"]
    assert failed["error"] == "no room" and "Traceback" in failed["stack_trace"]
