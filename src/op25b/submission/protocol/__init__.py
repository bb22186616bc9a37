"""SMTP's server side without I/O: bytes in, events out, decisions in, bytes out.

    session = Session(Settings.submission("mail.example.net"), tls=False)
    write(session.banner())
    on data:    session.receive(data)
    then:       while (event := session.next_event()) is not None: act on it; session.decide(...) where it asks
    and then:   write(session.data_to_send()); close the connection if session.closed

Reads no clock and knows no socket. Time-outs, rates and caps belong to the driver, which ends a session by
`Session.close(reply)`. Where this departs from the RFCs is listed in docs/specifications.md.
"""

from op25b.submission.protocol.events import (
    ACCEPT,
    Accept,
    Answer,
    Auth,
    AuthCancelled,
    Authenticated,
    AuthResponse,
    Challenge,
    Closed,
    CloseReason,
    Event,
    Mail,
    MessageData,
    MessageEnd,
    MessageStart,
    Quit,
    Recipient,
    Reset,
    StartTls,
)
from op25b.submission.protocol.parameters import Body, MailParameters, Notify, RecipientParameters, Ret
from op25b.submission.protocol.replies import Reply
from op25b.submission.protocol.session import Session
from op25b.submission.protocol.settings import FutureRelease, Settings

__all__ = [
    "ACCEPT",
    "Accept",
    "Answer",
    "Auth",
    "AuthCancelled",
    "AuthResponse",
    "Authenticated",
    "Body",
    "Challenge",
    "CloseReason",
    "Closed",
    "Event",
    "FutureRelease",
    "Mail",
    "MailParameters",
    "MessageData",
    "MessageEnd",
    "MessageStart",
    "Notify",
    "Quit",
    "Recipient",
    "RecipientParameters",
    "Reply",
    "Reset",
    "Ret",
    "Session",
    "Settings",
    "StartTls",
]
