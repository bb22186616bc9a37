"""What a session tells its application, and what the application answers.

`Auth`, `AuthResponse`, `Mail`, `Recipient`, `MessageStart` and `MessageEnd` ask for a decision: the session stands
still until `Session.decide` is called. The others only tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from op25b.submission.protocol.parameters import MailParameters, RecipientParameters
from op25b.submission.protocol.replies import Reply


@dataclass(slots=True)
class Auth:
    """AUTH (RFC 4954 4). `mechanism`: upper case, one of `Settings.mechanisms`. `initial`: decoded, None: none sent.

    Decide: `Challenge`, `Authenticated`, or a refusing `Reply` (535 5.7.8, 454 4.7.0).
    """

    mechanism: str
    initial: bytes | None


@dataclass(slots=True)
class AuthResponse:
    """The client's answer to a `Challenge`, decoded. Decide as for `Auth`."""

    data: bytes


@dataclass(slots=True)
class AuthCancelled:
    """The exchange is over without a decision (`*`, or not base64): forget it."""


@dataclass(slots=True)
class Mail:
    """MAIL. `sender`: local part, "@" and domain as written, without a source route; "" for `<>`.

    Decide: `ACCEPT` or a `Reply`.
    """

    sender: str
    parameters: MailParameters


@dataclass(slots=True)
class Recipient:
    """RCPT. `address` as `Mail.sender`; "postmaster" may stand without a domain. Decide: `ACCEPT` or a `Reply`."""

    address: str
    parameters: RecipientParameters


@dataclass(slots=True)
class MessageStart:
    """DATA or the first BDAT, with at least one recipient accepted.

    Decide: `ACCEPT`, or a refusing `Reply`, which ends the transaction (no `Reset` follows).
    """


@dataclass(slots=True)
class MessageData:
    """Bytes of the message: dots unstuffed; CR and LF only as CRLF, which is never split; no NUL. Never empty."""

    data: bytes


@dataclass(slots=True)
class MessageEnd:
    """The message is whole: `size` bytes came in `MessageData`; unless empty, it ends with CRLF.

    Decide: `ACCEPT` or, better, a `Reply` with the queue id once the message is durable; or a refusing `Reply`.
    Either ends the transaction (no `Reset` follows).
    """

    size: int


@dataclass(slots=True)
class Reset:
    """The transaction is off: forget sender, recipients and whatever came of the message.

    After RSET, EHLO or HELO in a transaction, and after a message that the protocol itself refused.
    """


@dataclass(slots=True)
class StartTls:
    """Write `data_to_send()` and then nothing more in clear; shake hands; then call `Session.tls_established()`."""


@dataclass(slots=True)
class Quit:
    """The client has taken its leave: write `data_to_send()` and close the connection. The last event."""


class CloseReason(StrEnum):
    """Why the session closed by itself; for logs and for the address's record."""

    ERRORS = "too many errors"
    NO_PROGRESS = "too many commands without a message"
    MESSAGES = "as many messages as one session may bring"
    PIPELINING = "sent on without waiting for a reply"
    EARLY = "spoke before the banner"
    LOG_INS = "too many failed log-ins"
    LINE = "endless command line"
    CHUNK = "chunk size not understood"
    NOT_SMTP = "another protocol"
    APPLICATION = "closed by the application"


@dataclass(slots=True)
class Closed:
    """The session has closed: forget any transaction, write `data_to_send()`, close the connection. The last event."""

    reason: CloseReason


Event = (
    Auth
    | AuthResponse
    | AuthCancelled
    | Mail
    | Recipient
    | MessageStart
    | MessageData
    | MessageEnd
    | Reset
    | StartTls
    | Quit
    | Closed
)


@dataclass(frozen=True, slots=True)
class Accept:
    """Yes, with the protocol's usual reply."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """The mechanism's next challenge; sent in base64 (334)."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The log-in succeeded; `Session.identity` is `identity` from here on."""

    identity: str


ACCEPT = Accept()
Answer = Accept | Reply | Challenge | Authenticated
