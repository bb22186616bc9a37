"""Requests that the enforcer refuses for a part of them: all the rest is done.

A prefix that is too wide, or for which there is no room, must keep no other exemption from beginning, and none from
ending.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from op25b.enforcement.members import Delta, Members, Rows, count, difference
from op25b.enforcement.requests import Code, Refused, State
from op25b.ruleset.live import SetKind


class Enforcer(Protocol):
    """What the follower asks of the enforcer (`op25b.enforcement.enforcer_client`)."""

    def hello(self) -> State: ...
    def change(self, delta: Delta) -> State: ...
    def replace(self, members: Members) -> State: ...
    def read(self) -> Members: ...


class Done(NamedTuple):
    """`refused`: how many members were not taken."""

    state: State
    refused: int = 0


def change(enforcer: Enforcer, delta: Delta) -> Done:
    """Raises Refused for what has nothing to do with single members."""
    try:
        return Done(enforcer.change(delta))
    except Refused as refused:
        _bearable(refused)
    return _piecemeal(enforcer, delta)


def replace(enforcer: Enforcer, members: Members) -> Done:
    """As `change`."""
    try:
        return Done(enforcer.replace(members))
    except Refused as refused:
        _bearable(refused)
    return _piecemeal(enforcer, difference(members, enforcer.read()))


def _bearable(refused: Refused) -> None:
    if refused.code not in (Code.FULL, Code.TOO_WIDE):
        raise refused


def _piecemeal(enforcer: Enforcer, delta: Delta) -> Done:
    state = enforcer.change(Delta(remove=delta.remove))
    taken = sum(_add(enforcer, kind, rows) for kind, rows in delta.add.items())
    return Done(state, count(delta.add) - taken)


def _add(enforcer: Enforcer, kind: SetKind, rows: Rows) -> int:
    """As many as are taken; when there is no room for a single one, the rest is not tried."""
    waiting, taken = [rows], 0
    while waiting:
        part = waiting.pop()
        try:
            enforcer.change(Delta(add={kind: part}))
            taken += len(part)
        except Refused as refused:
            _bearable(refused)
            if len(part) > 1:
                waiting += part[len(part) // 2 :], part[: len(part) // 2]
            elif refused.code is Code.FULL:
                break
    return taken
