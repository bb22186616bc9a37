"""What is answered to a session's events: who is it, may it, how much of it, and is it on the disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from op25b.policy.intervals import Address
from op25b.submission.config import Listen
from op25b.submission.driver import rights
from op25b.submission.driver.login import LogIn
from op25b.submission.driver.mailboxes import Unknown
from op25b.submission.driver.metrics import Metric
from op25b.submission.driver.rights import Client, Source
from op25b.submission.driver.service import Service, Terms
from op25b.submission.driver.tls import TlsLayer
from op25b.submission.driver.transaction import Connected, Transaction
from op25b.submission.protocol import (
    ACCEPT,
    Answer,
    Auth,
    AuthCancelled,
    Authenticated,
    AuthResponse,
    Challenge,
    Closed,
    Event,
    Mail,
    MessageData,
    MessageEnd,
    MessageStart,
    Quit,
    Recipient,
    Reply,
    Reset,
    Session,
)
from op25b.submission.spool import Entry, SpoolFull
from op25b.subscribers.accounts import Account
from op25b.subscribers.async_login import Unavailable
from op25b.subscribers.lockout import block_of

TARPIT_SECONDS = 20.0
FULL = Reply(452, "4.3.1", "the server's disk is full; try again later")
FAILED = Reply(451, "4.3.0", "the message could not be stored; try again later")
UNKNOWN = Reply(451, "4.3.0", "the accounts cannot be looked at now; try again later")
NOBODY = Reply(550, "5.1.1", "there is no such mailbox here")
UNVERIFIED = Reply(450, "4.1.1", "it cannot be said just now whether there is such a mailbox; try again later")
BUSY = Reply(452, "4.3.1", "the server has too many messages under way; try again later")


class Dialogue:
    """One connection's. `resume` is called with each decision that is not returned at once."""

    def __init__(
        self,
        service: Service,
        terms: Terms,
        listen: Listen,
        address: Address,
        session: Session,
        resume: Callable[[Answer | None], None],
    ) -> None:
        self._service, self._terms, self._listen = service, terms, listen
        self._address, self._session, self._resume = address, session, resume
        self.account: Account | None = None
        self.in_message = False
        self.draining = False
        """The message so far is being written to the disk: hand on no more events."""
        self._log_in: LogIn | None = None
        self._transaction: Transaction | None = None
        self._tls: TlsLayer | None = None
        self._where, self._network = str(address), block_of(address)
        self._connected: Connected | None = None
        self._refused = 0
        self._gone = False
        self._task: asyncio.Task[None] | None = None

    @property
    def name(self) -> str | None:
        """The account's, for logs."""
        return None if self.account is None else self.account.name

    @property
    def busy(self) -> bool:
        """A message is under way."""
        return self._transaction is not None

    def handle(self, event: Event) -> Answer | None:
        """The answer to an event, None if it comes later or the event asks for none."""
        match event:
            case MessageData(data):
                self._data(data)
            case Recipient():
                return self._recipient(event)
            case Mail():
                return self._mail(event)
            case MessageStart():
                return self._start()
            case MessageEnd():
                return self._end()
            case Reset():
                self._forget()
            case Auth(mechanism, initial):
                return self._auth(mechanism, initial)
            case AuthResponse(data):
                assert self._log_in is not None
                return self._said(self._log_in, self._log_in.go_on(data))
            case AuthCancelled():
                self._log_in = None
        return None

    def secured(self, tls: TlsLayer) -> None:
        """TLS is established."""
        self._tls = tls
        self._connected = None

    def over(self, event: Quit | Closed) -> None:
        """The session has ended."""
        if isinstance(event, Closed):
            self._service.log.info("session closed", address=self._where, account=self.name, reason=event.reason.value)
        self._forget()

    def lost(self) -> None:
        """The connection is gone. A message that was already handed to the spool goes its way."""
        self._forget()
        self._gone = True
        if self.account is not None:
            self._service.limits.logged_out(self.account)
            self.account = None

    def _auth(self, mechanism: str, initial: bytes | None) -> Answer | None:
        bindings = {} if self._tls is None else self._tls.bindings
        self._log_in = LogIn(self._service.logins, mechanism, self._address, bindings, self._service.nonce)
        return self._said(self._log_in, self._log_in.begin(initial))

    def _said(self, log_in: LogIn, answer: Challenge | Authenticated | None) -> Answer | None:
        if answer is not None:
            return self._logged_in(log_in, answer)
        self._later(self._logging_in(log_in))
        return None

    async def _logging_in(self, log_in: LogIn) -> Answer:
        return self._logged_in(log_in, await log_in.answer())

    def _logged_in(self, log_in: LogIn, answer: Challenge | Authenticated | Reply) -> Answer:
        if isinstance(answer, Challenge):
            return answer
        service, taken = self._service, isinstance(answer, Authenticated)
        service.meters.add(Metric.LOGINS if taken else Metric.LOGINS_FAILED)
        service.log.info(
            "log-in" if taken else "log-in failed",
            address=self._where,
            account=log_in.name,
            mechanism=log_in.mechanism,
            **({} if taken else {"reason": log_in.detail}),
        )
        self._log_in = None
        if taken and not self._session.closed and not self._gone:
            assert log_in.account is not None
            self.account, self._connected = log_in.account, None
            if (refusal := service.limits.logged_in(self.account)) is not None:
                service.capped(refusal, self._address, self.name)
                return refusal
        return answer

    def _mail(self, event: Mail) -> Answer | None:
        service = self._service
        if service.stopping:
            return Reply(421, "4.3.2", "the server is being restarted; try again in a minute")
        if self._listen.role == "submission":
            return self._begin(event, Client(Source.NETWORK, self.account))
        relaying = self._terms.relaying
        if names := relaying.by_pop(self._address, service.wall()):
            self._later(self._begin_by_pop(event, names))
            return None
        return self._begin(event, relaying.client(self._address))

    async def _begin_by_pop(self, event: Mail, names: Sequence[str]) -> Answer:
        service = self._service
        try:
            account = await service.logins.owner(names, event.sender)
        except Unavailable as error:
            service.log.error("an account could not be looked up", address=self._where, reason=str(error))
            return UNKNOWN
        return self._begin(event, Client(Source.POP if account else Source.OTHER, account))

    def _begin(self, event: Mail, client: Client) -> Answer:
        service = self._service
        if client.account is not None:
            refusal = rights.sender_refusal(client.account, event.sender)
            if refusal is not None:
                service.meters.add(Metric.SENDERS_REFUSED)
                service.log.info(
                    "sender refused", address=self._where, account=client.account.name, sender=event.sender
                )
                return refusal
        payer = service.limits.payer(client.account, self._address)
        if (refusal := service.limits.message(payer)) is not None:
            service.capped(refusal, self._address, self.name)
            return refusal
        self._transaction = Transaction(event, client, payer)
        return ACCEPT

    def _recipient(self, event: Recipient) -> Answer | None:
        service, transaction = self._service, self._transaction
        assert transaction is not None
        refusal = None
        if self._listen.role == "relay":
            refusal = self._terms.relaying.refusal(transaction.client, event.address)
        if refusal is not None:
            delay = self._count_refusal(transaction)
            if not delay:
                return refusal
            asyncio.get_running_loop().call_later(delay, self._resume, refusal)
            return None
        count = len(transaction.recipients) + 1
        if (refusal := service.limits.recipients(transaction.payer, count)) is not None:
            service.capped(refusal, self._address, self.name)
            return refusal
        if self._listen.role == "relay" and self._terms.relaying.must_exist(transaction.client, event.address):
            self._later(self._if_there(event, transaction))
            return None
        transaction.add(event)
        return ACCEPT

    async def _if_there(self, event: Recipient, transaction: Transaction) -> Answer:
        try:
            there = await self._service.mailboxes.has(event.address)
        except Unknown as error:
            self._service.log.warning("recipient not verified", recipient=event.address, reason=str(error))
            return UNVERIFIED
        if there:
            transaction.add(event)
            return ACCEPT
        await asyncio.sleep(self._count_refusal(transaction))
        return NOBODY

    def _count_refusal(self, transaction: Transaction) -> float:
        """Seconds to wait before saying so. None the first times; then more and more: guessing addresses takes long."""
        self._service.meters.add(Metric.RECIPIENTS_REFUSED)
        self._service.limits.rejected(transaction.payer)
        self._refused += 1
        over = self._refused - self._terms.caps.tarpit_after
        if not self._terms.caps.tarpit_after > 0 or over <= 0:
            return 0.0
        return min(2.0 ** (over - 1), TARPIT_SECONDS)

    def _start(self) -> Answer:
        service, transaction = self._service, self._transaction
        assert transaction is not None
        if service.full():
            self._forget()
            return BUSY
        connected = self._state()
        entry = service.spool.begin(transaction.envelope(connected, service.wall()))
        terms = self._terms
        transaction.start(entry, connected, terms.hostname, terms.hide_customers, terms.caps.header)
        self.in_message = True
        return ACCEPT

    def _state(self) -> Connected:
        session, known = self._session, self._connected
        if known is None or known.helo != session.hello or known.esmtp != session.esmtp:
            known = self._connected = Connected(
                address=self._where,
                helo=session.hello,
                esmtp=session.esmtp,
                tls="" if self._tls is None else self._tls.version,
                cipher="" if self._tls is None else self._tls.cipher,
                authenticated=self.account is not None,
            )
        return known

    def _data(self, data: bytes) -> None:
        transaction = self._transaction
        assert transaction is not None
        before = transaction.unsaved
        transaction.write(data)
        self._service.receiving += transaction.unsaved - before
        if transaction.wants_drain():
            octets = transaction.unsaved
            self._service.receiving -= octets
            self._service.committing(octets)
            self.draining = True
            transaction.drain().add_done_callback(partial(self._drained, octets))

    def _drained(self, octets: int, _: asyncio.Task[None]) -> None:
        self._service.committing(-octets)
        self.draining = False
        self._resume(None)

    def _end(self) -> Answer | None:
        service, transaction = self._service, self._transaction
        assert transaction is not None
        before = transaction.unsaved
        transaction.end()
        service.receiving += transaction.unsaved - before
        count = len(transaction.recipients)
        refusal = transaction.refusal or service.limits.recipients(transaction.payer, count)
        if refusal is not None:
            service.meters.add(Metric.MESSAGES_REFUSED)
            service.log.info("message refused", address=self._where, account=self.name, reason=refusal.text)
            self._forget()
            return refusal
        service.limits.took(transaction.payer, count)
        account = transaction.client.account
        if account is not None and (why := service.limits.suspicion(account, self._network)) is not None:
            transaction.hold(why)
        unsaved, transaction.unsaved = transaction.unsaved, 0
        assert transaction.entry is not None
        service.receiving -= unsaved
        service.committing(unsaved)
        transaction.commit(partial(self._committed, transaction.entry, unsaved, service.now()))
        return None

    def _committed(self, entry: Entry, unsaved: int, began: float, error: BaseException | None) -> None:
        service = self._service
        service.committing(-unsaved)
        self._forget()
        if error is None:
            service.took(entry, began)
            self._resume(Reply(250, "2.0.0", f"queued as {entry.queue_id}"))
            return
        service.meters.add(Metric.SPOOL_FAILED)
        service.log.error("spool failed", id=entry.queue_id, reason=str(error))
        self._resume(FULL if isinstance(error, SpoolFull) else FAILED)

    def _later(self, work: Coroutine[Any, Any, Answer]) -> None:
        # the loop itself keeps only weak references to tasks
        self._task = asyncio.get_running_loop().create_task(self._decided(work))

    async def _decided(self, work: Coroutine[Any, Any, Answer]) -> None:
        self._resume(await work)

    def _forget(self) -> None:
        """The transaction is over, however it ended."""
        self.in_message = False
        if (transaction := self._transaction) is not None:
            self._transaction = None
            self._service.receiving -= transaction.unsaved
            transaction.abort()
