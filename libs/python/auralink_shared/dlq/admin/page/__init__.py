"""The operators' page, under /ui/."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from ..problems import Problem

router = APIRouter(prefix="/ui")


def problem(request: Request, problem: Problem) -> Response | None:
    """How the page shows a problem, one of the guard's too (nobody has signed in: 401); None leaves it as JSON."""
    return None
