"""One connection to a destination at a time, and the messages that go over it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from op25b.submission.relay import mx
from op25b.submission.relay.connect import Connection, Unreachable
from op25b.submission.relay.outcome import Outcome, Result, deferred
from op25b.submission.relay.places import Place, Surroundings, reach
from op25b.submission.relay.slots import Slot, Standing
from op25b.submission.relay.transaction import Letter, Outcomes, Stale, deliver
from op25b.submission.spool.envelope import Recipient
from op25b.submission.spool.segment import Message


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message for those of its recipients who share a destination."""

    message: Message
    recipients: tuple[Recipient, ...]


class Sender(Protocol):
    """What a destination asks of the relay. Neither raises; `prepare` gives outcomes if there is nothing to send."""

    async def prepare(self, parcel: Parcel) -> Letter | Outcomes: ...

    def settle(self, parcel: Parcel, outcomes: Outcomes) -> None: ...

    def fault(self, parcel: Parcel, error: Exception) -> None: ...

    def connected(self, *, made: bool) -> None: ...


class Owner(Protocol):
    """What a carrier tells its destination."""

    @property
    def standing(self) -> Standing: ...

    def succeeded(self) -> None: ...

    def failed(self, parcel: Parcel, outcome: Outcome) -> None: ...


class Carrier:
    """Of one task. It has a slot for as long as it has a connection, or is making one."""

    def __init__(self, place: Place, around: Surroundings, sender: Sender, owner: Owner, slot: Slot | None) -> None:
        self.connection: Connection | None = None
        self._place = place
        self._around = around
        self._sender = sender
        self._owner = owner
        self._slot = slot

    @property
    def fresh(self) -> bool:
        """The connection can take another message."""
        connection, limit = self.connection, self._around.settings.limits.messages_per_connection
        if connection is None or not connection.wire.usable:
            return False
        return connection.messages < min(limit, _limit(connection, "MAILMAX") or limit)

    async def carry(self, parcel: Parcel) -> None:
        """Deliver a parcel: settled when this returns, and its destination told how it went."""
        left = list(parcel.recipients)
        try:
            await self._ready()
            letter = await self._sender.prepare(parcel)
            if not isinstance(letter, Letter):
                self._sender.settle(parcel, letter)
                return
            while left:
                outcomes = await self._offer(letter, left)
                self._sender.settle(parcel, outcomes)
                left = [to for to in left if to.address not in outcomes]
                if left:
                    await self._ready()
        except (mx.NoRoute, Unreachable) as error:
            self._sender.connected(made=False)
            self._owner.failed(Parcel(parcel.message, tuple(left)), error.outcome)
        except Exception as error:
            # a mistake of ours must not keep a message from ever being tried again
            await self.leave()
            self._sender.fault(parcel, error)
            outcome = deferred("4.3.0", f"{type(error).__name__}: {error}")
            self._owner.failed(Parcel(parcel.message, tuple(left)), outcome)

    async def leave(self) -> None:
        """Take leave of the next hop, if there is one, and give the slot back."""
        connection, self.connection = self.connection, None
        try:
            if connection is not None:
                await connection.wire.quit(self._around.settings.timeouts.quit)
        finally:
            self.cut()

    def cut(self) -> None:
        """Without a word."""
        if self.connection is not None:
            self.connection.wire.close()
            self.connection = None
        if self._slot is not None:
            self._around.slots.give_back(self._slot)
            self._slot = None

    async def _ready(self) -> None:
        """Have a connection that can take another message. Raises NoRoute or Unreachable."""
        if self.fresh:
            return
        if self.connection is not None:
            await self.leave()
        if self._slot is None:
            self._slot = await self._around.slots.wait(self._owner.standing)
        try:
            hurried = self._around.slots.tight(self._slot.standing)
            self.connection = await reach(self._place, self._around, hurried=hurried)
        except BaseException:
            self.cut()
            raise
        self._sender.connected(made=True)

    async def _offer(self, letter: Letter, left: list[Recipient]) -> Outcomes:
        assert self.connection is not None
        try:
            outcomes = await self._deliver(letter, left, self.connection)
        except Stale:
            return {}
        again = [to for to in left if to.address in outcomes and _later(outcomes[to.address])]
        if again and self._place.hop is None:
            outcomes |= await self._offer_elsewhere(letter, again, self.connection.name)
        if any(outcome.result is Result.DELIVERED for outcome in outcomes.values()):
            if self._slot is not None:
                self._around.slots.promote(self._slot)
            self._owner.succeeded()
        return outcomes

    async def _offer_elsewhere(self, letter: Letter, recipients: list[Recipient], name: str) -> Outcomes:
        """Whom the next host of the domain takes of those whom host `name` put off (RFC 5321 5.1).

        One more host, and what it refuses stays put off: the preferred host, which knows the recipients best, is asked
        again.
        """
        slot = self._around.slots.take(self._owner.standing)
        if slot is None:
            return {}
        try:
            other = await reach(self._place, self._around, hurried=True, other_than=name)
            try:
                outcomes = await self._deliver(letter, recipients, other)
            finally:
                await other.wire.quit(self._around.settings.timeouts.quit)
        except (mx.NoRoute, Unreachable):
            return {}
        finally:
            self._around.slots.give_back(slot)
        self._sender.connected(made=True)
        return {address: outcome for address, outcome in outcomes.items() if outcome.result is Result.DELIVERED}

    async def _deliver(self, letter: Letter, left: list[Recipient], connection: Connection) -> Outcomes:
        limit = self._around.settings.limits.recipients
        at_once = min(limit, _limit(connection, "RCPTMAX") or limit)
        return await deliver(letter, left[:at_once], connection, self._around.settings.timeouts)


def _later(outcome: Outcome) -> bool:
    """The next hop itself said "not now". A connection that was lost may have delivered already."""
    return outcome.result is Result.DEFERRED and outcome.code is not None


def _limit(connection: Connection, name: str) -> int | None:
    """A number of the next hop's LIMITS (RFC 9422)."""
    for word in connection.extensions.get("limits", "").upper().split():
        key, _, value = word.partition("=")
        if key == name and value.isdigit() and int(value) > 0:
            return int(value)
    return None
