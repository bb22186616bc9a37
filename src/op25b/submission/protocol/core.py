"""What the commands may read and do of a session: its standing, its replies, its events."""

from __future__ import annotations

from collections.abc import Callable

from op25b.submission.protocol import replies
from op25b.submission.protocol.events import Answer, Closed, CloseReason, Event, Reset
from op25b.submission.protocol.parameters import Body, Offers
from op25b.submission.protocol.replies import Reply
from op25b.submission.protocol.settings import Settings
from op25b.submission.protocol.text import ChunkText, DotText
from op25b.submission.protocol.transitions import TRANSACTION, TRANSITIONS, State, Step


class Chunk:
    """A BDAT chunk being received: `left` octets of `size`. `refusal`: skip it, then say so."""

    __slots__ = ("last", "left", "refusal", "size")

    def __init__(self, size: int, last: bool, refusal: Reply | None) -> None:
        self.size = self.left = size
        self.last = last
        self.refusal = refusal


class Core:
    """A session without its input: `op25b.submission.protocol.session.Session` adds that."""

    def __init__(self, settings: Settings, tls: bool) -> None:
        self.settings = settings
        self.tls = tls
        self.state = State.START
        self.hello = ""
        self.esmtp = False
        self.identity: str | None = None

        self.output: list[bytes] = []
        self.events: list[Event] = []
        self.on_answer: Callable[[Core, Answer], None] | None = None
        # The last command must stand last in its group, and its reply is not written yet.
        self.group_ends = False

        # The transaction.
        self.body = Body.SEVEN_BIT
        self.smtputf8 = False
        self.recipients = 0
        self.dot_text: DotText | None = None
        self.chunk_text: ChunkText | None = None
        self.chunk: Chunk | None = None

        # Counted against the settings' limits.
        self.messages = 0
        self.errors = 0
        self.junk = 0
        self.failed_log_ins = 0

    @property
    def auth_offered(self) -> bool:
        """AUTH stands in the EHLO reply."""
        return bool(self.settings.mechanisms) and (self.tls or self.settings.auth_without_tls)

    @property
    def offers(self) -> Offers:
        """What the parameters of MAIL and RCPT depend on."""
        settings = self.settings
        return Offers(
            self.esmtp, self.tls, self.auth_offered, settings.max_size, settings.future_release, settings.binarymime
        )

    def move(self, step: Step) -> None:
        """Go where the table leads. KeyError: the table has no such step here, which is a fault of this package."""
        self.state = TRANSITIONS[self.state][step]

    def reply(self, reply: Reply) -> None:
        """Say it. Errors are counted; 421 closes (RFC 5321 3.8)."""
        self.output.append(reply.line)
        if reply.code == 421:
            self.shut(CloseReason.APPLICATION)
        elif reply.code >= 400:
            self.errors += 1
            if self.errors >= self.settings.max_errors:
                self.close_with(replies.TOO_MANY_ERRORS, CloseReason.ERRORS)

    def count_junk(self) -> bool:
        """Count a command that brings no message nearer; True: one too many, the session is closed."""
        self.junk += 1
        if self.junk <= self.settings.max_junk:
            return False
        self.close_with(replies.TOO_MUCH_JUNK, CloseReason.NO_PROGRESS)
        return True

    def progress(self) -> None:
        """A message was taken: bygones are bygones."""
        self.errors = self.junk = 0

    def ask(self, event: Event, on_answer: Callable[[Core, Answer], None]) -> None:
        """Emit an event and stand still until it is answered."""
        self.events.append(event)
        self.on_answer = on_answer

    def end_transaction(self, tell: bool) -> None:
        """Forget the transaction; `tell` the application if it has one to forget."""
        if tell and self.state in TRANSACTION:
            self.events.append(Reset())
        self.recipients = 0
        self.dot_text = self.chunk_text = None

    def close_with(self, reply: Reply, reason: CloseReason) -> None:
        """Say it and close, if not closed already."""
        if self.state is not State.CLOSED:
            self.output.append(reply.line)
            self.shut(reason)

    def shut(self, reason: CloseReason) -> None:
        """Close; the last event says why."""
        self.move(Step.SHUT)
        self.on_answer = None
        self.dot_text = self.chunk_text = self.chunk = None
        self.events.append(Closed(reason))


def out_of_order(state: State, step: Step) -> Reply:
    """What to say of a command that the table does not have in this state (503)."""
    if state is State.START:
        return replies.NO_HELLO
    if state is State.CHUNKS:
        return replies.IN_CHUNKS
    if step in _BETWEEN_TRANSACTIONS:
        return replies.IN_TRANSACTION
    return replies.NO_SENDER if state is State.READY else replies.NO_RECIPIENT


_BETWEEN_TRANSACTIONS = frozenset({Step.MAIL, Step.AUTH, Step.STARTTLS})
