"""Who is on the other side, as far as limits and the audit trail need to know."""

from __future__ import annotations

from ipaddress import IPv6Address

from starlette.requests import Request

from op25b.portal.public.context import Context
from op25b.subscribers.lockout import Address, block_of


def visitor(context: Context, request: Request) -> Address:
    """The visitor's address; :: where a proxy does not tell it, for all of its visitors together."""
    return context.proxies.visitor(request) or IPv6Address(0)


def block(context: Context, request: Request) -> str:
    """The block of addresses that the visitor counts for."""
    return block_of(visitor(context, request))


def too_often(context: Context, request: Request) -> bool:
    """Takes one of the visitor's requests of this day; True if there is none left."""
    kept = context.selfservice
    return not kept.requests.take(block(context, request), kept.seconds())
