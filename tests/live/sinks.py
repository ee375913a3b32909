"""Those whom Alertmanager tells, under their real names: PagerDuty's Events v2, Slack's webhooks, a mail server, any webhook.

DNS leads their names here, and the Pods believe the authority that signed for them; so the rendered addresses stand unchanged.
"""

from __future__ import annotations

import email
import email.policy
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from .node import ADDRESS

PAGERDUTY, SLACK, MAIL, WATCHDOG = (
    "events.pagerduty.com",
    "hooks.slack.com",
    "smtp.auralink.example",
    "watchdog.example.com",
)
NAMES = (PAGERDUTY, SLACK, MAIL, WATCHDOG)


@dataclass(frozen=True)
class Told:
    """One message that arrived: when (monotonic seconds), over which channel, to whom, what."""

    at: float
    channel: str
    to: str
    body: Any

    @property
    def resolves(self) -> bool:
        """Whether it says that it is over."""
        if self.channel == "pagerduty":
            return bool(self.body["event_action"] == "resolve")
        return "RESOLVED" in self.text

    @property
    def text(self) -> str:
        """All of it, to look for words."""
        return self.body if isinstance(self.body, str) else json.dumps(self.body, ensure_ascii=False)


@dataclass
class Sinks:
    """What has arrived so far."""

    told: list[Told] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    refused: dict[str, Iterator[int]] = field(default_factory=dict)
    """Channel → what it answers instead, in turn; 200: it takes."""

    def take(self, channel: str, to: str, body: Any) -> None:
        """One message more."""
        with self.changed:
            self.told.append(Told(time.monotonic(), channel, to, body))
            self.changed.notify_all()

    def about(self, word: str, since: float = 0) -> list[Told]:
        """Messages that hold a word, the heartbeat's left out."""
        return [one for one in self.told if one.at >= since and one.channel != "watchdog" and word in one.text]

    def channels(self, word: str, since: float, *, resolved: bool = False) -> list[tuple[str, str]]:
        """Over which channel and to whom messages that hold a word came, in order of their names."""
        return sorted((one.channel, one.to) for one in self.about(word, since) if one.resolves == resolved)

    @property
    def beats(self) -> list[float]:
        """When each heartbeat came (monotonic seconds)."""
        return [one.at for one in self.told if one.channel == "watchdog"]

    def await_beats(self, number: int, seconds: float) -> None:
        """Until so many more have come. Raises AssertionError if they don't."""
        before = len(self.beats)
        self.await_(lambda: len(self.beats) >= before + number, seconds, "no heartbeat")

    def await_(self, true: Callable[[], bool], seconds: float, what: str) -> None:
        """Until something that arrives makes it true. Raises AssertionError that says what has arrived instead."""
        end = time.monotonic() + seconds
        with self.changed:
            while not true():
                left = end - time.monotonic()
                assert left > 0, (
                    f"{what}: not within {seconds} s; told so far: {[(one.channel, one.to, one.text[:200]) for one in self.told]}"
                )
                self.changed.wait(left)


def believed(home: Path) -> tuple[trustme.CA, Path]:
    """An authority, and the folder of certificates that believes it."""
    authority, trusted = trustme.CA(), home / "trusted"
    trusted.mkdir()
    authority.cert_pem.write_to_path(str(trusted / "ca-certificates.crt"))
    return authority, trusted


@contextmanager
def running(authority: trustme.CA) -> Iterator[Sinks]:
    """The sinks on the node's address, with certificates of an authority that Pods believe."""
    sinks, certificate = Sinks(), authority.issue_cert(*NAMES)
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            host = (self.headers.get("Host") or "").partition(":")[0]
            channel = {PAGERDUTY: "pagerduty", SLACK: "slack", WATCHDOG: "watchdog"}.get(host, host)
            refused = next(sinks.refused.get(channel, _TAKEN))
            status, answer = _answer(channel, self.path, body) if refused == 200 else (refused, b"{}")
            if status < 300:
                parsed = json.loads(body)
                sinks.take(channel, parsed.get("routing_key") or parsed.get("channel") or self.path, parsed)
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    web = ThreadingHTTPServer((ADDRESS, 443), Handler)
    web.socket = context.wrap_socket(web.socket, server_side=True)
    threading.Thread(target=web.serve_forever, daemon=True).start()

    class Mailbox:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
            if next(sinks.refused.get("mail", _TAKEN)) != 200:
                return "451 later"
            message = email.message_from_bytes(envelope.content, policy=email.policy.default)
            body = message.get_body(("html", "plain"))
            sinks.take(
                "mail", ",".join(envelope.rcpt_tos), f"{message['Subject']}\n{body.get_content() if body else ''}"
            )
            return "250 taken"

    def known(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=data.login == b"alerts@auralink.example" and data.password == b"smtp-password")

    mail = Controller(
        Mailbox(),
        hostname=ADDRESS,
        port=587,
        tls_context=context,
        require_starttls=True,
        authenticator=known,
        auth_required=True,
        auth_exclude_mechanism=["LOGIN"],  # Alertmanager 0.34 expects other prompts than aiosmtpd gives
    )
    mail.start()
    try:
        yield sinks
    finally:
        mail.stop()
        web.shutdown()
        web.server_close()


_TAKEN = itertools.repeat(200)


def _answer(channel: str, path: str, body: bytes) -> tuple[int, bytes]:
    """As the services answer, as far as a sender looks: Events v2 wants its fields (an end its `dedup_key`), Slack says ok."""
    try:
        parsed = json.loads(body)
    except ValueError:
        return 400, b'{"status":"invalid event"}'
    if channel == "pagerduty":
        if (
            path != "/v2/enqueue"
            or not parsed.get("routing_key")
            or parsed.get("event_action") not in ("trigger", "resolve", "acknowledge")
            or (parsed["event_action"] != "trigger" and not parsed.get("dedup_key"))
        ):
            return 400, b'{"status":"invalid event"}'
        payload = parsed.get("payload") or {}
        if parsed["event_action"] == "trigger" and not (
            {"summary", "source", "severity"} <= payload.keys()
            and payload["severity"] in ("critical", "error", "warning", "info")
        ):
            return 400, b'{"status":"invalid event"}'
        return 202, json.dumps({"status": "success", "dedup_key": parsed.get("dedup_key", "")}).encode()
    if channel == "slack":
        return (200, b"ok") if path.startswith("/services/") else (404, b"no_service")
    return 200, b"{}"
