"""Templates into answers: what every page knows, its headers, and the one sentence that survives a redirect."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse, Response

from .. import auth
from . import words

FOLDER = Path(__file__).parent
FILES = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
HEADERS = {
    # nothing but our own three files, no inline script, no inline style, no text that becomes markup in a script
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    # with no-referrer a browser sends its own forms with `Origin: null`, which the guard refuses
    "referrer-policy": "same-origin",
}
FLASH = "dlq_said"
_SAID = {
    "retry": "Letter {id} was sent back to {queue}.",
    "edit": "The new payload was sent to {queue}; letter {id} is in the trash with the old one.",
    "remove": "Letter {id} is in the trash.",
    "restore": "Letter {id} is back in {queue}.",
    "purge": "Letter {id} is gone for good.",
    "cancel": "The job stops at its next letter.",
}

_templates = Environment(
    loader=FileSystemLoader(FOLDER / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters |= {
    name: getattr(words, name) for name in ("utc", "rfc3339", "local", "span", "ago", "count", "size")
}
_digests = {
    name: hashlib.sha1((FOLDER / "static" / name).read_bytes(), usedforsecurity=False).hexdigest()[:12]
    for name in FILES
}


def paths(request: Request) -> tuple[Callable[..., str], Callable[..., str]]:
    """`at("jobs", job)` below /ui/, and `of(queue, "letter", id=…)` below a queue: percent-encoded, what is empty left out of the query."""
    root = f"{request.scope.get('root_path', '')}/ui/"

    def at(*parts: str, **query: object) -> str:
        asked = urlencode({name: value for name, value in query.items() if value not in (None, "", 0)})
        return root + "/".join(quote(part, safe=":") for part in parts if part) + (f"?{asked}" if asked else "")

    def of(queue: str, *parts: str, **query: object) -> str:
        return at("queues", queue, *parts, **query)

    return at, of


def page(request: Request, name: str, status: int = 200, **context: Any) -> Response:
    """A template of ours, with what it is told and what every page knows: who asks, what they may, where things are."""
    state = request.app.state
    who: auth.Principal | None = getattr(request.state, "principal", None)
    at, of = paths(request)

    def may(role: str) -> bool:
        """Whether a button for it is shown; the guard decides again."""
        return who is not None and who.may(role) and not (state.read_only and role != auth.ROLES[0])

    flash = _flash(request)
    text = _templates.get_template(name).render(
        {
            "at": at,
            "of": of,
            "file": lambda one: at("static", one, v=_digests[one]),
            "who": who,
            "may": may,
            "read_only": state.read_only,
            "csrf": auth.csrf_token(request),
            "csrf_field": auth.CSRF_FIELD,
            "now": state.letters.clock(),
            "flash": flash,
            "section": "",
            "status": status,
            **context,
        }
    )
    answer = HTMLResponse(text, status, HEADERS)
    if flash:
        answer.delete_cookie(FLASH, path=at())
    return answer


def redirect(request: Request, where: str, what: str = "", **said: str) -> Response:
    """On to another page with GET; `what` is said there once, of `said`."""
    answer = RedirectResponse(where, 303, HEADERS)
    if what:
        text = base64.urlsafe_b64encode(json.dumps({"what": what, **said}).encode()).decode()
        answer.set_cookie(FLASH, text, max_age=60, path=paths(request)[0](), httponly=True, samesite="strict")
    return answer


def _flash(request: Request) -> Mapping[str, Any] | None:
    try:
        said = json.loads(base64.urlsafe_b64decode(request.cookies.get(FLASH, "")))
        text = _SAID[said["what"]].format(id=said.get("id", ""), queue=said.get("queue", ""))
    except (binascii.Error, ValueError, KeyError, TypeError, AttributeError):
        return None
    return {"text": text, "tone": "good", "undo": said if said["what"] == "remove" else None}


def file(name: str, version: str | None) -> Response:
    """One of our own three files; what the page asks for by its digest never changes."""
    kept = "max-age=31536000, immutable" if version == _digests[name] else "no-cache"
    return Response((FOLDER / "static" / name).read_bytes(), media_type=FILES[name], headers={"cache-control": kept})
