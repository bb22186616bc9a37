"""The commands: which exist, what each does, which must stand last in a group, which bring no message nearer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from op25b.submission.protocol import content, envelope, replies, security
from op25b.submission.protocol.core import Core, out_of_order
from op25b.submission.protocol.events import CloseReason, Quit
from op25b.submission.protocol.extensions import hello_reply
from op25b.submission.protocol.replies import Reply
from op25b.submission.protocol.transitions import TRANSITIONS, State, Step

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._:\[\]-]")
MAX_NAME = 255


class Command(NamedTuple):
    """`step`: what it is in the table of transitions, None if it fits every state or looks for itself."""

    run: Callable[[Core, bytes], None]
    step: Step | None = None
    ends_group: bool = False
    is_junk: bool = False


def run(core: Core, line: bytes) -> None:
    """Carry out a command line, without its CRLF."""
    verb, _, argument = line.partition(b" ")
    command = COMMANDS.get(verb.upper(), _UNKNOWN)
    core.group_ends = command.ends_group or not core.esmtp
    if command.is_junk and core.count_junk():
        return
    if command.step is not None and command.step not in TRANSITIONS[core.state]:
        core.reply(out_of_order(core.state, command.step))
        return
    command.run(core, argument.strip(b" "))


def _ehlo(core: Core, argument: bytes) -> None:
    _hello(core, argument, Step.EHLO, hello_reply(core.settings, core.tls))


def _helo(core: Core, argument: bytes) -> None:
    _hello(core, argument, Step.HELO, Reply(250, "", core.settings.hostname))


def _hello(core: Core, argument: bytes, step: Step, reply: Reply) -> None:
    """No name is a reason to refuse (RFC 5321 4.1.4); what may not stand in a Received line becomes "?"."""
    if not argument:
        core.reply(replies.SYNTAX_HELLO)
        return
    core.hello = _NOT_IN_A_NAME.sub("?", argument[:MAX_NAME].decode("latin-1"))
    core.esmtp = step is Step.EHLO
    core.end_transaction(tell=True)
    core.move(step)
    core.reply(reply)


def _rset(core: Core, argument: bytes) -> None:
    if argument:
        core.reply(replies.NO_ARGUMENT)
        return
    core.end_transaction(tell=True)
    core.move(Step.RSET)
    core.reply(replies.RESET_OK)


def _vrfy(core: Core, argument: bytes) -> None:
    """Never tells (RFC 5321 7.3)."""
    core.reply(replies.WILL_NOT_VERIFY if argument else replies.SYNTAX_VRFY)


def _quit(core: Core, argument: bytes) -> None:
    if argument:
        core.reply(replies.NO_ARGUMENT)
        return
    core.output.append(replies.GOODBYE.line)
    core.move(Step.QUIT)
    core.end_transaction(tell=False)
    core.events.append(Quit())


def _another_protocol(core: Core, argument: bytes) -> None:
    """A web browser made to talk to us by a page (cross-protocol scripting): what follows is not its user's."""
    core.close_with(replies.NOT_SMTP, CloseReason.NOT_SMTP)


def _always(reply: Reply) -> Callable[[Core, bytes], None]:
    return lambda core, argument: core.reply(reply)


_UNKNOWN = Command(_always(replies.UNKNOWN))

# RFC 2920 3.1 names those that end a group, RFC 3207 4 STARTTLS, RFC 4954 4 AUTH. BDAT does not, with LAST or without
# (RFC 3030 4.2), nor does the final dot of a message (RFC 2920 3.1).
COMMANDS: Mapping[bytes, Command] = {
    b"EHLO": Command(_ehlo, Step.EHLO, ends_group=True, is_junk=True),
    b"HELO": Command(_helo, Step.HELO, ends_group=True, is_junk=True),
    b"MAIL": Command(envelope.mail, Step.MAIL, is_junk=True),
    b"RCPT": Command(envelope.recipient, Step.RCPT),
    b"DATA": Command(content.data, Step.DATA, ends_group=True),
    b"BDAT": Command(content.chunk),
    b"RSET": Command(_rset, Step.RSET, is_junk=True),
    b"NOOP": Command(_always(replies.NOOP_OK), ends_group=True, is_junk=True),
    b"VRFY": Command(_vrfy, ends_group=True, is_junk=True),
    b"EXPN": Command(_always(replies.NOT_IMPLEMENTED), ends_group=True, is_junk=True),
    b"HELP": Command(_always(replies.HELP), ends_group=True, is_junk=True),
    b"QUIT": Command(_quit, Step.QUIT, ends_group=True),
    b"STARTTLS": Command(security.starttls, Step.STARTTLS, ends_group=True, is_junk=True),
    b"AUTH": Command(security.auth, Step.AUTH, ends_group=True, is_junk=True),
} | {verb: Command(_another_protocol) for verb in (b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"CONNECT")}

# RFC 5321 4.5.3.1.4, and what the extensions add to it.
MAX_LINE = 512
MAX_MAIL = (
    MAX_LINE
    + 26  # SIZE, RFC 1870 3
    + 17  # BODY, RFC 6152 2 (RFC 3030 3 asks one less)
    + 10  # SMTPUTF8, RFC 6531 3.1
    + 500  # AUTH, RFC 4954 3
    + 9 + 107  # RET and ENVID, RFC 3461 4.3 and 4.4
    + 34  # HOLDFOR or HOLDUNTIL, RFC 4865
    + 11  # REQUIRETLS, RFC 8689 2
)  # fmt: skip
MAX_RCPT = MAX_LINE + 10 + 29 + 507  # SMTPUTF8; NOTIFY and ORCPT, RFC 3461 4.1 and 4.2
MAX_AUTH = 12_288  # RFC 4954 4 and 4.1

_LIMITS = {b"MAIL": MAX_MAIL, b"RCPT": MAX_RCPT, b"AUTH": MAX_AUTH}


def max_line(state: State, start: bytes) -> int:
    """How long a command line may be, CRLF included, that starts with these octets."""
    if state is State.AUTH:
        return MAX_AUTH
    return _LIMITS.get(start[:5].rstrip(b" ").upper(), MAX_LINE) if start[4:5] == b" " else MAX_LINE
