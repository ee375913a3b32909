"""The API's description, as OpenAPI 3.1."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from .auth import ANYONE, COOKIE, role_of
from .problems import SCHEMA, said

DESCRIPTION = """Messages that could not be handled, until a person decides. Contract: docs/dead-letters.md.

`x-role` is the least role that a request asks for: viewer, operator, admin, each with what those before it may."""
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same request under the same key gets the first one's answer, for a day, and does nothing twice",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}


def describe(app: FastAPI) -> dict[str, Any]:
    """OpenAPI 3.1 of every route that belongs to the API: roles, the security scheme, and each answer that may come."""
    routes = [route for route in app.routes if isinstance(route, APIRoute) and route.include_in_schema]
    for route in routes:
        route.responses.setdefault(422, {})  # else FastAPI describes its own form of it
    made = get_openapi(title=app.title, version=app.version, description=DESCRIPTION, routes=routes)
    parts = made.setdefault("components", {})
    parts.setdefault("schemas", {})["Problem"] = SCHEMA
    parts["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": COOKIE,
            "description": "The page's; changes need X-CSRF-Token",
        },
    }
    for route in routes:
        for method in route.methods or ():
            operation = made["paths"][route.path_format][method.lower()]
            role = role_of(route)
            operation["x-role"] = role
            anyone = role == ANYONE
            operation["security"] = [] if anyone else [{"bearer": []}, {"session": []}]
            changes = method not in ("GET", "HEAD")
            statuses = [429, 500] if anyone else [401, 403, 429, 500]
            if changes:
                statuses += [408, 409, 413, 422, 503]
                operation.setdefault("parameters", []).append(_KEY)
            told = operation["responses"]
            if "content" not in told.get("422", {"content": 0}):
                del told["422"]
            for status, one in said(*statuses).items():
                told.setdefault(str(status), one)
            operation["responses"] = dict(sorted(told.items()))
    return made


def text(app: FastAPI) -> str:
    """As it is committed."""
    return json.dumps(describe(app), indent=1, ensure_ascii=False) + "\n"


def install(app: FastAPI) -> None:
    """Has `app.openapi()` give it."""
    made: Callable[[], dict[str, Any]] = lambda: describe(app)  # noqa: E731
    app.openapi = made  # type: ignore[method-assign]
