"""One mail transaction over an open connection: MAIL, RCPT, DATA or BDAT; an outcome for each recipient."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from op25b.submission.relay.connect import Connection
from op25b.submission.relay.outcome import Outcome, Reply, deferred, failed, of_reply
from op25b.submission.relay.settings import Timeouts
from op25b.submission.relay.wire import Lost
from op25b.submission.spool.envelope import Envelope, Recipient

_BLOCK = 256 * 1024
_DOT = re.compile(rb"(?m)^\.")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_TOO_MANY = (452, 552)


class Stale(Exception):
    """A connection that had been used before was closed before it took the message: another one may do."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as it goes out: `content` with CRLF line ends, signed. `eight_bit`: not ASCII throughout."""

    envelope: Envelope
    content: bytes
    eight_bit: bool


Outcomes = dict[str, Outcome]
"""By recipient address."""


def obstacle(letter: Letter, connection: Connection) -> Outcome | None:
    """Why this next hop cannot take the message as it is; None: it can.

    Nothing is converted: a changed body breaks signatures, and who sends such mail is better told (RFC 6152 3,
    RFC 3030 3, RFC 6531 3.2, RFC 8689 4.2.1).
    """
    has, name, envelope = connection.extensions, connection.name, letter.envelope
    if any(_CONTROL.search(text) for text in (envelope.sender, *(to.address for to in envelope.recipients))):
        return failed("5.1.3", "an address of the envelope has a control character")
    if envelope.requiretls and not (connection.encrypted and "requiretls" in has):
        return failed("5.7.30", f"REQUIRETLS was asked for, and {name} does not support it", name)
    if envelope.smtputf8 and "smtputf8" not in has:
        return failed("5.6.7", f"the addresses or headers need SMTPUTF8, and {name} does not support it", name)
    if envelope.body == "BINARYMIME":
        if not {"binarymime", "chunking"} <= has.keys():
            return failed("5.6.3", f"the message is BINARYMIME, and {name} does not support it", name)
    elif letter.eight_bit and "8bitmime" not in has:
        return failed("5.6.3", f"the message has 8-bit text, and {name} does not support 8BITMIME", name)
    limit = has.get("size", "").strip()
    if limit.isdigit() and 0 < int(limit) < len(letter.content):
        return failed("5.3.4", f"the message has {len(letter.content)} octets, and {name} takes {limit}", name)
    return None


async def deliver(
    letter: Letter, recipients: Sequence[Recipient], connection: Connection, timeouts: Timeouts
) -> Outcomes:
    """Offer the message to all recipients; those whom the next hop takes only in another transaction are left out.

    Every recipient has an outcome, or none was tried: then call again. A lost connection defers; after the last dot
    that may deliver twice (RFC 5321 4.5.3.2.6), which is better than not at all. Raises Stale.
    """
    refused = obstacle(letter, connection)
    if refused is not None:
        return {to.address: refused for to in recipients}
    connection.messages += 1
    outcomes: Outcomes = {}
    exchange = _Exchange(letter, recipients, connection, timeouts)
    try:
        await _transaction(exchange, letter, recipients, connection, timeouts, outcomes)
    except Lost as lost:
        connection.wire.close()
        answer = deferred("4.4.2", f"{connection.name}: {lost}", connection.name)
        answer = replace(answer, doubtful=exchange.handed)
        for to in recipients:
            outcomes.setdefault(to.address, answer)
    return outcomes


async def _transaction(
    exchange: _Exchange,
    letter: Letter,
    recipients: Sequence[Recipient],
    connection: Connection,
    timeouts: Timeouts,
    outcomes: Outcomes,
) -> None:
    wire, name = connection.wire, connection.name
    mail = await _begin(exchange, connection, timeouts)
    if mail.code // 100 != 2:
        outcomes |= {to.address: _rejected(mail, name) for to in recipients}
    taken: list[Recipient] = []
    if mail.code // 100 == 2 or exchange.pipelining:
        for to in recipients:
            reply = await exchange.answer(timeouts.command)
            if mail.code // 100 != 2:
                continue
            if reply.code // 100 == 2:
                taken.append(to)
            elif not (reply.code in _TOO_MANY and taken):  # RFC 5321 4.5.3.1.10: the rest in another transaction
                outcomes[to.address] = _rejected_recipient(reply, name)
    if exchange.by_chunk:
        if taken:
            exchange.handed = True
            await wire.send(b"BDAT %d LAST\r\n" % len(letter.content), timeouts.block)
            await _send_body(letter.content, connection, timeouts)
    elif taken or exchange.pipelining:
        ready = await exchange.answer(timeouts.data)
        if ready.code != 354:
            outcomes |= {to.address: _rejected(ready, name) for to in taken}
            taken = []
        else:
            # RFC 2920 3.1: DATA may be let in though nobody is taken; then the message is empty
            exchange.handed = bool(taken)
            await _send_body(_stuffed(letter.content) + b".\r\n" if taken else b".\r\n", connection, timeouts)
            if not taken:
                await wire.reply(timeouts.final)
    if not taken:
        await _reset(connection, timeouts)
        return
    final = await wire.reply(timeouts.final)
    passed_on = "dsn" in connection.extensions
    outcomes |= {to.address: of_reply(final, name, dsn_passed_on=passed_on) for to in taken}
    if final.code == 421:
        wire.close()


async def _begin(exchange: _Exchange, connection: Connection, timeouts: Timeouts) -> Reply:
    """The reply to MAIL. A next hop may have enough of a connection that served before: that says nothing of it."""
    used_before = connection.messages > 1
    try:
        await exchange.start()
        reply = await exchange.answer(timeouts.command)
    except Lost as lost:
        if used_before:
            raise Stale from lost
        raise
    if reply.code == 421 and used_before:
        # the replies to the other commands may still come: they must not be taken for another message's
        connection.wire.close()
        raise Stale
    return reply


class _Exchange:
    """MAIL, RCPT and DATA, sent at once (RFC 2920) or each when its answer is asked for.

    `handed`: the content is on its way, for somebody whom the next hop takes.
    """

    def __init__(
        self, letter: Letter, recipients: Sequence[Recipient], connection: Connection, timeouts: Timeouts
    ) -> None:
        self.by_chunk = letter.envelope.body == "BINARYMIME"
        self.pipelining = "pipelining" in connection.extensions
        self._commands = [_mail(letter, connection), *(_rcpt(to, connection) for to in recipients)]
        self._commands += [] if self.by_chunk else [b"DATA\r\n"]
        self._wire = connection.wire
        self._block = timeouts.block
        self.handed = False

    async def start(self) -> None:
        if self.pipelining:
            await self._wire.send(b"".join(self._commands), self._block)

    async def answer(self, timeout: float) -> Reply:
        if not self.pipelining:
            await self._wire.send(self._commands.pop(0), self._block)
        return await self._wire.reply(timeout)


async def _send_body(data: bytes, connection: Connection, timeouts: Timeouts) -> None:
    for at in range(0, len(data), _BLOCK):
        await connection.wire.send(data[at : at + _BLOCK], timeouts.block)


async def _reset(connection: Connection, timeouts: Timeouts) -> None:
    """Leave the connection fit for another message, or closed; the outcomes are known already."""
    try:
        await connection.wire.send(b"RSET\r\n", timeouts.block)
        if (await connection.wire.reply(timeouts.command)).code // 100 != 2:
            connection.wire.close()
    except Lost:
        connection.wire.close()


def _rejected(reply: Reply, name: str) -> Outcome:
    """As the reply says; where success is out of place, the attempt has failed for now."""
    if reply.code // 100 in (2, 3):
        return deferred("4.5.0", f"unexpected reply: {reply.text}", name)
    return of_reply(reply, name)


def _rejected_recipient(reply: Reply, name: str) -> Outcome:
    """552 may mean too many recipients (RFC 5321 4.5.3.1.10): it is final only where it says that it is not that."""
    outcome = _rejected(reply, name)
    if reply.code == 552 and outcome.status in ("5.0.0", "5.5.3"):
        return deferred("4.5.3", outcome.text, name)
    return replace(outcome, rejected=True)


def _mail(letter: Letter, connection: Connection) -> bytes:
    envelope, has = letter.envelope, connection.extensions
    words = [f"MAIL FROM:<{envelope.sender}>"]
    if "size" in has:
        words.append(f"SIZE={len(letter.content)}")
    if envelope.body == "BINARYMIME":
        words.append("BODY=BINARYMIME")
    elif letter.eight_bit and "8bitmime" in has:
        words.append("BODY=8BITMIME")
    if envelope.smtputf8:
        words.append("SMTPUTF8")
    if envelope.requiretls:
        words.append("REQUIRETLS")
    if "dsn" in has:
        words += [f"RET={envelope.ret}"] if envelope.ret else []
        words += [f"ENVID={xtext(envelope.envid)}"] if envelope.envid else []
    return _line(words)


def _rcpt(to: Recipient, connection: Connection) -> bytes:
    words = [f"RCPT TO:<{to.address}>"]
    if "dsn" in connection.extensions:
        words += [f"NOTIFY={','.join(to.notify)}"] if to.notify else []
        if to.orcpt:
            kind, _, address = to.orcpt.partition(";")
            words.append(f"ORCPT={kind};{xtext(address)}")
    return _line(words)


def _line(words: Sequence[str]) -> bytes:
    return " ".join(words).encode("utf-8", "surrogateescape") + b"\r\n"


def xtext(text: str) -> str:
    """RFC 3461 4. Characters beyond ASCII stay, which is allowed where SMTPUTF8 is (RFC 6533 3)."""
    return re.sub(r"[^!-*,-<>-~\x80-\U0010ffff]", lambda found: f"+{ord(found[0]):02X}", text)


def _stuffed(content: bytes) -> bytes:
    return _DOT.sub(b"..", content) if content.startswith(b".") or b"\n." in content else content
