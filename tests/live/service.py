"""A service as the declaration speaks of them: it logs, counts requests, gives messages up; and it does what a scenario orders.

Its name is the variable SERVICE, its port PORT; contract and Redis as in the rendered workloads. With SPOOL dead letters wait in that file
while Redis refuses them. `GET /metrics` is what Prometheus scrapes, `GET /healthz` the probes; `POST /ORDER` with the order's arguments as
JSON obeys one of ORDERS and answers what it returns.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import prometheus_client
from redis.exceptions import RedisError

from auralink_shared import dlq
from auralink_shared.logging import continue_trace, request_id_var, setup, user_id_var
from auralink_shared.logging.metrics import Collector as LogCollector

NAME = os.environ["SERVICE"]
BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Service:
    """What it has done so far, and what it does on order."""

    def __init__(self) -> None:
        self.logger = setup(NAME, "TRACE", version="1.0.0", environment="live")
        logging.getLogger("redis").setLevel(logging.INFO)  # redis-py 8 says at DEBUG what each new connection lacks
        spool = dlq.Spool(Path(os.environ["SPOOL"])) if os.environ.get("SPOOL") else None
        self.letters = dlq.DeadLetters.from_env(os.environ, spool=spool)
        self.registry = prometheus_client.CollectorRegistry()
        self.registry.register(LogCollector())
        self.registry.register(dlq.Collector(self.letters))
        name = os.environ.get("REQUESTS", "http_requests")  # another one: a release that renamed it
        self.requests = prometheus_client.Counter(name, "Requests.", ["code"], registry=self.registry)
        for code in ("200", "500"):
            self.requests.labels(code)  # from 0, or the first failure would be no increase
        self.seconds = prometheus_client.Histogram(
            "http_request_duration_seconds", "Seconds to an answer.", registry=self.registry, buckets=BUCKETS
        )
        self.beats = True

    def log(
        self, level: str, message: str, count: int = 1, context: dict[str, Any] | None = None, through: str = "logger",
        trace_id: str = "", user_id: str = "", request_id: str = "", error: str = "", first: int = 0, rate: float = 0,
    ) -> None:  # fmt: skip
        """`count` lines, each of a trace of its own where none is given; `{n}` in the message becomes `first`, `first` + 1, …

        `through` stdlib: by a logger that knows nothing of us; print: the message as it is. `error`: the line carries an exception of this
        text, with its stack. `rate`: so many lines a second.
        """
        found = None
        if error:
            try:
                raise RuntimeError(error)
            except RuntimeError as raised:
                found = raised
        users = user_id_var.set(user_id), request_id_var.set(request_id)
        begun = time.monotonic()
        for number in range(first, first + count):
            text = message.replace("{n}", str(number))
            with continue_trace(f"00-{trace_id}-00f067aa0ba902b7-01" if trace_id else None):
                if through == "print":
                    print(text, flush=True)
                elif through == "stdlib":
                    logging.getLogger("third.party").log(logging.getLevelName(level), text, exc_info=found)
                elif level in ("WARN", "ERROR", "FATAL"):
                    getattr(self.logger, level.lower())(text, context=context, error=found)
                else:
                    getattr(self.logger, level.lower())(text, context)
            if rate:
                time.sleep(max(0, begun + (number - first + 1) / rate - time.monotonic()))
        user_id_var.reset(users[0])
        request_id_var.reset(users[1])

    def request(self, code: str = "200", count: int = 1, seconds: float | None = 0.02) -> None:
        """Has answered `count` requests with `code`, each in so many seconds (None: nobody looked at the clock)."""
        self.requests.labels(code).inc(count)
        for _ in range(0 if seconds is None else count):
            self.seconds.observe(seconds)

    def give_up(
        self, queue: str, count: int = 1, age: float = 0, replays: int = 0, error: str = "refused", workers: int = 8
    ) -> dict[str, int]:
        """Adds `count` dead letters that died `age` seconds ago; how many were taken, how many neither by Redis nor by the spool."""
        born = time.time() - age

        def add(number: int) -> bool:
            payload = json.dumps({"number": number, "of": NAME}).encode()
            times = dict.fromkeys(("first_attempt", "last_attempt", "created_at"), born)
            try:
                self.letters.add(dlq.Record(queue, payload, error=error, attempts=3, replays=replays, **times))
            except (RedisError, OSError, dlq.DeadLetterError):
                return False
            return True

        with ThreadPoolExecutor(workers) as pool:
            taken = sum(pool.map(add, range(count)))
        return {"taken": taken, "failed": count - taken}

    def beat(self, beats: bool) -> None:
        """Whether it answers probes and Prometheus from now on."""
        self.beats = beats


ORDERS = ("log", "request", "give_up", "beat")


def main() -> None:
    """Serves until it is killed."""
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not service.beats:
                self._answer(503, b"")
            elif self.path == "/metrics":
                text = prometheus_client.generate_latest(service.registry)
                self._answer(200, text, prometheus_client.CONTENT_TYPE_PLAIN_0_0_4)
            else:
                self._answer(200 if self.path == "/healthz" else 404, b"")

        def do_POST(self) -> None:
            arguments = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
            name = self.path.lstrip("/")
            if name in ORDERS:
                order: Callable[..., Any] = getattr(service, name)
                self._answer(200, json.dumps(order(**arguments)).encode())
            else:
                self._answer(404, b"")

        def _answer(self, status: int, body: bytes, kind: str = "application/json") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    service.logger.info("Service started", {"port": os.environ["PORT"]})
    ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()


if __name__ == "__main__":
    main()
