"""What the tests of the page and its screenshots share: letters that are always the same, a server in this process, a browser."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import expect, sync_playwright
from servers import absent

from auralink_shared.dlq import DeadLetters, Record
from auralink_shared.dlq.admin import Tokens, create_app
from auralink_shared.dlq.admin.limits import Limits
from auralink_shared.dlq.cli.serving import _listening
from auralink_shared.dlq.letter import Filter

QUEUE, OTHER = "rooms:create", "webhooks:deliver"
ROLES = {"viewer": "vera", "operator": "otto", "admin": "ada"}
PATIENCE_MS = 30_000  # of a machine that is busy with other things
PATIENT = Limits(rate=1e6, burst=10**6)  # a test clicks faster than people


def chromium() -> str:
    """Debian's browser. Absent: these tests skip, saying so; with OBSGEN_REQUIRE_JUDGES=1 they fail."""
    found = shutil.which("chromium")
    if not found:
        absent("chromium is not here, so nobody has looked at the page (apt-get install chromium)")
    return found


@contextmanager
def browsing() -> Iterator[Any]:
    """Playwright's browser, over Debian's Chromium."""
    program = chromium()
    expect.set_options(timeout=PATIENCE_MS)
    # Chromium's own sandbox needs a user of its own; where everything is root's there is none
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=program, args=options)
        yield one
        one.close()


@pytest.fixture(scope="module")  # while Playwright runs, nothing else in this thread can run an event loop
def browser() -> Iterator[Any]:
    with browsing() as one:
        yield one


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Its URL. The socket, as `auralink-dlq serve` makes it, listens before the server runs, so nobody has to wait."""
    with _listening("127.0.0.1", 0) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on", server_header=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)


def application(letters: DeadLetters, tokens: Path | None = None, **how: Any) -> Any:
    """The API and its page; with a file of tokens, one for each role: the token is the role's name."""
    if tokens:
        lines = (f"{hashlib.sha256(role.encode()).hexdigest()} {role} {name}\n" for role, name in ROLES.items())
        tokens.write_text("".join(lines))
    return create_app(letters, tokens=Tokens.load(tokens) if tokens else None, limits=PATIENT, **how)


@dataclass
class Site:
    """A served application, and whatever a browser complained of."""

    browser: Any
    application: Any
    url: str
    root: Any  # Redis, as nobody but a test may ask it
    complaints: list[str] = field(default_factory=list)

    def open(self, role: str = "", path: str = "/ui/", **how: Any) -> Any:
        """A page of a browser of its own, signed in as that role."""
        page = self.browser.new_context(base_url=self.url, **how).new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        # what a status of 4xx or 5xx makes Chromium say of the page itself is no complaint
        page.on(
            "console",
            lambda one: (
                one.type in ("error", "warning") and "status of" not in one.text and self.complaints.append(one.text)
            ),
        )
        page.goto(path)
        if role:
            page.get_by_label("Token").fill(role)
            page.get_by_role("button", name="Log in").click()
        return page

    def waiting(self, queue: str = QUEUE) -> list[bytes]:
        """What consumers of the queue would get."""
        found: list[bytes] = self.root.lrange(queue, 0, -1)
        return found


@pytest.fixture
def serve(browser: Any, letters: DeadLetters, server: Any, tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Serves the page; at the end no browser may have complained, of the content security policy least of all."""
    sites: list[Site] = []
    with ExitStack() as running:

        def serve(tokens: bool = True, **how: Any) -> Site:
            made = application(letters, tmp_path / "tokens" if tokens else None, **how)
            sites.append(Site(browser, made, running.enter_context(served(made)), server.root))
            return sites[-1]

        yield serve
        for context in browser.contexts:
            context.close()
    assert [site.complaints for site in sites if site.complaints] == []


def number(of: str) -> int:
    return int(hashlib.sha1(of.encode(), usedforsecurity=False).hexdigest()[:8], 16)


def identity(of: str) -> str:
    """A UUID that is the same every time."""
    digest = hashlib.sha1(of.encode(), usedforsecurity=False).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"


FAILURES = (
    ("TimeoutError", "livekit did not answer within 30 s (room {room})", 3, "exhausted"),
    (
        "OperationalError",
        'connection to "dashboard-db" failed: FATAL: too many connections for role "rooms" (pid {pid})',
        3,
        "exhausted",
    ),
    ("ValidationError", "max_participants: {room} is greater than 50", 1, "rejected"),
    ("TimeoutError", "livekit did not answer within 30 s (room {room})", 3, "exhausted"),
    ("HTTPStatusError", "POST /v1/rooms: 502 Bad Gateway after {pid} ms", 3, "exhausted"),
    ("TimeoutError", "livekit did not answer within 30 s (room {room})", 3, "exhausted"),
    ("KeyError", "'tenant_id'", 1, "rejected"),
)


def payload(at: int, queue: str = QUEUE) -> bytes:
    """What a service of ours sends to make a room."""
    made = {
        "event": "room.create",
        "version": 2,
        "room": {"name": f"standup-{at}", "max_participants": 12 + at % 40, "record": at % 3 == 0, "region": "use1"},
        "tenant_id": identity(f"tenant {at % 5}"),
        "requested_by": {"user_id": identity(f"user {at}"), "email": f"user{at}@example.com", "token": f"secret-{at}"},
        "price": 9007199254740993,
        "tags": ["weekly", "team-a"],
        "callback": None,
    }
    return json.dumps(made, separators=(",", ":")).encode()


def record(at: int, now: float, queue: str = QUEUE, **said: Any) -> Record:
    """The letter number `at`, which died `at` times some minutes before `now`."""
    kind, error, attempts, reason = FAILURES[at % len(FAILURES)]
    died = now - 37 - at * 211.5 - number(str(at)) % 97
    made: dict[str, Any] = {
        "queue": queue,
        "payload": payload(at, queue),
        "error": error.format(room=1000 + at, pid=20000 + number(error) % 999 + at),
        "error_type": kind,
        "reason": reason,
        "attempts": attempts,
        "first_attempt": died - 71.25,
        "last_attempt": died,
        "created_at": died,
        "id": identity(f"{queue} {at}"),
        "trace_id": hashlib.sha1(f"trace {at}".encode(), usedforsecurity=False).hexdigest()[:32],
    }
    return Record(**{**made, **said})


def seed(letters: DeadLetters, many: int = 24, queue: str = QUEUE, **said: Any) -> list[Record]:
    """`many` letters, the newest first."""
    records = [record(at, letters.clock(), queue, **said) for at in range(many)]
    for one in records:
        letters.add(one)
    return records


def everything() -> Filter:
    """A filter with a condition that all letters meet."""
    return Filter(since=0.0)
