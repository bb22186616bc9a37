"""The queue runner: what waits in the spool goes out when it is due, and ends delivered or bounced.

Order of writing, so that a crash at any point loses nothing: a report is in the spool before its recipient is marked
as failed, and says whom it is about, so that after a crash between the two nobody hears of it twice.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from op25b.errors import UserError
from op25b.submission.relay.carrier import Parcel
from op25b.submission.relay.content import has_eight_bit, headers, loops, normalised, split
from op25b.submission.relay.destination import Destination
from op25b.submission.relay.dkim import Signer
from op25b.submission.relay.notices import Moment, Notices
from op25b.submission.relay.once import Once, Register
from op25b.submission.relay.outcome import Outcome, Result, deferred, failed
from op25b.submission.relay.places import Place, Surroundings
from op25b.submission.relay.tally import Figures, Tally, by_next_hop
from op25b.submission.relay.transaction import Letter, Outcomes
from op25b.submission.spool.envelope import Envelope, Origin, Recipient
from op25b.submission.spool.errors import Damaged, SpoolError
from op25b.submission.spool.marks import State
from op25b.submission.spool.reader import Marker, Reader
from op25b.submission.spool.segment import Message
from op25b.submission.spool.writer import Spool
from op25b.submission.trace import Trace

_IN_PASSING = 64 * 1024
"""Octets of a message that is read and signed in passing; it would cost more to hand it to a thread."""


class Log(Protocol):
    """An event with its fields, such as a structlog logger takes."""

    def info(self, event: str, **fields: object) -> object: ...

    def warning(self, event: str, **fields: object) -> object: ...

    def error(self, event: str, **fields: object) -> object: ...


@dataclass(frozen=True, slots=True)
class Clockwork:
    """Time and chance. `chance` gives numbers in [0, 1). `poll`: seconds between two looks into the spool."""

    sleep: Callable[[float], Awaitable[None]]
    chance: Callable[[], float]
    poll: float = 0.2
    tidy: float = 30.0


class Relay:
    """One per spool. `reader` is the exclusive one, `spool` is where bounces go.

    `nowhere` is called for each recipient that there is not, with where its message came from.
    """

    def __init__(
        self,
        reader: Reader,
        marker: Marker,
        spool: Spool,
        around: Surroundings,
        signer: Signer,
        clockwork: Clockwork,
        log: Log,
        nowhere: Callable[[Origin], object] = lambda _: None,
        trace: Trace | None = None,
        register: Register | None = None,
    ) -> None:
        self._nowhere, self._trace = nowhere, trace
        self._reader = reader
        self._marker = marker
        self._spool = spool
        self._around = around
        self._settings = around.settings
        self._signer = signer
        self._clockwork = clockwork
        self._log = log
        self._notices = Notices(spool, around.settings.name, around.settings.schedule)
        self._once = Once(register, around.clock)
        self.tally = Tally()
        self._messages: dict[str, Message] = {}
        self._held: set[str] = set()
        self._due: list[tuple[datetime, str]] = []
        self._active: set[tuple[str, str]] = set()
        self._destinations: dict[Place, Destination] = {}
        self._settling: set[asyncio.Task[None]] = set()
        self._first = True

    @property
    def busy(self) -> int:
        """Recipients whose attempt is under way."""
        return len(self._active)

    @property
    def waiting(self) -> int:
        """Messages that are not done."""
        return len(self._messages)

    def figures(self) -> Figures:
        """How it stands now."""
        # those that came first are first: within a fraction of a second, which is what the oldest is for
        oldest = next(iter(self._messages.values()), None)
        return Figures(
            messages=len(self._messages),
            held=len(self._held),
            recipients_under_way=len(self._active),
            oldest=oldest.envelope.arrived if oldest else None,
            connections=self._around.slots.taken,
            next_hops=by_next_hop(self._destinations.values()),
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; call `close` then."""
        tidied = self._around.clock()
        while not stop.is_set():
            await self.step()
            now = self._around.clock()
            if (now - tidied).total_seconds() >= self._clockwork.tidy:
                tidied = now
                self._destinations = {key: each for key, each in self._destinations.items() if not each.quiet}
                await self._spool.rotate()
                await asyncio.to_thread(self._reader.tidy)
                await self._forget_traces(now)
            await self._clockwork.sleep(self._clockwork.poll)

    async def close(self, grace: float = 10.0) -> None:
        """Gives what is under way `grace` seconds. What is not settled stays in the spool for the next start."""
        await asyncio.gather(*(destination.close(grace) for destination in self._destinations.values()))
        await asyncio.gather(*self._settling)

    async def step(self) -> None:
        """Take in what is new in the spool, and start what is due."""
        try:
            found = await asyncio.to_thread(self._reader.scan)
        except SpoolError as error:
            self._log.error("spool-unreadable", error=str(error))
            return
        for damage in found.damage:
            self._log.warning("spool-damaged", what=damage.what, aside=str(damage.aside) if damage.aside else None)
        if self._first:
            self._notices.recall(found.new)
            self._first = False
        await self._write_traces(found.new)
        going = await self._admitted(found.new)
        now = self._around.clock()
        for message in sorted(going, key=lambda message: message.envelope.arrived):
            self._messages[message.queue_id] = message
            self._start_message(message, now)
        for message in found.changed:
            # marked by an operator: retry, release, hold or drop
            self._start_message(message, now, insist=True)
        while self._due and self._due[0][0] <= now:
            _, queue_id = heapq.heappop(self._due)
            if queue_id in self._messages:
                self._start_message(self._messages[queue_id], now)

    async def _admitted(self, new: list[Message]) -> list[Message]:
        """Without those that left under another queue id, and those of which that cannot be said yet."""
        others = self._once.others(new)
        try:
            mine, twins = await self._once.decided()
        except UserError as error:
            self._log.error("register-unusable", error=str(error))
            return others
        for twin in twins:
            await self._mark(twin, None, State.DROPPED, "the same message was taken before")
            self._log.info("absorbed", queue_id=twin.queue_id, envid=twin.envelope.envid)
        return others + mine

    async def _write_traces(self, messages: list[Message]) -> None:
        if self._trace is not None and messages:
            try:
                await asyncio.to_thread(self._trace.write, messages)
            except OSError as error:  # mail goes on; the log has who sent it
                self._log.warning("trace-not-written", error=str(error))

    async def _forget_traces(self, now: datetime) -> None:
        if self._trace is not None:
            try:
                await asyncio.to_thread(self._trace.forget, now)
            except OSError as error:
                self._log.warning("trace-not-removed", error=str(error))

    def _start_message(self, message: Message, now: datetime, *, insist: bool = False) -> None:
        """Try those recipients whose time has come; of the others, remember when it comes."""
        if message.status.done:
            if message.status.dropped:
                self._once.drop(message)
            self._forget(message)
            return
        if message.status.held is not None:
            self._held.add(message.queue_id)
            return
        self._held.discard(message.queue_id)
        later: list[datetime] = []
        by_place: dict[Place, list[Recipient]] = {}
        told = self._notices.settled(message) | self._once.settled(message)
        for to in dict.fromkeys(message.envelope.recipients):
            status = message.status.recipients[to.address]
            if status.done or (message.queue_id, to.address) in self._active:
                continue
            if status.until is not None and status.until > now:
                later.append(status.until)
                continue
            self._active.add((message.queue_id, to.address))
            if to.address in told:
                self.settle(Parcel(message, (to,)), {to.address: told[to.address]})
            else:
                by_place.setdefault(self._place(message.envelope, to), []).append(to)
        if later:
            heapq.heappush(self._due, (min(later), message.queue_id))
        for place, recipients in by_place.items():
            self._destination(place).put(Parcel(message, tuple(recipients)), insist=insist)

    def _place(self, envelope: Envelope, to: Recipient) -> Place:
        domain = to.address.rpartition("@")[2].lower() if "@" in to.address else self._settings.name.lower()
        hop = self._settings.routes.get(domain, self._settings.smart_host)
        return Place(hop.host if hop else domain, hop, envelope.requiretls)

    def _destination(self, place: Place) -> Destination:
        if place not in self._destinations:
            self._destinations[place] = Destination(place, self._around, self)
        return self._destinations[place]

    def _forget(self, message: Message) -> None:
        self._messages.pop(message.queue_id, None)
        self._held.discard(message.queue_id)
        self._notices.forget(message.queue_id)
        self._once.forget(message.queue_id)

    async def prepare(self, parcel: Parcel) -> Letter | Outcomes:
        """The message as it goes out, or why it does not."""
        message = parcel.message
        try:
            small = message.size <= _IN_PASSING
            letter = self._letter(message) if small else await asyncio.to_thread(self._letter, message)
            await self._once.begin(message)
        except UserError as error:
            letter = deferred("4.3.0", str(error))
        except Damaged as error:
            self._log.error("damaged", queue_id=message.queue_id, error=str(error))
            await self._mark(message, None, State.HELD, str(error))
            letter = deferred("4.3.0", str(error))
        except SpoolError as error:
            letter = deferred("4.3.0", str(error))
        return letter if isinstance(letter, Letter) else {to.address: letter for to in parcel.recipients}

    def _letter(self, message: Message) -> Letter | Outcome:
        content = message.read()
        if message.envelope.body != "BINARYMIME":
            content = normalised(content)
        looping = loops(headers(split(content)[0]), self._settings.names)
        if looping is not None:
            return failed("5.4.6", looping)
        signed = self._signer.signatures(content, self._around.clock().timestamp()) + content
        return Letter(message.envelope, signed, has_eight_bit(signed))

    def settle(self, parcel: Parcel, outcomes: Outcomes) -> None:
        """Take in what became of some recipients; reports and marks follow in a task of their own."""
        if outcomes:
            task = asyncio.get_running_loop().create_task(self._settle(parcel.message, outcomes))
            self._settling.add(task)
            task.add_done_callback(self._settling.discard)

    def fault(self, parcel: Parcel, error: Exception) -> None:
        """Something went wrong that nobody thought of: for the log, with its traceback."""
        self._log.error("fault", queue_id=parcel.message.queue_id, exc_info=error)

    def connected(self, *, made: bool) -> None:
        """A connection to a next hop was made, or could not be."""
        if made:
            self.tally.connected += 1
        else:
            self.tally.unreachable += 1

    async def _settle(self, message: Message, outcomes: Outcomes) -> None:
        envelope, schedule = message.envelope, self._settings.schedule
        moment = Moment(self._around.clock(), max(envelope.arrived, envelope.hold_until or envelope.arrived))
        if schedule.expired(moment.age):
            outcomes = {address: _expired(outcome) for address, outcome in outcomes.items()}
        outcomes = await self._once.end(message, outcomes)
        until = moment.now + timedelta(seconds=schedule.delay(moment.age, self._clockwork.chance()))
        try:
            self.tally.reports += await self._notices.send(message, outcomes, moment)
        except SpoolError as error:
            # unsaid and unmarked: both are made up for after the next attempt
            self._log.error("report-not-written", queue_id=message.queue_id, error=str(error))
            outcomes = {
                address: outcome if outcome.result is Result.DELIVERED else deferred("4.3.0", outcome.text)
                for address, outcome in outcomes.items()
            }
        await asyncio.gather(
            *(self._mark_outcome(message, address, outcome, until) for address, outcome in outcomes.items())
        )
        for address, outcome in outcomes.items():
            self._active.discard((message.queue_id, address))
            self.tally.count(outcome)
            self._log_outcome(message, address, outcome, moment)
            if outcome.nowhere:
                self._nowhere(envelope.origin)
        if message.status.done:
            self._forget(message)
        else:
            heapq.heappush(self._due, (until, message.queue_id))

    async def _mark_outcome(self, message: Message, address: str, outcome: Outcome, until: datetime) -> None:
        again = until if outcome.result is Result.DEFERRED else None
        await self._mark(message, address, State(outcome.result), f"{outcome.status} {outcome.text}", again)

    async def _mark(
        self, message: Message, address: str | None, state: State, detail: str, until: datetime | None = None
    ) -> None:
        try:
            await self._marker.mark(message.queue_id, address, state, detail, until)
        except SpoolError as error:
            # in force for this process all the same, and written with the next mark
            self._log.error("mark-not-written", queue_id=message.queue_id, error=str(error))

    def _log_outcome(self, message: Message, address: str, outcome: Outcome, moment: Moment) -> None:
        self._log.info(
            outcome.result.value,
            queue_id=message.queue_id,
            sender=message.envelope.sender,
            recipient=address,
            account=message.envelope.origin.account,
            next_hop=outcome.remote,
            status=outcome.status,
            text=outcome.text,
            seconds=round(moment.age, 3),
        )


def _expired(outcome: Outcome) -> Outcome:
    """What is only deferred has had its time (RFC 3463: 4.4.7 stays in class 4, the action is failed)."""
    if outcome.result is not Result.DEFERRED:
        return outcome
    return replace(outcome, result=Result.FAILED, status="4.4.7", text=f"not delivered in time: {outcome.text}")
