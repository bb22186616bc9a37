"""A log-in with name, password and one-time code.

All three are checked whatever the first of them gives, so that neither the answer nor its time tells which names there
are, or that a password was right. Failures count against the name and the address block they come from, as those of
customers do (`subscribers.lockout`).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import datetime

from op25b.errors import UserError
from op25b.portal.staff import codes
from op25b.portal.staff.accounts import Member, Staff, checked_name
from op25b.portal.staff.codes import Key
from op25b.portal.staff.roles import Person
from op25b.store.engine import Store
from op25b.subscribers.lockout import Address, Answer, Limits, Lockout, block_of
from op25b.subscribers.passwords import Hasher, Random

LIMITS = Limits(window_seconds=900, pair=5, block=30, attacked_after=20, pair_attacked=2, counters=16384)


def sealed_for(name: str) -> str:
    """What a sealed secret of codes is bound to."""
    return f"code of {name}"


class Logins:
    """Lets staff in. `clock`: seconds that only go up; `wall`: the time of day."""

    def __init__(
        self,
        store: Store,
        key: Key,
        hasher: Hasher,
        lockout: Lockout,
        clock: Callable[[], float],
        wall: Callable[[], datetime],
        random: Random,
    ) -> None:
        self._staff, self._key, self._hasher, self._lockout = Staff(store), key, hasher, lockout
        self._clock, self._wall = clock, wall
        self._nobody = codes.fresh(random)
        self._marks = random(32)

    def check(self, name: str, password: str, code: str, address: Address) -> Person | None:
        """Who that is; None: not let in, for whatever reason. Blocks, for the time that a hash takes."""
        block, name = block_of(address), _prepared(name)
        if self._lockout.answer(name, block, False, self._clock()) is not Answer.LET:
            return None
        member = self._staff.find(name)
        step = codes.step(self._secret(member), code, self._wall())
        right = self._password(member, password)
        if member is not None and right and step is not None and self._staff.take(name, step):
            self._lockout.succeeded(name, block)
            return Person(name, member.roles)
        tried = hmac.digest(self._marks, f"{password}\0{code}".encode("utf-8", "replace"), "sha256")
        self._lockout.failed(name, block, False, tried, self._clock())
        return None

    def _password(self, member: Member | None, password: str) -> bool:
        if member is None:
            self._hasher.check_nobody(password)
            return False
        return self._hasher.check(member.password, password)

    def _secret(self, member: Member | None) -> str:
        if member is None:
            return self._nobody
        opened = self._key.open(member.code, sealed_for(member.name))
        return self._nobody if opened is None else opened.decode("ascii")


def _prepared(name: str) -> str:
    """As it is stored; empty, which nobody is called, for what can be no name. The rest goes on as with one."""
    try:
        return checked_name(name.strip().lower())
    except UserError:
        return ""
