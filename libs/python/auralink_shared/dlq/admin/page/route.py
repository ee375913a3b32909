"""How the page's routes come in and go wrong: which queue, which form, and problems as pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import Depends, Request
from fastapi.routing import APIRoute
from starlette.responses import RedirectResponse, Response

from ....logging.trace import current
from ..asked import QUEUE, Who, theirs
from ..problems import Problem, problem_of
from .render import HEADERS, page, paths

_TITLES = {
    "conflict": "The letter has changed",
    "quarantined": "The letter is quarantined",
    "refused": "The queue did not take it",
    "csrf": "The form is too old",
    "read-only": "Read-only",
    "redis": "Redis does not answer",
    "unknown": "No such letter here",
    "unknown-queue": "No such queue",
}
_BY_STATUS = {400: "This can't be read", 403: "Not yours to do", 404: "Not found", 413: "Too large", 422: "This can't be read",
              429: "Too many requests", 503: "Not now"}  # fmt: skip


def problem(request: Request, found: Problem) -> Response | None:
    """A problem as a page; who has not signed in is sent to do so; None for a script of ours, which reads JSON."""
    if "application/json" in request.headers.get("accept", "") or request.method == "HEAD":
        return None
    at, of = paths(request)
    if found.status == 401:
        here = request.scope["path"] + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(at("login", next=here if request.method == "GET" else ""), 303, HEADERS)
    queue = re.match(rf"{re.escape(at('queues'))}/([^/]+)/", request.scope["path"])
    onward = [("Queues", at())]
    if queue and re.fullmatch(QUEUE, name := unquote(queue[1])):
        onward.insert(0, (f"Back to {name}", of(name)))
    answer = page(
        request,
        "problem.html",
        found.status,
        title=_TITLES.get(found.kind) or _BY_STATUS.get(found.status, "This did not work"),
        detail=found.detail,
        changed=[],
        onward=onward,
        trace_id=current().trace_id,
    )
    answer.headers.update(found.headers)
    return answer


class PageRoute(APIRoute):
    """A route whose problems are pages."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own, inside."""
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await inner(request)
            except Exception as error:
                found = problem_of(error)
                return problem(request, found) or found.response()

        return handle


def queue_of(request: Request, who: Who, queue: str) -> str:
    """The queue of the path, percent-encoded as it was sent. Raises Problem 404 for no name, 403 for one that isn't theirs."""
    name = unquote(queue)
    if not re.fullmatch(QUEUE, name):
        raise Problem(404, "unknown-queue", "No queue has such a name.")
    return theirs(who, name)


def id_of(id: str = "") -> str:
    """The letter of the query. Raises Problem 404 for what no letter is called."""
    if not re.fullmatch("[!-~]{1,250}", id):
        raise Problem(404, "unknown", "No letter has such a name.")
    return id


async def form_of(request: Request) -> dict[str, str]:
    """What a form says, each field once."""
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


Queue = Annotated[str, Depends(queue_of)]
Id = Annotated[str, Depends(id_of)]
Form = Annotated[dict[str, str], Depends(form_of)]
