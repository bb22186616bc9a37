"""Where an exemption can stand and what leads from where to where: the one table.

Whatever is not in a state's row is refused. docs/generate.py draws the diagram from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType


class Kind(StrEnum):
    """What is exempt."""

    SUBSCRIBER = "subscriber"  # a customer, at whatever addresses he holds
    PREFIX = "prefix"  # fixed sources
    DESTINATION = "destination"  # a server that everyone may reach


class State(StrEnum):
    """Where an exemption stands."""

    REQUESTED = "requested"
    UNDER_REVIEW = "under-review"  # the criteria were looked at
    GRANTED = "granted"
    EXPIRING = "expiring"  # still in force, to be renewed or to end
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"  # by who asked for it
    REVOKED = "revoked"  # by the provider
    ENDED = "ended"  # its time is over


class Step(StrEnum):
    """What moves an exemption."""

    REVIEW = "review"
    APPROVE = "approve"  # the first of two persons, for the grant or for a renewal
    GRANT = "grant"  # the last approval that it takes
    REFUSE = "refuse"
    WITHDRAW = "withdraw"
    REVOKE = "revoke"
    RENEW = "renew"
    EXPIRE = "expire"  # by time
    END = "end"  # by time


_LIVE = {
    Step.RENEW: State.GRANTED,
    Step.WITHDRAW: State.WITHDRAWN,
    Step.REVOKE: State.REVOKED,
    Step.END: State.ENDED,
}

TRANSITIONS: Mapping[State, Mapping[Step, State]] = MappingProxyType(
    {
        State.REQUESTED: {
            Step.REVIEW: State.UNDER_REVIEW,
            Step.REFUSE: State.REFUSED,
            Step.WITHDRAW: State.WITHDRAWN,
        },
        State.UNDER_REVIEW: {
            Step.REVIEW: State.UNDER_REVIEW,
            Step.APPROVE: State.UNDER_REVIEW,
            Step.GRANT: State.GRANTED,
            Step.REFUSE: State.REFUSED,
            Step.WITHDRAW: State.WITHDRAWN,
        },
        State.GRANTED: {
            **_LIVE,
            Step.REVIEW: State.GRANTED,
            Step.APPROVE: State.GRANTED,
            Step.EXPIRE: State.EXPIRING,
        },
        State.EXPIRING: {**_LIVE, Step.REVIEW: State.EXPIRING, Step.APPROVE: State.EXPIRING},
        State.REFUSED: {},
        State.WITHDRAWN: {},
        State.REVOKED: {},
        State.ENDED: {},
    }
)

LIVE = frozenset({State.GRANTED, State.EXPIRING})
"""States in which an exemption holds, within its time."""
OVER = frozenset(state for state, row in TRANSITIONS.items() if not row)
"""States that nothing leads out of."""


def target(state: State, step: Step) -> State | None:
    """Where a step leads from a state; None where it cannot be taken."""
    return TRANSITIONS[state].get(step)


def at_time(state: State, review_at: datetime | None, until_at: datetime | None, at: datetime) -> State:
    """The state at an instant: what time alone has made of the stored one. Both instants are there once granted."""
    if state not in LIVE or review_at is None or until_at is None:
        return state
    if at >= until_at:
        return TRANSITIONS[state][Step.END]
    return TRANSITIONS[state].get(Step.EXPIRE, state) if at >= review_at else state
