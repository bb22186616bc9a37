"""The interface as an ASGI application."""

from __future__ import annotations

from fastapi import FastAPI

import op25b
from op25b.portal.api import exemptions, faults, look, work
from op25b.portal.api.faults import STATUSES
from op25b.portal.api.guard import Guard
from op25b.portal.desk.context import Context
from op25b.portal.web.limits import BoundedBodies


def application(context: Context, guard: Guard) -> FastAPI:
    """The application. Its OpenAPI document is at /openapi.json; pages that show it would fetch scripts elsewhere."""
    made = FastAPI(
        title="op25b",
        version=op25b.__version__,
        description="What the console does, for programs: exemptions from request to end, customers, cases, bulletins, "
        "the queue, the hosts that filter, the audit trail.",
        docs_url=None,
        redoc_url=None,
    )
    for module in (exemptions, look, work):
        made.include_router(module.router(context, guard), responses=STATUSES)
    faults.install(made, context.log)
    made.add_middleware(BoundedBodies, answer=faults.answer)
    return made
