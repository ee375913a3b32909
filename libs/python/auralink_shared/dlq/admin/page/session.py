"""Coming in with a token, going out, and the page's own files."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from .. import auth
from ..guard import is_loopback
from ..problems import Problem
from . import render
from .render import page, paths, redirect
from .route import Form, PageRoute

router = APIRouter(route_class=PageRoute, dependencies=[auth.require(auth.ANYONE)], include_in_schema=False)


@router.get("/ui")
@router.get("/")
async def begin(request: Request) -> Response:
    """To the queues."""
    return RedirectResponse(paths(request)[0](), 303, render.HEADERS)


@router.get("/ui/static/{name}")
async def file(name: str, v: str | None = None) -> Response:
    """Style, script, icon."""
    if name not in render.FILES:
        raise Problem(404, "not-found", "Nothing is here.")
    return render.file(name, v)


@router.get("/ui/login")
async def ask(request: Request, next: str = "") -> Response:
    """Asks for a token, of who has none yet."""
    if getattr(request.state, "principal", None):
        return RedirectResponse(_own(request, next), 303, render.HEADERS)
    return page(request, "login.html", next=next, wrong="")


@router.post("/ui/login")
async def login(request: Request, form: Form) -> Response:
    """The token becomes the session's cookie, which goes with the browser's window."""
    token, onward = form.get("token", "").strip(), form.get("next", "")
    try:
        auth.authenticate(request, token)
    except Problem as problem:
        if problem.status != 401:
            raise
        return page(request, "login.html", 401, next=onward, wrong="No such token is known.")
    answer = RedirectResponse(_own(request, onward), 303, render.HEADERS)
    answer.set_cookie(
        auth.COOKIE, token, httponly=True, samesite="strict", path=_path(request), secure=_secure(request)
    )
    return answer


@router.post("/ui/logout")
async def logout(request: Request) -> Response:
    """The cookie goes; the token stays what it was."""
    answer = redirect(request, paths(request)[0]("login"))
    answer.delete_cookie(auth.COOKIE, httponly=True, samesite="strict", path=_path(request), secure=_secure(request))
    return answer


def _path(request: Request) -> str:
    return request.scope.get("root_path") or "/"


def _secure(request: Request) -> bool:
    """Over plain HTTP on loopback only, whatever stands in front: a proxy that ends TLS speaks HTTP to us."""
    return not is_loopback(request.headers.get("host", ""))


def _own(request: Request, onward: str) -> str:
    """A page of ours, whatever a link to the login said."""
    here, parts = paths(request)[0](), urlsplit(onward)
    own = not parts.scheme and not parts.netloc and onward.startswith(here) and "\\" not in onward
    return onward if own and "/../" not in onward else here
