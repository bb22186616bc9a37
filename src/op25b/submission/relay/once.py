"""Messages that must not leave twice: of those with one key the relay hands over one, and that one only once.

Before a next hop may get it, that is written down; what became of it is written down before the spool is marked. So
after a crash it is known whether it has left, has not, or may have. Who may have got it is not sent it again: for
other mail "perhaps twice" is better than "perhaps not", for this it is the other way round, and the sender is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from op25b.errors import UserError
from op25b.store.once import PREFIX, Standing, State
from op25b.submission.relay.outcome import Outcome, Result, failed
from op25b.submission.relay.transaction import Outcomes
from op25b.submission.spool.segment import Message

_STATES = {Result.DELIVERED: State.DELIVERED, Result.DEFERRED: State.WAITING, Result.FAILED: State.FAILED}
_CUT_OFF = "the relay was ended while it was being handed over"


class Register(Protocol):
    """What `op25b.store.once` keeps. Each call may raise UserError."""

    def admit(self, seen: Sequence[tuple[str, str]], at: datetime) -> Mapping[str, Standing]: ...

    def put(self, key: str, state: State, detail: str, at: datetime) -> None: ...


class Once:
    """Of one relay. Without a register there are no such messages."""

    def __init__(self, register: Register | None, clock: Callable[[], datetime]) -> None:
        self._register, self._clock = register, clock
        self._undecided: list[Message] = []
        self._keys: dict[str, str] = {}
        self._settled: dict[str, Outcome] = {}
        self._unsaid: dict[str, tuple[State, str]] = {}

    def others(self, new: Sequence[Message]) -> list[Message]:
        """Those that are nothing to do with this; the rest wait for `decided`."""
        self._undecided += [message for message in new if self._key(message)]
        return [message for message in new if not self._key(message)]

    async def decided(self) -> tuple[list[Message], list[Message]]:
        """(those that go their way, those of whose key another message has left or will). Raises UserError: later."""
        register, asked = self._register, self._undecided
        if register is None or not (asked or self._unsaid):
            return [], []
        for key, (state, detail) in list(self._unsaid.items()):
            await asyncio.to_thread(register.put, key, state, detail, self._clock())
            del self._unsaid[key]
        seen = [(self._key(message), message.queue_id) for message in asked]
        known = await asyncio.to_thread(register.admit, seen, self._clock())
        self._undecided = []
        mine, twins = [], []
        for message in asked:
            standing = known.get(self._key(message))
            if standing is not None and standing.queue_id != message.queue_id:
                twins.append(message)
                continue
            mine.append(message)
            if standing is not None:
                self._keys[message.queue_id] = self._key(message)
                self._recall(message, standing)
        return mine, twins

    def settled(self, message: Message) -> Outcomes:
        """What became of it, if that is known and not marked: a crash came first, or the disk failed."""
        outcome = self._settled.get(message.queue_id)
        return {} if outcome is None else {message.envelope.recipients[0].address: outcome}

    async def begin(self, message: Message) -> None:
        """From now on a next hop may get it. Raises UserError: it must not then."""
        if (key := self._keys.get(message.queue_id)) is not None:
            assert self._register is not None
            await asyncio.to_thread(self._register.put, key, State.HANDING, "", self._clock())

    async def end(self, message: Message, outcomes: Outcomes) -> Outcomes:
        """Writes down what became of it, or remembers to; what the spool is to be marked with."""
        key = self._keys.get(message.queue_id)
        if key is None or not outcomes:
            return outcomes
        ((address, outcome),) = outcomes.items()
        state = State.DOUBT if outcome.doubtful else _STATES[outcome.result]
        detail = f"{outcome.status} {outcome.text}"
        assert self._register is not None
        try:
            await asyncio.to_thread(self._register.put, key, state, detail, self._clock())
            self._unsaid.pop(key, None)
        except UserError:
            self._unsaid[key] = state, detail
        if outcome.doubtful:
            outcome = _in_doubt(outcome.text, outcome.remote)
        if outcome.result is not Result.DEFERRED:
            # the report or the mark may fail: then it comes up again, and must not go out
            self._settled[message.queue_id] = outcome
        return {address: outcome}

    def drop(self, message: Message) -> None:
        """An operator took it out of the queue; written down with the next `decided`."""
        if (key := self._keys.get(message.queue_id)) is not None:
            self._unsaid[key] = State.FAILED, "dropped by an operator"

    def forget(self, queue_id: str) -> None:
        """The message is done."""
        self._keys.pop(queue_id, None)
        self._settled.pop(queue_id, None)

    def _key(self, message: Message) -> str:
        """ "": it may leave more than once."""
        envid = message.envelope.envid or ""
        return envid if envid.startswith(PREFIX) and len(message.envelope.recipients) == 1 else ""

    def _recall(self, message: Message, standing: Standing) -> None:
        match standing.state:
            case State.DELIVERED:
                self._settled[message.queue_id] = Outcome(Result.DELIVERED, "2.0.0", standing.detail)
            case State.FAILED:
                self._settled[message.queue_id] = failed("5.0.0", standing.detail)
            case State.DOUBT:
                self._settled[message.queue_id] = _in_doubt(standing.detail)
            case State.HANDING:
                self._settled[message.queue_id] = _in_doubt(_CUT_OFF)


def _in_doubt(text: str, remote: str | None = None) -> Outcome:
    """RFC 3463: X.4.2, the connection was lost."""
    words = f"may have been handed over, and must not arrive twice: not tried again ({text})"
    return Outcome(Result.FAILED, "5.4.2", words, remote, doubtful=True)
