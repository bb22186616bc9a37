"""One connection's SMTP session, from the server's side. See the package's docstring for its use."""

from __future__ import annotations

from op25b.submission.protocol import commands, content, replies, security
from op25b.submission.protocol.core import Core
from op25b.submission.protocol.events import Answer, CloseReason, Event
from op25b.submission.protocol.extensions import banner as greeting
from op25b.submission.protocol.replies import Reply
from op25b.submission.protocol.settings import Settings
from op25b.submission.protocol.transitions import State, Step

ENDLESS = 65_536  # a command line beyond this is answered no more


class Session(Core):
    """Bytes in, events out, decisions in, bytes out.

    To be read at any time: `hello` (the name of the last EHLO or HELO, fit for a Received line; "" before it), `esmtp`
    (it was EHLO), `tls`, `identity` (None: not authenticated), `waiting`, `closed`.

    Pipelining is judged by what has been written: bytes that come before `data_to_send()` has given out the reply to
    a command that must stand last in its group (RFC 2920 3.1) were not authorised. So call it after every round of
    events, and write what it gives.
    """

    def __init__(self, settings: Settings, tls: bool, client: str = "") -> None:
        """`client`: the address that the client is told in the greeting."""
        super().__init__(settings, tls)
        self._client = client
        self._input = b""
        self._position = 0  # in the input: what comes before is done with
        self._skipped = 0  # octets of an overlong line already dropped
        self._tainted = False  # a line ended with bare LF: no command is read before the next CRLF

    @property
    def waiting(self) -> bool:
        """The last event asks for a decision: `decide`. No event follows before; better pause reading, too."""
        return self.on_answer is not None and not self.events

    @property
    def closed(self) -> bool:
        """Nothing is read any more. Once `data_to_send()` is written, close the connection."""
        return self.state is State.CLOSED

    def banner(self) -> bytes:
        """The greeting; call once, first. If bytes came before it, it is a 554 and the session is closed."""
        if self._input:
            self.close_with(replies.TALKED_EARLY, CloseReason.EARLY)
        else:
            self.output.append(greeting(self.settings, self._client).line)
        return self.data_to_send()

    def receive(self, data: bytes) -> None:
        """Bytes from the client, split anywhere. While `waiting`, better pause reading: they are kept until then."""
        if self.state is State.CLOSED:
            return
        if self._position == len(self._input):
            self._input = data
        else:
            self._input = self._input[self._position :] + data
        self._position = 0

    def next_event(self) -> Event | None:
        """The next event; None: nothing until more bytes or a decision come."""
        while not self.events:
            if self.on_answer is not None or not self._advance():
                return None
        return self.events.pop(0)

    def decide(self, answer: Answer) -> None:
        """Answer the event that `waiting` is about; which answers fit, each event says. Ignored once closed.

        A `Reply` below 400 accepts, any other refuses; 421 also closes the session. Raises RuntimeError if nothing was
        asked, ValueError if the answer does not fit the question.
        """
        if self.state is State.CLOSED:
            return
        if self.on_answer is None or self.events:
            raise RuntimeError("no event asks for a decision")
        on_answer, self.on_answer = self.on_answer, None
        on_answer(self, answer)

    def data_to_send(self) -> bytes:
        """All replies since the last call, for one write; b"" if none."""
        if self.group_ends and self.on_answer is None:
            self._end_group()
        output = b"".join(self.output)
        self.output.clear()
        return output

    def tls_established(self) -> None:
        """The handshake after `StartTls` is done: all that came before it is forgotten (RFC 3207 4.2).

        Raises KeyError if no handshake is due.
        """
        self.move(Step.HANDSHAKE)
        self.tls = True
        self.hello, self.esmtp, self.identity = "", False, None
        self._input, self._position = b"", 0
        self._skipped, self._tainted = 0, False

    def close(self, reply: Reply) -> None:
        """Say `reply` (421 4.4.2 for a time-out, 421 4.3.2 at shutdown) and close; `Closed` follows."""
        self.close_with(reply, CloseReason.APPLICATION)

    def _end_group(self) -> None:
        """The reply to a command that ends its group goes out: nothing may have come after the command."""
        self.group_ends = False
        if self._position < len(self._input) and self.state is not State.CLOSED:
            self.close_with(replies.PIPELINING_REFUSED, CloseReason.PIPELINING)

    def _advance(self) -> bool:
        """Take one line, or what there is of a message; False: nothing can be done with what there is."""
        if self.chunk is not None and not self.chunk.left:
            content.read_chunk(self, b"")
            return True
        if self._position == len(self._input) or self.state is State.CLOSED:
            return False
        if self.group_ends:
            self._end_group()
            return True
        if self.chunk is not None:
            end = self._position + self.chunk.left
            octets = self._input[self._position : end]
            self._position += len(octets)
            content.read_chunk(self, octets)
            return True
        if self.state is State.TEXT:
            block = self._input[self._position :]
            self._input, self._position = content.take_text(self, block), 0
            return True
        return self.state is not State.TLS and self._read_line()

    def _read_line(self) -> bool:
        """Take a command line or a line of AUTH; False: its end has not come."""
        start = self._position
        end = self._input.find(b"\n", start) + 1
        if not end:
            return self._keep_part()
        line = self._input[start:end]
        self._position = end
        command = line[:-2]
        odd = self._skipped or self._tainted or len(line) > commands.MAX_LINE
        if odd or not line.endswith(b"\r\n") or b"\0" in command or b"\r" in command:
            fault = self._line_fault(line)
            if fault is not None:
                self._refuse_line(fault)
                return True
        if self.state is State.AUTH:
            self.group_ends = True
            security.response(self, command)
        else:
            commands.run(self, command)
        return True

    def _keep_part(self) -> bool:
        """A line without its end: kept until it is overlong, then only counted."""
        part = self._input[self._position :]
        if not self._skipped and len(part) <= commands.max_line(self.state, part):
            return False
        self._skipped += len(part) - 1
        self._input, self._position = part[-1:], 0  # a CR may be half of the end
        if self._skipped > ENDLESS:
            self.close_with(replies.ENDLESS_LINE, CloseReason.LINE)
        return False

    def _line_fault(self, line: bytes) -> Reply | None:
        """What is wrong with a line that looks odd.

        After a bare LF nothing is taken for a command until a CRLF: what follows is part of a line whose end others
        may see elsewhere. It is answered all the same, lest anyone wait.
        """
        length = self._skipped + len(line)
        too_long = self._skipped or length > commands.max_line(self.state, line)
        tainted, self._tainted = self._tainted, not line.endswith(b"\r\n")
        self._skipped = 0
        if length > ENDLESS:
            return replies.ENDLESS_LINE
        if too_long:
            return replies.AUTH_LINE_TOO_LONG if self.state is State.AUTH else replies.LINE_TOO_LONG
        if tainted or self._tainted or b"\0" in line or b"\r" in line[:-2]:
            return replies.BARE_IN_COMMAND
        return None

    def _refuse_line(self, fault: Reply) -> None:
        if fault is replies.ENDLESS_LINE:
            self.close_with(fault, CloseReason.LINE)
        elif self.state is State.AUTH:
            self.group_ends = True
            security.cancel(self, fault)
        else:
            self.group_ends = not self.esmtp
            self.reply(fault)
