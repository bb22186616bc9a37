"""One message on its way in: from MAIL to the spool. Its header is looked at as it comes, its body never is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from op25b.submission.driver import header, received, rights
from op25b.submission.driver.limits import Payer
from op25b.submission.driver.received import Trace
from op25b.submission.driver.rights import Client
from op25b.submission.protocol import Mail, Recipient, Reply
from op25b.submission.spool import Done, Entry, Envelope, Origin, SpoolError
from op25b.submission.spool import Recipient as To

MAX_HOPS = 100
"""RFC 5321 6.3: at least 100 Received fields are let pass."""

HEADER = Reply(552, "5.3.4", "the message's header is too long")
LOOP = Reply(554, "5.4.6", "the message has passed through too many servers; it goes in a circle")


@dataclass(frozen=True, slots=True)
class Connected:
    """What does not change between the messages of a session. `cipher`: IANA's name, "" without TLS."""

    address: str
    helo: str
    esmtp: bool
    tls: str
    cipher: str
    authenticated: bool


class Transaction:
    """From MAIL on. Made once the sender is accepted; `add` for each accepted recipient; then the message."""

    def __init__(self, mail: Mail, client: Client, payer: Payer) -> None:
        self.mail, self.client, self.payer = mail, client, payer
        self.recipients: dict[str, To] = {}
        self.entry: Entry | None = None
        self.refusal: Reply | None = None
        """Why the message will be refused at its end, if that is known already."""
        self.unsaved = 0
        """Octets of it in memory."""
        self._header = bytearray()
        self._in_header = True
        self._drain: asyncio.Task[None] | None = None

    def add(self, recipient: Recipient) -> None:
        parameters = recipient.parameters
        orcpt = None if parameters.orcpt is None else ";".join(parameters.orcpt)
        notify = tuple(sorted(str(each) for each in parameters.notify))
        self.recipients.setdefault(recipient.address, To(recipient.address, notify, orcpt))

    def envelope(self, connected: Connected, at: datetime) -> Envelope:
        parameters = self.mail.parameters
        until = parameters.hold_until
        if parameters.hold_for is not None:
            until = at + parameters.hold_for
        account = self.client.account
        return Envelope(
            sender=self.mail.sender,
            recipients=tuple(self.recipients.values()),
            arrived=at,
            origin=Origin(
                address=connected.address,
                protocol=self._protocol(connected),
                helo=connected.helo,
                account=None if account is None else account.name,
                tls=f"{connected.tls} {connected.cipher}" if connected.tls else None,
            ),
            body=str(parameters.body),
            smtputf8=parameters.smtputf8,
            requiretls=parameters.require_tls,
            ret=None if parameters.ret is None else str(parameters.ret),
            envid=parameters.envid,
            hold_until=until,
        )

    def start(self, entry: Entry, connected: Connected, hostname: str, hide: bool, max_header: int) -> None:
        """The message begins. `hostname` goes into the fields that are added, `hide` keeps the client out of them."""
        self.entry = entry
        recipient = next(iter(self.recipients)) if len(self.recipients) == 1 else ""
        self._trace = Trace(connected.helo, connected.address, self._protocol(connected), connected.cipher, recipient)
        self._hostname, self._hide, self._max_header = hostname, hide, max_header

    def write(self, data: bytes) -> None:
        """The next bytes of the message."""
        if self.refusal is not None:
            return
        if self._in_header:
            self._more_header(data)
        else:
            self._save(data)

    def end(self) -> None:
        """The message is whole: a header without a body ends here."""
        if self._in_header and self.refusal is None:
            self._header_ends(bytes(self._header), b"")

    def hold(self, why: str) -> None:
        """Keep it from being sent until the operator releases it."""
        assert self.entry is not None
        self.entry.envelope = replace(self.entry.envelope, held=why)

    def wants_drain(self) -> bool:
        return self._drain is None and self.entry is not None and self.entry.wants_drain and self.refusal is None

    def drain(self) -> asyncio.Task[None]:
        """Writes what is in memory to the disk."""
        assert self.entry is not None
        self.unsaved = 0
        self._drain = asyncio.ensure_future(self._drained(self.entry.drain()))
        return self._drain

    def commit(self, done: Done) -> None:
        """Hands the message to the spool, for good; `done` is called once it is durable, or cannot be kept."""
        assert self.entry is not None
        entry, self.entry = self.entry, None
        if self._drain is None:
            entry.submit(done)
        else:
            self._drain.add_done_callback(lambda _: entry.submit(done))

    def abort(self) -> None:
        if self.entry is not None:
            self.entry.abort()
            self.entry = None

    async def _drained(self, work: Awaitable[None]) -> None:
        with suppress(SpoolError):  # the commit will say so
            await work
        self._drain = None

    def _more_header(self, data: bytes) -> None:
        seen = len(self._header)
        whole: bytes | bytearray = data  # as nearly always: then it need not be copied
        if seen:
            self._header += data
            whole = self._header
        end = header.split(whole, seen)
        if end >= 0:
            self._header_ends(bytes(whole[:end]), bytes(whole[end:]))
        elif len(whole) > self._max_header:
            self._refuse(HEADER)
        elif not seen:
            self._header += data

    def _header_ends(self, head: bytes, rest: bytes) -> None:
        assert self.entry is not None
        self._in_header = False
        self._header.clear()
        found = header.read(head)
        account = self.client.account
        refusal = None if account is None else rights.author_refusal(account, found.authors)
        if found.hops >= MAX_HOPS:
            refusal = LOOP
        if refusal is not None:
            self._refuse(refusal)
            return
        entry, at = self.entry, self.entry.envelope.arrived
        first = received.received(self._trace, self._hostname, entry.queue_id, at, self._hide)
        last = b""
        if found.well_formed:
            last = received.missing(found.has_date, found.has_message_id, self._hostname, entry.queue_id, at)
        self._save(first + head + last)
        self._save(rest)

    def _save(self, data: bytes) -> None:
        assert self.entry is not None
        self.entry.write(data)
        self.unsaved += len(data)

    def _refuse(self, reply: Reply) -> None:
        self.refusal = reply
        self._header.clear()
        self.unsaved = 0
        self.abort()

    def _protocol(self, connected: Connected) -> str:
        utf8 = self.mail.parameters.smtputf8
        return received.protocol(connected.esmtp, utf8, bool(connected.tls), connected.authenticated)
