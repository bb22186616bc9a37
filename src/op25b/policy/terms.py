"""On what terms an exemption is granted: what a request must show, how long it holds, who decides."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from op25b.policy.table import Table, Words

Count = Annotated[int, Field(ge=1)]
Days = Annotated[int, Field(ge=1, le=36500)]


class ReverseDns(StrEnum):
    EXISTS = "exists"
    CONFIRMED = "confirmed"
    NOT_GENERIC = "not-generic"


class DestinationCriteria(Table):
    """What a request for a destination must show. What is not written is not asked for."""

    own_domain: bool = False
    """The request names a domain, and it is not one of the provider's brands."""
    fee: bool = False
    """The fee is to be borne by who asks, and has been accepted."""


class Criteria(DestinationCriteria):
    """What a request for a subscriber, or for addresses, must show. What is not written is not asked for."""

    contracts: tuple[str, ...] | None = Field(default=None, strict=False, min_length=1)
    """The pool of the address has one of these contracts."""
    static_address: bool = False
    """The pool of the address is assigned statically."""
    reverse_dns: Annotated[ReverseDns, Field(strict=False)] | None = None
    """The name of the mail server's address. Exists: there is one (RFC 1912, 2.1); confirmed: and it leads back to the
    address (RFC 8601, 3); not-generic: and it is not one that is made from the address."""


class ExemptionTerms(Table):
    """Whether a customer may ask for an exemption, at what cost, and where (claims I5, I10); and who decides."""

    offered: bool = False
    fee: Words | None = None
    contact: str | None = None
    subscriber: Criteria = Criteria()
    """For a customer at whatever addresses he holds."""
    prefix: Criteria = Criteria()
    """For fixed addresses."""
    destination: DestinationCriteria = DestinationCriteria()
    """For a server that everyone may reach."""
    longest_days: Days | None = None
    """No exemption is granted or renewed for longer."""
    review_days: Days = 365
    """When it is looked at again, if nothing was asked."""
    notice_days: Days = 30
    """From the review until the end, if only one of them was asked for: so long it is expiring."""
    most: Count | None = None
    """In force at once."""
    most_per_subscriber: Count | None = None
    approvers: tuple[Annotated[str, Field(min_length=1)], ...] = Field(default=(), strict=False)
    """Who may approve, refuse, revoke and renew; everybody at the desk if there is none."""
    second_person_above: int | None = Field(default=None, ge=0)
    """A second person approves what is wider than so many addresses (IPv6: /64 networks); 0: everything."""
