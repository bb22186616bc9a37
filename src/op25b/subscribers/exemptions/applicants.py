"""Customers who ask for an exemption on the page: whom to answer, and a reference by which they see where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from op25b.policy.model import Policy
from op25b.store.audit import By, record
from op25b.store.engine import Store
from op25b.store.tables import applicants
from op25b.subscribers import fresh
from op25b.subscribers.exemptions import desk, listing
from op25b.subscribers.exemptions.records import Exemption, subject
from op25b.subscribers.exemptions.request import Asked
from op25b.subscribers.exemptions.transitions import State
from op25b.subscribers.passwords import Random


@dataclass(frozen=True)
class Applicant:
    """Who asks. `contact`: the mail address for the answer; `language`: ja or en."""

    name: str
    contact: str
    language: str


@dataclass(frozen=True)
class Standing:
    """Where a request stands, as its applicant may know it."""

    requested_at: datetime
    state: State
    kind: str
    from_at: datetime | None
    until_at: datetime | None


class Applicants:
    """Those of one store. Methods block."""

    def __init__(self, store: Store, random: Random) -> None:
        self._store, self._random = store, random

    def ask(self, policy: Policy, asked: Asked, applicant: Applicant, by: By) -> str:
        """Note a request; the reference, which is nowhere but in what is returned.

        If somebody asked for the same before, the desk sees both, and neither learns of the other.
        Raises UserError for a request that cannot be meant.
        """
        reference = fresh.reference(self._random)
        with self._store.write() as connection:
            try:
                number, first = desk.noted(connection, policy, asked, by).id, True
            except desk.AskedAlready as already:
                number, first = already.number, False
                record(connection, by, "request again", subject(number))
            row = {"exemption": number, "first": first, **vars(applicant), "requested_at": by.at}
            connection.execute(insert(applicants).values(reference=fresh.digest(reference), **row))
        return reference

    def standing(self, reference: str, at: datetime) -> Standing | None:
        """Where the request of a reference stands; None if there is none."""
        query = select(applicants).where(applicants.c.reference == fresh.digest(reference))
        with self._store.read() as connection:
            if (row := connection.execute(query).first()) is None:
                return None
            exemption = listing.one(connection, row.exemption, at)
        if not row.first:
            return Standing(row.requested_at, State.REQUESTED, exemption.asked.kind, None, None)
        return _standing(row.requested_at, exemption)


def of(connection: Connection, number: int) -> list[Applicant]:
    """Whom to answer about an exemption, in the order in which they asked; for the desk."""
    query = select(applicants).where(applicants.c.exemption == number).order_by(applicants.c.requested_at)
    return [Applicant(row.name, row.contact, row.language) for row in connection.execute(query)]


def _standing(requested_at: datetime, exemption: Exemption) -> Standing:
    asked = exemption.asked
    granted = exemption.granted_at is not None
    return Standing(
        requested_at,
        exemption.state,
        asked.kind,
        asked.from_at if granted else None,
        asked.until_at if granted else None,
    )
