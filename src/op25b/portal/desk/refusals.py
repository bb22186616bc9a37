"""How work of the desks is refused, as an HTTP status: the one table for pages and interface."""

from __future__ import annotations

from op25b.errors import UserError
from op25b.portal.desk import queue
from op25b.subscribers.exemptions.desk import Conflict, NotAllowed, Stale
from op25b.subscribers.exemptions.records import NotThere
from op25b.watch import cases

_STATUS: dict[type[UserError], int] = {
    NotThere: 404,
    cases.NotThere: 404,
    queue.NotThere: 404,
    queue.NoQueue: 404,
    NotAllowed: 403,
    Stale: 412,
    cases.Stale: 412,
    Conflict: 409,
    cases.NotPossible: 409,
    UserError: 422,
}
"""The first class that fits."""


def status(error: UserError) -> int:
    """The status that an error of a lower room comes to."""
    return next(number for kind, number in _STATUS.items() if isinstance(error, kind))
