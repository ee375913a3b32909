"""What every request passes before the application reads any of it: who, whether, how much.

Deny by default: a route is open only to the role that it names. One place, so that no route can forget a part.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import BaseRoute, Match

from ...logging.trace import user_id_var
from . import auth, idempotency
from .limits import Limits
from .problems import Problem, invalid, problem_of

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")
HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
}
_PROXIED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


class Guard:
    """ASGI middleware around the FastAPI application in `scope["app"]`, whose state holds what it asks."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One connection. A problem is answered here, a traceback never."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no web sockets
            await send({"type": "websocket.close", "code": 1008})
            return
        # As it was sent: an id may hold a slash, and only `%2F` tells it from one between two parts of the path.
        raw = scope.get("raw_path")
        scope = {**scope, "path": raw.decode("latin-1") if raw else quote(scope["path"]), "state": {}}
        request, answering = Request(scope, receive), False

        async def answer(message: Message) -> None:
            nonlocal answering
            if message["type"] == "http.response.start":
                answering = True
                given = {name.lower() for name, _ in message.get("headers", ())}
                more = [(n.encode(), v.encode()) for n, v in HEADERS.items() if n.encode() not in given]
                message = {**message, "headers": [*message.get("headers", ()), *more]}
            await send(message)

        try:
            await self._pass(request, scope, answer)
        except ClientDisconnect:
            return
        except Exception as error:
            problem = problem_of(error)
            if answering:  # too late to say so: cut it off
                raise
            await _said(request, problem)(scope, receive, answer)

    async def _pass(self, request: Request, scope: Message, send: Send) -> None:
        state = request.app.state
        route, allowed = _route(request.app.routes, scope)
        role = auth.role_of(route) if route else auth.ROLES[0]
        who = _who(request, asked=role != auth.ANYONE)
        if who is None or role == auth.ANYONE:
            state.anyone.take(auth.address(request))
        else:
            state.principals.take(who.name)
        if who is None and role != auth.ANYONE:
            raise auth.unauthorized()
        if route is None:
            if allowed:
                raise Problem(405, "method-not-allowed", "Not with this method.", headers={"Allow": ", ".join(allowed)})
            raise Problem(404, "not-found", "Nothing is here.")
        if role is None:
            raise Problem(403, "forbidden", "Nobody may use this: it names no role.")
        if role != auth.ANYONE:
            assert who is not None
            if not who.may(role):
                raise Problem(403, "forbidden", f"This needs the role {role}; {who.name} is {who.role}.")
            if state.read_only and role != auth.ROLES[0]:
                raise Problem(403, "read-only", "This API is read-only.")
        _check_query(request)
        if request.method in SAFE:
            await self.app(scope, request.receive, send)
            return
        _check_origin(request)
        body = await _body(request, state.limits)
        _check_csrf(request, body)
        receive = _given(body)
        key = request.headers.get("idempotency-key")
        if key is None or who is None:
            await self.app(scope, receive, send)
        else:
            await idempotency.once(state.letters.client, who.name, key, request, body, self.app, receive, send)


def _who(request: Request, *, asked: bool) -> auth.Principal | None:
    """The principal, noted for the routes and for every line that is logged; None where nobody says who it is.

    Where nobody is `asked`, a wrong token is no fault: a probe may send what it sends everywhere.
    """
    state = request.app.state
    who: auth.Principal | None = None
    if state.tokens is None:
        _check_local(request)
        who = auth.LOCAL
    elif asked and (header := request.headers.get("authorization")):
        scheme, _, token = header.partition(" ")
        who = auth.authenticate(request, token.strip() if scheme.lower() == "bearer" else "")
    elif session := request.cookies.get(auth.COOKIE):
        who = state.tokens.find(session)  # one that has ended is nobody, and may sign in again
        if who:
            request.state.session = session
    if who:
        request.state.principal = who
        user_id_var.set(who.name)  # stays: each request has a context of its own, and the access line comes last
    return who


def _route(routes: list[BaseRoute], scope: Message) -> tuple[BaseRoute | None, list[str]]:
    """The route that the application will take; else the methods that the path has.

    The first path that fits is meant: `DELETE /queues` is a mistake, and not a letter of that id.
    """
    path, allowed = None, set[str]()
    for route in routes:
        match, _ = route.matches(scope)
        if match is Match.NONE or path not in (None, getattr(route, "path", "")):
            continue
        if match is Match.FULL:
            return route, []
        path = getattr(route, "path", "")
        allowed |= getattr(route, "methods", None) or set()
    return None, sorted(allowed)


def _said(request: Request, problem: Problem) -> Response:
    """The page shows problems in its own way."""
    shown: Response | None = None
    if request.scope["path"].startswith(f"{request.scope.get('root_path', '')}/ui"):
        shown = request.app.state.page_problem(request, problem)
    return shown or problem.response()


def is_loopback(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _check_local(request: Request) -> None:
    """Without tokens everything hangs on who can reach the port: a page elsewhere whose name was rebound to 127.0.0.1 can."""
    if not is_loopback(request.headers.get("host", "")):
        raise Problem(403, "not-local", "Without tokens only a loopback Host is served (DLQ_TOKENS_FILE).")
    if any(name in request.headers for name in _PROXIED):
        raise Problem(403, "not-local", "A proxy stands before an API without tokens; give it some (DLQ_TOKENS_FILE).")


def _check_query(request: Request) -> None:
    names = [name for name, _ in request.query_params.multi_items()]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise invalid([{"loc": ("query", name), "msg": "given twice"} for name in twice])


def _check_origin(request: Request) -> None:
    """A browser says where a request comes from; one with a bearer token in its header is no browser's doing."""
    if "authorization" in request.headers and request.app.state.tokens:
        return
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    if site is not None:  # counts first: a proxy may have changed Host
        elsewhere = site not in ("same-origin", "none")
    else:
        elsewhere = origin is not None and urlsplit(origin).netloc != request.headers.get("host", "")
    if elsewhere:
        raise Problem(403, "cross-site", "Another site has sent this.")


def _check_csrf(request: Request, body: bytes) -> None:
    if not (wanted := auth.csrf_token(request)):
        return
    given = request.headers.get(auth.CSRF_HEADER, "")
    if not given and request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        fields = parse_qs(body.decode(errors="replace"), max_num_fields=1000)
        given = fields.get(auth.CSRF_FIELD, [""])[0]
    if not hmac.compare_digest(given.encode(), wanted.encode()):
        raise Problem(403, "csrf", "The form is of another session; load the page again.")


async def _body(request: Request, limits: Limits) -> bytes:
    """All of it, whether or not it says how long it is. Raises Problem 413, 408."""
    too_large = Problem(413, "too-large", f"A body has at most {limits.body} bytes.", headers={"Connection": "close"})
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > limits.body:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for part in request.stream():
                body += part
                if len(body) > limits.body:
                    raise too_large
    except TimeoutError:
        raise Problem(408, "too-slow", f"The body did not come within {limits.body_seconds:g} s.") from None
    return bytes(body)


def _given(body: bytes) -> Receive:
    """The body once more, for the application."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    return receive
