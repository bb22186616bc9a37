"""One client's connection: its bytes, its TLS, its pace. What is said over it is `dialogue`'s."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from typing import cast

from op25b.submission.config import Listen
from op25b.submission.driver.dialogue import Dialogue
from op25b.submission.driver.metrics import Metric
from op25b.submission.driver.service import Service, Terms
from op25b.submission.driver.tls import TlsLayer
from op25b.submission.protocol import Answer, Closed, Quit, Reply, Session, StartTls

HANDSHAKE_SECONDS = 30
REFUSED_HANDSHAKE_SECONDS = 5
LEAVE_SECONDS = 10
"""How long a client may take to read the last reply."""
CROWDED_SECONDS = 10

IDLE = Reply(421, "4.4.2", "nothing came for too long; closing")
SLOW = Reply(421, "4.4.2", "the message comes too slowly; closing")
CROWDED = Reply(421, "4.3.2", "the server is busy; try again later")
SHUTDOWN = Reply(421, "4.3.2", "the server is being restarted; try again in a minute")


@dataclass(slots=True)
class Pace:
    """Since when the client is waited for; what came of a message since `window`."""

    since: float
    window: float = 0.0
    octets: int = 0


class Connection(asyncio.Protocol):
    """Made by a listener for each client. Everything it is called for happens in the worker's one event loop."""

    __slots__ = (
        "_closing", "_dialogue", "_eof", "_pace", "_paused", "_refusal", "_service", "_session", "_stuck", "_tls",
        "_transport", "address", "listen", "terms",
    )  # fmt: skip

    def __init__(self, service: Service, listen: Listen) -> None:
        self._service, self.listen = service, listen
        self.terms: Terms = service.terms
        """What was agreed when it came: a reload changes it for later ones."""
        self._tls: TlsLayer | None = None
        self._closing = self._eof = self._paused = self._stuck = False
        self._refusal: Reply | None = None
        """To be said as soon as it can be."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        service = self._service
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self.address = ip_address(peer[0].partition("%")[0])
        self._pace = Pace(service.now())
        implicit = self.listen.tls == "implicit"
        self._session = Session(self.terms.settings(self.listen), implicit, str(self.address))
        self._dialogue = Dialogue(service, self.terms, self.listen, self.address, self._session, self.resume)
        service.opened(self)
        refusal = service.limits.connected(self.address)
        if service.crowded():
            refusal = refusal or CROWDED
        if refusal is not None:
            service.capped(refusal, self.address, None)
            self._refused(refusal, implicit)
        elif implicit:
            self._begin_tls()
        else:
            self._write(self._session.banner())

    def _refused(self, refusal: Reply, implicit: bool) -> None:
        """Under TLS no word can be said before the handshake, which costs more than anything that is refused here.

        So only so many a second are told why: clients in good faith, which come one by one.
        """
        if not implicit:
            self.end(refusal)
        elif self._service.may_explain():
            self._refusal = refusal
            self._begin_tls()
        else:
            self._leave()

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        self._service.limits.disconnected(self.address)
        self._service.closed(self)
        self._dialogue.lost()

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        if self._tls is not None:
            try:
                data = self._decrypted(self._tls, data)
            except ssl.SSLError as error:
                self._service.meters.add(Metric.TLS_FAILED)
                self._service.log.info("tls failed", address=str(self.address), reason=error.reason or str(error))
                self._write_raw(self._tls.outgoing())  # the alert
                self._leave()
                return
        if data:
            self._pace.octets += len(data)
            self._session.receive(data)
            if self._session.waiting:
                self._pause(True)  # it is kept until the decision
            else:
                self._pump()

    def eof_received(self) -> bool:
        # a client that sends everything and shuts its side still gets its replies
        self._eof = True
        return self._session.waiting and not self._closing

    def pause_writing(self) -> None:
        # who does not read the replies is not listened to either
        self._stuck = True
        self._pause(True)

    def resume_writing(self) -> None:
        self._stuck = False
        self._pump()

    def resume(self, answer: Answer | None) -> None:
        """A decision that took its time; None: the dialogue is ready for more of the message."""
        if self._closing:
            return
        if answer is not None:
            self._session.decide(answer)
        self._pump()

    def go_on(self) -> None:
        """The spool has caught up."""
        self._pace_reading()

    def end(self, reply: Reply) -> None:
        """Say why, and close."""
        if self._closing:
            return
        if self._tls is not None and not self._tls.ready:
            self._leave()
            return
        self._session.close(reply)
        self._pump()

    def drain(self) -> None:
        """The worker is to stop: a message under way may come to its end, everything else ends now."""
        if not self._dialogue.busy:
            self.end(SHUTDOWN)

    def check(self, now: float) -> None:
        """Called every second: ends what is idle, too slow, or does not go when told to."""
        pace, caps = self._pace, self.terms.caps
        waited = now - pace.since
        if self._closing:
            if waited > LEAVE_SECONDS:
                self._transport.abort()
        elif self._tls is not None and not self._tls.ready:
            if waited > (HANDSHAKE_SECONDS if self._refusal is None else REFUSED_HANDSHAKE_SECONDS):
                self._time_out(IDLE)
        elif self._session.waiting:
            pace.since = pace.window = now
            pace.octets = 0
        elif self._dialogue.in_message:
            self._check_message(now)
        elif waited > (
            CROWDED_SECONDS if self._service.pressed() and not self._dialogue.account else caps.idle_seconds
        ):
            self._time_out(IDLE)

    def _check_message(self, now: float) -> None:
        pace, caps = self._pace, self.terms.caps
        if self._paused and not self._stuck:
            # it is the server that is slow
            pace.window, pace.octets = now, 0
        elif now - pace.window >= caps.slow_seconds:
            if pace.octets < caps.slowest * caps.slow_seconds:
                self._time_out(SLOW)
            pace.window, pace.octets = now, 0

    def _time_out(self, reply: Reply) -> None:
        self._service.meters.add(Metric.TIMED_OUT)
        self._service.log.info("timed out", address=str(self.address), account=self._dialogue.name, reason=reply.text)
        self.end(reply)
        if self._stuck:
            self._transport.abort()

    def _pump(self) -> None:
        """Hands on events until the session wants more bytes or a decision, then writes all replies at once."""
        session, dialogue = self._session, self._dialogue
        was_in_message = dialogue.in_message
        starts_tls = self._hand_on()
        if dialogue.in_message and not was_in_message:
            self._pace.window, self._pace.octets = self._service.now(), 0
        out = session.data_to_send()
        if session.closed:
            self._hand_on()  # giving out its replies may have closed it
        if session.closed or (self._eof and not session.waiting and not dialogue.draining):
            self._leave(out)
            return
        if out:
            self._pace.since = self._service.now()
            self._write(out)
        if starts_tls:
            self._begin_tls()
        self._pace_reading()

    def _hand_on(self) -> bool:
        """True if TLS is to begin."""
        session, dialogue = self._session, self._dialogue
        starts_tls = False
        while not self._stuck and not dialogue.draining and (event := session.next_event()) is not None:
            match event:
                case StartTls():
                    starts_tls = True
                case Quit() | Closed():
                    dialogue.over(event)
                case _:
                    if (answer := dialogue.handle(event)) is not None:
                        session.decide(answer)
        return starts_tls

    def _pace_reading(self) -> None:
        """Stop reading while more comes than can be worked off.

        Not for each decision that is waited for: few clients send meanwhile, and to stop costs two system calls.
        """
        blocked = self._stuck or self._dialogue.draining or (self._paused and self._session.waiting)
        self._pause(blocked or (self._dialogue.in_message and self._service.behind()))

    def _pause(self, wanted: bool) -> None:
        if wanted == self._paused or self._closing:
            return
        self._paused = wanted
        if wanted:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _begin_tls(self) -> None:
        self._tls = self.terms.certificates.layer()
        self._pace.since = self._service.now()

    def _decrypted(self, tls: TlsLayer, data: bytes) -> bytes:
        was_ready = tls.ready
        text = tls.receive(data)
        if was_ready:
            return text
        self._write_raw(tls.outgoing())
        if tls.ready:
            self._dialogue.secured(tls)
            if self._refusal is not None:
                self.end(self._refusal)
                return b""
            if self.listen.tls == "implicit":
                self._write(self._session.banner())
            else:
                self._session.tls_established()
            self._pace.since = self._service.now()
        return text

    def _write(self, text: bytes) -> None:
        self._write_raw(text if self._tls is None else self._tls.send(text))

    def _write_raw(self, data: bytes) -> None:
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def _leave(self, last: bytes = b"") -> None:
        if self._closing:
            return
        self._write_raw(last if self._tls is None else self._tls.farewell(last))
        self._closing = True
        self._pace.since = self._service.now()
        self._transport.close()
