"""Replies: a code, an enhanced status code (RFC 2034, 3463), a text; and every reply that the protocol itself gives."""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_LINE = 512  # RFC 5321 4.5.3.1.5: with the code and CRLF.


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply. `status`: enhanced status code, "" for replies that carry none (banner, EHLO, 334, 354).

    `text`: printable ASCII, one line a "\\n"; anything else is shown as "?". Lines longer than 512 octets are cut.
    """

    code: int
    status: str
    text: str
    line: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "line", self._render())

    @property
    def positive(self) -> bool:
        """The code is below 400."""
        return self.code < 400

    def _render(self) -> bytes:
        status = f"{self.status} " if self.status else ""
        line = f"{self.code} {status}{self.text}"
        if len(line) <= MAX_LINE - 2 and line.isascii() and line.isprintable():  # nearly all: one line, as it is
            return line.rstrip().encode("ascii") + b"\r\n"
        *head, last = self.text.split("\n")
        lines = [f"{self.code}-{status}{text}" for text in head] + [f"{self.code} {status}{last}"]
        return b"".join(_printable(line)[: MAX_LINE - 2].rstrip() + b"\r\n" for line in lines)


def _printable(line: str) -> bytes:
    if line.isascii() and line.isprintable():
        return line.encode("ascii")
    return "".join(char if " " <= char <= "~" else "?" for char in line).encode("ascii")


# Positive.
SENDER_OK = Reply(250, "2.1.0", "Sender ok")
RECIPIENT_OK = Reply(250, "2.1.5", "Recipient ok")
SEND_TEXT = Reply(354, "", "Go ahead, end with a line of a single dot")
MESSAGE_OK = Reply(250, "2.0.0", "Message taken")
RESET_OK = Reply(250, "2.0.0", "Ok")
NOOP_OK = Reply(250, "2.0.0", "Ok")
HELP = Reply(214, "2.0.0", "EHLO HELO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY QUIT\nSee RFC 5321")
WILL_NOT_VERIFY = Reply(252, "2.5.0", "Cannot verify, send the message to find out")
GOODBYE = Reply(221, "2.0.0", "Goodbye")
START_TLS = Reply(220, "2.0.0", "Ready to start TLS")
LOGGED_IN = Reply(235, "2.7.0", "Authentication succeeded")

# The line cannot be read.
LINE_TOO_LONG = Reply(500, "5.5.2", "Line too long")
AUTH_LINE_TOO_LONG = Reply(500, "5.5.6", "Authentication exchange line too long")  # RFC 4954 6
BARE_IN_COMMAND = Reply(500, "5.5.2", "Lines end in CR LF; bare CR, bare LF and NUL are refused")
NOT_UTF8 = Reply(501, "5.5.2", "Not UTF-8")

# The command is not known, or comes out of order.
UNKNOWN = Reply(500, "5.5.1", "Command not recognised")
NOT_IMPLEMENTED = Reply(502, "5.5.1", "Command not implemented")
NO_HELLO = Reply(503, "5.5.1", "Say EHLO first")
NO_SENDER = Reply(503, "5.5.1", "MAIL first")
NO_RECIPIENT = Reply(503, "5.5.1", "No valid recipients")
IN_TRANSACTION = Reply(503, "5.5.1", "Not within a transaction")
IN_CHUNKS = Reply(503, "5.5.1", "Not between chunks; finish with BDAT LAST or RSET")
BINARY_NEEDS_BDAT = Reply(503, "5.5.1", "BODY=BINARYMIME needs BDAT")  # RFC 3030 3
TLS_ACTIVE = Reply(503, "5.5.1", "TLS is already active")
ALREADY_LOGGED_IN = Reply(503, "5.5.1", "Already authenticated")

# The arguments are wrong.
NO_ARGUMENT = Reply(501, "5.5.4", "No argument is allowed here")
SYNTAX_HELLO = Reply(501, "5.5.4", "Syntax: EHLO hostname")
SYNTAX_MAIL = Reply(501, "5.5.4", "Syntax: MAIL FROM:<address> [parameters]")
SYNTAX_RCPT = Reply(501, "5.5.4", "Syntax: RCPT TO:<address> [parameters]")
SYNTAX_VRFY = Reply(501, "5.5.4", "Syntax: VRFY address")
SYNTAX_AUTH = Reply(501, "5.5.4", "Syntax: AUTH mechanism [initial-response]")
SYNTAX_BDAT = Reply(501, "5.5.4", "Syntax: BDAT size [LAST]; cannot tell where the chunk ends, closing")
BAD_SENDER = Reply(501, "5.1.7", "Bad sender address syntax")
BAD_RECIPIENT = Reply(501, "5.1.3", "Bad recipient address syntax")
PATH_TOO_LONG = Reply(501, "5.1.0", "Address too long")
NEEDS_SMTPUTF8 = Reply(553, "5.6.7", "Address is not ASCII, and MAIL said no SMTPUTF8")  # RFC 6531 3.5
UNKNOWN_PARAMETER = Reply(555, "5.5.4", "Parameter not recognised or not offered")
BAD_PARAMETER = Reply(501, "5.5.4", "Bad parameter value")
REPEATED_PARAMETER = Reply(501, "5.5.4", "Parameter given twice")
HOLD_TOO_LONG = Reply(501, "5.5.4", "Longer than messages are held here; see FUTURERELEASE in the EHLO reply")

# Who may.
TLS_FIRST = Reply(530, "5.7.0", "Must issue a STARTTLS command first")  # RFC 3207 4
AUTH_FIRST = Reply(530, "5.7.0", "Authentication required")  # RFC 4954 6
AUTH_NEEDS_TLS = Reply(538, "5.7.11", "Encryption required for authentication")
UNKNOWN_MECHANISM = Reply(504, "5.5.4", "Mechanism not offered")
AUTH_CANCELLED = Reply(501, "5.7.0", "Authentication cancelled")
NOT_BASE64 = Reply(501, "5.5.2", "Not base64; authentication cancelled")

# The message.
TOO_LARGE = Reply(552, "5.3.4", "Message larger than the limit in the EHLO reply")  # RFC 1870 6
BARE_IN_TEXT = Reply(554, "5.6.0", "Message has a bare CR, a bare LF or a NUL; lines end in CR LF")

# Limits of the session. 421 closes it.
TOO_MANY_RECIPIENTS = Reply(452, "4.5.3", "Too many recipients, send the message again for the rest")
TOO_MANY_MESSAGES = Reply(421, "4.5.3", "Too many messages in one session, connect again")
TOO_MANY_ERRORS = Reply(421, "4.7.0", "Too many errors")
TOO_MUCH_JUNK = Reply(421, "4.7.0", "Too many commands without a message")
TOO_MANY_LOG_INS = Reply(421, "4.7.0", "Too many failed log-ins")
ENDLESS_LINE = Reply(421, "4.7.0", "Line without an end")
PIPELINING_REFUSED = Reply(554, "5.5.0", "Sent on without waiting for a reply; see RFC 2920 3.1")
TALKED_EARLY = Reply(554, "5.5.0", "Spoke before the greeting")
NOT_SMTP = Reply(554, "5.5.1", "This is an SMTP server")
