"""`Idempotency-Key`: a request that is sent again, because its answer got lost, gets the answer and does nothing twice."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import anyio.to_thread
from fastapi import Request

from ..errors import REDIS
from .problems import Problem, problem_of

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

ANSWER_SECONDS = 86_400
RUNNING_SECONDS = 60  # of a process that died meanwhile nobody will bring the answer
_KEY = re.compile(r"[!-~]{1,255}")


async def once(
    client: Any,
    who: str,
    key: str,
    request: Request,
    body: bytes,
    app: Callable[[Message, Receive, Send], Awaitable[None]],
    receive: Receive,
    send: Send,
) -> None:
    """Runs the request, or gives the answer that it had. Raises Problem 409 while it runs, 422 where the key was another request's.

    Answers below 500 are kept: what failed on our side may be tried again. Redis has `SET NX GET` since 7.0: one step.
    """
    if not _KEY.fullmatch(key):
        raise Problem(422, "invalid", "Idempotency-Key has 1 to 255 printable ASCII characters.")
    place = "{dlq}:idem:" + hashlib.sha256(f"{who}\n{key}".encode()).hexdigest()
    asked = hashlib.sha256(
        b"\n".join(
            [request.method.encode(), request.scope["path"].encode("latin-1"), request.scope["query_string"], body]
        )
    ).hexdigest()
    running = json.dumps({"asked": asked})
    kept = await _redis(client.set, place, running, nx=True, get=True, ex=RUNNING_SECONDS)
    if kept is not None:
        await _again(json.loads(kept), asked, send)
        return

    status, headers, parts = 0, [], []

    async def keep(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], list(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    try:
        await app(request.scope, receive, keep)
    except Exception as error:
        answer = problem_of(error).response()
        status, headers, parts = answer.status_code, answer.raw_headers, [bytes(answer.body)]
    whole = b"".join(parts)
    done = {
        "asked": asked,
        "status": status,
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in headers],
        "body": base64.b64encode(whole).decode(),
    }
    try:
        if status < 500:
            await _redis(client.set, place, json.dumps(done), ex=ANSWER_SECONDS)
        else:
            await _redis(client.set, place, running, px=1)
    except REDIS as error:  # what happened has happened, and the one who asked is told
        logging.getLogger(__name__).error("the answer to an Idempotency-Key could not be kept: %s", error)
    await _send(send, status, headers, whole)


async def _again(kept: dict[str, Any], asked: str, send: Send) -> None:
    if kept["asked"] != asked:
        raise Problem(422, "key-reused", "This Idempotency-Key was another request's.")
    if "status" not in kept:
        raise Problem(409, "running", "The same request is being answered.", headers={"Retry-After": "1"})
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in kept["headers"]]
    await _send(send, kept["status"], [*headers, (b"idempotent-replayed", b"true")], base64.b64decode(kept["body"]))


async def _send(send: Send, status: int, headers: list[Any], body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _redis(call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    return await anyio.to_thread.run_sync(lambda: call(*arguments, **named))
