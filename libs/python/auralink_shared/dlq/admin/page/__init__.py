"""The operators' page, under /ui/: the same operations, roles and guard as the API, for people.

Server-rendered. Without a script everything works but live progress and the live difference; no text of a letter ever
becomes markup.
"""

from __future__ import annotations

from fastapi import APIRouter

from . import changing, many, reading, session
from .route import problem

router = APIRouter()
for part in (session, reading, changing, many):
    router.routes.extend(part.router.routes)

__all__ = ["problem", "router"]
