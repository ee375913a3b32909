"""What machines ask without a token: alive, ready, metrics."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.responses import JSONResponse, Response

from ..metrics import Collector
from .auth import ANYONE, require

router = APIRouter(tags=["probes"], dependencies=[require(ANYONE)])


@router.get("/healthz", summary="Is the process alive")
async def healthz() -> dict[str, str]:
    """Asks nothing of Redis: a Redis that is down is no reason to restart the API."""
    return {"status": "ok"}


@router.get("/readyz", summary="Does Redis answer, and does it keep what is promised")
def readyz(request: Request) -> Response:
    """Ready is: Redis answers. Settings under which Redis may lose letters don't make it unready.

    They are every replica's at once, so all would go, and take away the very tool that shows them and empties the queue;
    `dlq_durability_ok` pages for them.
    """
    return JSONResponse({"ready": True})


@router.get("/metrics", summary="Prometheus' text")
def metrics(request: Request) -> Response:
    """Of a Redis that doesn't answer its part is absent, never 0."""
    registry = CollectorRegistry()
    registry.register(Collector(request.app.state.letters, shared=True))
    encode, media = choose_encoder(request.headers.get("accept", ""))
    text: Any = encode(registry)
    return Response(text, media_type=media)
