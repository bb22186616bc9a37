"""The paths of the interface that show: customers, the overview, phases, hosts that filter, the audit trail."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from op25b.portal.api.bodies import Wanted
from op25b.portal.api.guard import Guard
from op25b.portal.desk import auditing, customers, overview, phases, search
from op25b.portal.desk.auditing import Trail
from op25b.portal.desk.context import Context
from op25b.portal.desk.customers import Customer
from op25b.portal.desk.overview import EdgeShown, Overview
from op25b.portal.desk.phases import PhaseShown
from op25b.portal.desk.search import Found
from op25b.portal.staff.roles import Action, Person
from op25b.subscribers.exemptions.records import HIGHEST

Text = Annotated[Wanted, Query()]


def router(context: Context, guard: Guard) -> APIRouter:
    """All of them."""
    made = APIRouter()
    see_overview, see_customer = guard.needs(Action.SEE_OVERVIEW), guard.needs(Action.SEE_CUSTOMER)
    see_phases, see_filter = guard.needs(Action.SEE_PHASES), guard.needs(Action.SEE_FILTER)
    see_audit = guard.needs(Action.SEE_AUDIT)

    @made.get("/overview")
    def all_together(holder: Person = see_overview) -> Overview:
        """How everything stands, in a few numbers."""
        return overview.look(context)

    @made.get("/customers")
    def customer(who: Text, holder: Person = see_customer) -> Customer:
        """Who that is: by address, subscriber's name, account or mail address; what is in force, what was refused."""
        return customers.find(context, who)

    @made.get("/search")
    def found(what: Text, holder: Person = see_customer) -> Found:
        """What begins with a text, or is it; of each sort what the token may see."""
        return search.search(context, holder, what)

    @made.get("/phases")
    def all_phases(holder: Person = see_phases) -> list[PhaseShown]:
        """The phases, where they stand, their notices, and what they wait for."""
        return phases.look(context)

    @made.get("/edges")
    def edges(holder: Person = see_filter) -> list[EdgeShown]:
        """The hosts that filter: what is in force, its counters, and what is otherwise than it should be."""
        return overview.filters(context)

    @made.get("/audit")
    def lines(
        text: Text = "",
        before: Annotated[int, Query(ge=1, le=HIGHEST)] = HIGHEST,
        holder: Person = see_audit,
    ) -> Trail:
        """The audit trail, newest first: lines with a text in who, what, to what or why."""
        return auditing.look(context, text, before)

    return made
