"""The states of a case, and what leads from one to another: one table."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a case stands. All but CLOSED are open."""

    OPEN = "open"
    NOTICED = "noticed"
    """A notice is due, with the evidence that it rests on."""
    QUARANTINED = "quarantined"
    """The subscriber's exemptions are not in force."""
    RELEASED = "released"
    """An operator took him off the list; nothing more happens by itself."""
    CLOSED = "closed"


class Step(StrEnum):
    """What happens to a case."""

    NOTICE = "notice"
    QUARANTINE = "quarantine"
    RELEASE = "release"
    CLOSE = "close"


TRANSITIONS: dict[State, dict[Step, State]] = {
    State.OPEN: {Step.NOTICE: State.NOTICED, Step.CLOSE: State.CLOSED},
    State.NOTICED: {Step.QUARANTINE: State.QUARANTINED, Step.CLOSE: State.CLOSED},
    State.QUARANTINED: {Step.RELEASE: State.RELEASED, Step.CLOSE: State.CLOSED},
    State.RELEASED: {Step.CLOSE: State.CLOSED},
    State.CLOSED: {},
}


def after(state: State, step: Step) -> State | None:
    """The state that a step leads to; None: the step cannot be taken there."""
    return TRANSITIONS[state].get(step)
