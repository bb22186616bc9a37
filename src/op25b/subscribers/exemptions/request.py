"""What is asked for: read and refused field by field, so that nothing half understood is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from itertools import pairwise
from typing import Any, TypeVar

from op25b.errors import UserError
from op25b.policy import fields
from op25b.policy.holes import WIDEST
from op25b.policy.model import Policy, Pool
from op25b.subscribers.exemptions.transitions import Kind
from op25b.subscribers.leases.facts import checked_name

Network = IPv4Network | IPv6Network
T = TypeVar("T")

LONGEST_REASON = 2000


@dataclass(frozen=True)
class Asked:
    """One request. `prefix` is canonical, None for kind subscriber; instants are None where nothing was asked."""

    kind: Kind
    subscriber: str | None
    prefix: str | None
    reason: str
    from_at: datetime | None = None
    review_at: datetime | None = None
    until_at: datetime | None = None
    domain: str | None = None
    server: str | None = None
    fee_accepted: bool = False


def checked(asked: Asked, policy: Policy) -> Asked:
    """The request as it is stored: texts trimmed, addresses canonical. Raises UserError with what to write instead."""
    _texts(asked)
    _order(asked)
    prefix = None if asked.kind is Kind.SUBSCRIBER else prefix_of(asked.kind, asked.prefix, policy)
    server = None if asked.server is None else str(_field("the server", fields.single_address, asked.server))
    domain = None if asked.domain is None else domain_of(asked.domain)
    if not policy.exemption_terms.offered:
        raise UserError("the policy offers no exemptions; write offered = true in [exemption_terms], or refuse by mail")
    return Asked(
        asked.kind, asked.subscriber, None if prefix is None else str(prefix), asked.reason.strip(),
        asked.from_at, asked.review_at, asked.until_at, domain, server, asked.fee_accepted,
    )  # fmt: skip


def pool_of(prefix: Network, pools: Iterable[Pool]) -> Pool | None:
    """The pool that a prefix lies in as a whole."""
    return next((pool for pool in pools if any(_inside(prefix, each) for each in pool.prefixes)), None)


def _inside(inner: Network, outer: Network) -> bool:
    if isinstance(inner, IPv4Network):
        return isinstance(outer, IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, IPv6Network) and inner.subnet_of(outer)


def prefix_of(kind: Kind, text: str | None, policy: Policy) -> Network:
    """The sources or the destination that are asked for. Raises UserError for what cannot be exempt."""
    prefix: Network = _field(f"the {kind}", fields.network, text)
    if prefix.prefixlen <= WIDEST[prefix.version]:
        raise UserError(f"{prefix} is too wide for an exemption; name the few addresses that are meant")
    if kind is Kind.PREFIX and pool_of(prefix, policy.pools) is None:
        raise UserError(f"{prefix} is in no pool of the policy, so that nothing blocks it; name a customer's addresses")
    return prefix


def domain_of(text: str) -> str:
    """The domain that is sent for, in ASCII. Raises UserError for a text that is none."""
    try:
        ascii_ = text.strip().rstrip(".").lower().encode("idna").decode()
    except UnicodeError:
        ascii_ = text
    name = _field("the domain", fields.host_name, ascii_)
    if "." not in name or "{" in name:
        raise UserError(f"the domain {name!r} is not one that mail is sent for; write one such as company.example")
    return str(name)


def _texts(asked: Asked) -> None:
    if asked.kind is Kind.SUBSCRIBER and asked.subscriber is None:
        raise UserError("it is not said for which subscriber; name one, a prefix, or a destination")
    if asked.kind is Kind.SUBSCRIBER and asked.prefix is not None:
        raise UserError("an exemption of a subscriber follows his addresses and has no prefix; leave one of them out")
    if asked.subscriber is not None:
        try:
            checked_name("subscriber", asked.subscriber)
        except ValueError as fault:
            raise UserError(f"{fault}; write it as the access servers report it") from None
    reason = asked.reason.strip()
    if not reason or len(reason) > LONGEST_REASON or not reason.replace("\n", " ").isprintable():
        raise UserError(f"the reason is not a text of at most {LONGEST_REASON} characters; say what is sent, and why")


def _order(asked: Asked) -> None:
    instants = {"from": asked.from_at, "review": asked.review_at, "until": asked.until_at}
    said = [(name, at) for name, at in instants.items() if at is not None]
    for (earlier, first), (later, second) in pairwise(said):
        if second < first or (second == first and later == "until" and earlier == "from"):
            raise UserError(
                f"{later} {second.isoformat()} is not after {earlier} {first.isoformat()}; change one of them"
            )


def _field(name: str, read: Callable[[Any], T], value: Any) -> T:
    try:
        return read(value)
    except ValueError as fault:
        raise UserError(f"{name}: {fault}") from None
