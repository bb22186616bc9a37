"""What the abuse desk does with cases."""

from __future__ import annotations

from typing import Literal

from op25b.portal.desk.context import Context
from op25b.portal.staff.roles import Person
from op25b.watch import cases
from op25b.watch.cases import Case
from op25b.watch.states import TRANSITIONS, State, Step

Taken = Literal["notice", "quarantine", "release", "close"]


def possible(case: Case) -> list[Step]:
    """The steps that the case's state allows. Only whom we know can be quarantined."""
    steps = TRANSITIONS[case.state]
    return [step for step in Step if step in steps and (step is not Step.QUARANTINE or case.subscriber is not None)]


def take(context: Context, number: int, step: Taken, seen: State, person: Person, why: str) -> Case:
    """Take a step with a case that was `seen` in a state. Raises cases.NotThere, and Stale if it has changed since."""
    with context.store.write() as connection:
        case = cases.find(connection, number)
        if case.state is not seen:
            raise cases.Stale(f"case {number} is {case.state} by now; look at it again")
        done = cases.step(connection, case, Step(step), context.by(person, why))
    context.changed(person, cases.subject(done), step)
    return done
