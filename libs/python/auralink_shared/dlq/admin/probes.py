"""What machines ask without a token: alive, ready, metrics."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.responses import JSONResponse, Response

from .. import doctor
from ..errors import REDIS
from ..metrics import Collector
from .auth import ANYONE, require
from .schemas import READY

router = APIRouter(tags=["probes"], dependencies=[require(ANYONE)])


@router.get(
    "/healthz",
    operation_id="alive",
    summary="Is the process alive",
    responses={200: {"description": "It is", "content": {"application/json": {"example": {"status": "ok"}}}}},
)
async def healthz() -> dict[str, str]:
    """Asks nothing of Redis: a Redis that is down is no reason to restart the API."""
    return {"status": "ok"}


@router.get(
    "/readyz",
    operation_id="ready",
    summary="Does Redis answer, and does it keep what is promised",
    response_class=JSONResponse,
    responses={
        200: {"description": "Redis answers", "content": {"application/json": {"schema": READY}}},
        503: {"description": "It doesn't", "content": {"application/json": {"schema": READY}}},
    },
)
def readyz(request: Request) -> JSONResponse:
    """Ready is: Redis answers. Settings under which Redis may lose letters don't make it unready.

    They are all replicas' at once, so that all would go, and with them what shows the settings and empties the queues;
    `dlq_durability_ok` pages for them.
    """
    client = request.app.state.letters.client
    try:
        client.ping()
        findings = doctor.examine(client)
    except REDIS as error:
        logging.getLogger(__name__).warning("not ready: %s", error)
        return JSONResponse({"ready": False, "findings": []}, 503)
    said = [dataclasses.asdict(one) for one in findings]
    return JSONResponse({"ready": True, "durable": doctor.durable(findings), "findings": said})


@router.get(
    "/metrics",
    operation_id="metrics",
    summary="Prometheus' text",
    response_class=Response,
    responses={
        200: {
            "description": "Of a Redis that doesn't answer its part is absent",
            "content": {
                name: {"schema": {"type": "string"}} for name in ("text/plain", "application/openmetrics-text")
            },
        }
    },
)
def metrics(request: Request) -> Response:
    """Of a Redis that doesn't answer its part is absent, never 0."""
    registry = CollectorRegistry()
    registry.register(Collector(request.app.state.letters, shared=True))
    encode, media = choose_encoder(request.headers.get("accept", ""))
    text: Any = encode(registry)
    return Response(text, media_type=media)


description = APIRouter(tags=["probes"])


@description.get("/openapi.json", include_in_schema=False, dependencies=[require("viewer")])
def openapi(request: Request) -> JSONResponse:
    """This API, for programs that are made from it."""
    return JSONResponse(request.app.openapi())
