"""The FastAPI application: what it is made of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import to_thread
from fastapi import FastAPI

from ...logging.logger import StructuredLogger
from ...logging.web import ASGIMiddleware
from .. import DeadLetters
from ..jobs import Jobs
from . import bulk, describe, overview, page, probes, problems
from . import letters as one
from .auth import Tokens
from .guard import Guard
from .limits import Buckets, Limits
from .view import View

# In this order: `/queues` comes before a letter of that id, which is asked for with a character percent-encoded (%71ueues).
ROUTERS = (probes.router, probes.description, bulk.router, overview.router, one.router, page.router)


def create_app(
    letters: DeadLetters,
    *,
    tokens: Tokens | None,
    read_only: bool = False,
    loopback: bool = True,
    limits: Limits | None = None,
) -> FastAPI:
    """The API and its page. `tokens` None: everybody is `local`, an admin, which ValueError refuses where not `loopback`.

    `app.state` holds letters, jobs, tokens, read_only and limits for the routes.
    """
    if tokens is None and not loopback:
        raise ValueError("an API without tokens serves loopback only")

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        yield
        await to_thread.run_sync(app.state.jobs.close)  # they say that they were stopped, and are not lost

    # no page of its own for the documentation: it would come from a CDN
    app = FastAPI(title="Dead letters", version="1", docs_url=None, redoc_url=None, openapi_url=None, lifespan=life)
    # include_router() has been lazy since 0.165 or so, and a route then can't be asked for its role
    for router in ROUTERS:
        app.router.routes.extend(router.routes)
    app.router.redirect_slashes = False
    limits = limits or Limits()
    app.state.letters, app.state.tokens, app.state.read_only, app.state.limits = letters, tokens, read_only, limits
    app.state.principals = Buckets(limits.rate, limits.burst)
    app.state.anyone = Buckets(limits.rate, limits.burst)
    app.state.failures = Buckets(limits.failure_rate, limits.failure_burst)
    app.state.jobs, app.state.view = Jobs(letters), View()
    app.state.page_problem = page.problem
    problems.install(app)
    describe.install(app)
    app.add_middleware(Guard)
    app.add_middleware(ASGIMiddleware, logger=StructuredLogger("dlq-api"))  # outermost: its line has the last word
    return app
