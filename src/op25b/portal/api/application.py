"""The interface as an ASGI application."""

from __future__ import annotations

from fastapi import FastAPI

import op25b
from op25b.portal.api import faults
from op25b.portal.api.exemptions import router
from op25b.portal.api.guard import Guard
from op25b.portal.desk.context import Context
from op25b.portal.web.limits import BoundedBodies


def application(context: Context, guard: Guard) -> FastAPI:
    """The application. Its OpenAPI document is at /openapi.json; pages that show it would fetch scripts elsewhere."""
    made = FastAPI(
        title="op25b exemptions",
        version=op25b.__version__,
        description="Exemptions from the block of port 25, from request to end.",
        docs_url=None,
        redoc_url=None,
    )
    made.include_router(router(context, guard))
    faults.install(made, context.log)
    made.add_middleware(BoundedBodies, answer=faults.answer)
    return made
