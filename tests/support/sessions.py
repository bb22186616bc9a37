"""An application for SMTP sessions: it decides by plain rules, keeps what it takes, and holds the session to its word.

The rules: no@example.net is 550 as a recipient, later@example.net 451; refused@example.com is 550 as a sender; the
message of full@example.com is 452 at its start, that of spam@example.com 554 at its end. Alice's password is secret.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

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
    FutureRelease,
    Mail,
    MailParameters,
    MessageData,
    MessageEnd,
    MessageStart,
    Quit,
    Recipient,
    RecipientParameters,
    Reply,
    Reset,
    Session,
    Settings,
    StartTls,
)

HOST = "mail.example.net"
NOW = datetime(2026, 4, 1, 9, 0, tzinfo=UTC)
RELEASE = FutureRelease(timedelta(days=1), lambda: NOW)

_SENDERS = {"refused@example.com": Reply(550, "5.7.1", "Not yours")}
_RECIPIENTS = {
    "no@example.net": Reply(550, "5.1.1", "No such mailbox"),
    "later@example.net": Reply(451, "4.3.0", "Try again later"),
    "bye@example.net": Reply(421, "4.3.2", "Going down"),
}
_AT_START = {"full@example.com": Reply(452, "4.3.1", "Out of space")}
_AT_END = {"spam@example.com": Reply(554, "5.7.1", "Not wanted")}
_WRONG = Reply(535, "5.7.8", "Wrong name or password")
_SCRAM = {b"n,,n=alice": b"server-first", b"client-final": b"server-final"}


@dataclass
class Message:
    """A transaction as the application has it."""

    sender: str
    parameters: MailParameters
    recipients: list[tuple[str, RecipientParameters]] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)
    begun: bool = False

    @property
    def text(self) -> bytes:
        return b"".join(self.chunks)


class Application:
    """One session and what came of it. Raises AssertionError where the session breaks its contract."""

    def __init__(self, settings: Settings, tls: bool = False) -> None:
        self.session = Session(settings, tls)
        self.taken: list[Message] = []
        self.last: Quit | Closed | None = None
        self._message: Message | None = None
        self._mechanism: str | None = None
        self._user = b""
        self.handshake_due = False

    def feed(self, data: bytes) -> None:
        """Bytes from the client, and all that can be made of them."""
        self.session.receive(data)
        self.pump()

    def pump(self) -> None:
        """Handle every event there is."""
        while (event := self.session.next_event()) is not None:
            assert self.last is None, f"{event} after {self.last}"
            answer = self._handle(event)
            assert (answer is not None) == self.session.waiting or self.session.closed
            if answer is not None:
                self.session.decide(answer)

    def take_output(self) -> bytes:
        """One write; then the handshake, if one is due."""
        output = self.session.data_to_send()
        self.pump()  # the write may have found that too much was sent
        assert (self.last is not None) == self.session.closed
        if self.handshake_due and not self.session.closed:
            self.shake_hands()
        return output

    def shake_hands(self) -> None:
        """TLS, as far as the session knows."""
        self.handshake_due = False
        self.session.tls_established()

    def _handle(self, event: Event) -> Answer | None:
        match event:
            case Auth() | AuthResponse():
                return self._authenticate(event)
            case Mail():
                assert self._message is None
                assert self.session.identity is not None or not self.session.settings.auth_required
                if event.sender not in _SENDERS:
                    self._message = Message(event.sender, event.parameters)
                return _SENDERS.get(event.sender, ACCEPT)
            case Recipient():
                assert self._message is not None
                if event.address not in _RECIPIENTS:
                    self._message.recipients.append((event.address, event.parameters))
                return _RECIPIENTS.get(event.address, ACCEPT)
            case MessageStart() | MessageData() | MessageEnd():
                return self._handle_content(event)
            case Reset():
                assert self._message is not None
                self._message = None
            case AuthCancelled():
                assert self._mechanism is not None
                self._mechanism = None
            case StartTls():
                self.handshake_due = True
            case Quit() | Closed():
                self.last = event
        return None

    def _handle_content(self, event: MessageStart | MessageData | MessageEnd) -> Answer | None:
        message = self._message
        assert message is not None
        assert message.recipients
        if isinstance(event, MessageStart):
            assert not message.begun
            message.begun = True
            answer = _AT_START.get(message.sender, ACCEPT)
            if answer is not ACCEPT:
                self._message = None
            return answer
        assert message.begun
        if isinstance(event, MessageData):
            assert event.data
            assert is_sound(event.data), event.data
            message.chunks.append(event.data)
            return None
        assert event.size == len(message.text) <= self.session.settings.max_size
        assert not message.text or message.text.endswith(b"\r\n")
        self._message = None
        if message.sender in _AT_END:
            return _AT_END[message.sender]
        self.taken.append(message)
        return Reply(250, "2.0.0", f"Taken, number {len(self.taken)}")

    def _authenticate(self, event: Auth | AuthResponse) -> Answer:
        if isinstance(event, Auth):
            self._mechanism, data = event.mechanism, event.initial
        else:
            data = event.data
        answer = self._step(data)
        if not isinstance(answer, Challenge):
            self._mechanism, self._user = None, b""
        return answer

    def _step(self, data: bytes | None) -> Answer:
        if self._mechanism == "PLAIN":
            if data is None:
                return Challenge(b"")
            return Authenticated("alice") if data == b"\0alice\0secret" else _WRONG
        if self._mechanism == "LOGIN":
            if data is None:
                return Challenge(b"Username:")
            if not self._user:
                self._user = data
                return Challenge(b"Password:")
            return Authenticated("alice") if (self._user, data) == (b"alice", b"secret") else _WRONG
        if data == b"":
            return Authenticated("alice")
        return Challenge(_SCRAM[data]) if data in _SCRAM else _WRONG


def is_sound(data: bytes) -> bool:
    """No NUL, and CR and LF in pairs; told octet by octet, unlike the code under test."""
    if data[:1] == b"\n" or data[-1:] == b"\r" or 0 in data:
        return False
    return all((first == 13) == (second == 10) for first, second in pairwise(data))
