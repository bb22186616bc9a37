"""Where a session can stand and what leads from where to where: the one table.

A command whose step is not in its state's row is out of order (503). NOOP, VRFY, EXPN and HELP are answered in every
row that takes commands and lead nowhere. docs/generate.py draws the diagram from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    """Where a session stands."""

    START = "start"  # connected, or TLS just established: no EHLO yet
    READY = "ready"  # greeted, no transaction
    MAIL = "mail"  # a sender, no recipient yet
    RCPT = "rcpt"  # at least one recipient
    TEXT = "text"  # after DATA, until the final dot
    CHUNKS = "chunks"  # after the first BDAT, until BDAT LAST
    AUTH = "auth"  # within an AUTH exchange
    TLS = "tls"  # after STARTTLS, until the handshake is done
    CLOSED = "closed"


class Step(StrEnum):
    """What moves a session: a command that succeeded, or what came of one."""

    EHLO = "EHLO"
    HELO = "HELO"
    STARTTLS = "STARTTLS"
    HANDSHAKE = "TLS established"
    AUTH = "AUTH"
    AUTH_DONE = "AUTH succeeded, failed or cancelled"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    BDAT = "BDAT"
    MESSAGE_DONE = "message taken or refused"
    RSET = "RSET"
    QUIT = "QUIT"
    SHUT = "a limit, 421"


_ALWAYS = {Step.SHUT: State.CLOSED}
_COMMANDS = {
    **_ALWAYS,
    Step.EHLO: State.READY,
    Step.HELO: State.READY,
    Step.RSET: State.READY,
    Step.QUIT: State.CLOSED,
}

TRANSITIONS: Mapping[State, Mapping[Step, State]] = MappingProxyType(
    {
        State.START: {**_COMMANDS, Step.RSET: State.START},
        State.READY: {
            **_COMMANDS,
            Step.STARTTLS: State.TLS,
            Step.AUTH: State.AUTH,
            Step.MAIL: State.MAIL,
        },
        State.MAIL: {**_COMMANDS, Step.RCPT: State.RCPT},
        State.RCPT: {
            **_COMMANDS,
            Step.RCPT: State.RCPT,
            Step.DATA: State.TEXT,
            Step.BDAT: State.CHUNKS,
            Step.MESSAGE_DONE: State.READY,  # refused at its start
        },
        State.TEXT: {**_ALWAYS, Step.MESSAGE_DONE: State.READY},
        State.CHUNKS: {**_COMMANDS, Step.BDAT: State.CHUNKS, Step.MESSAGE_DONE: State.READY},
        State.AUTH: {**_ALWAYS, Step.AUTH_DONE: State.READY},
        State.TLS: {**_ALWAYS, Step.HANDSHAKE: State.START},
        State.CLOSED: {},
    }
)

# A sender has been named: what ends these states without a message, ends a transaction.
TRANSACTION = frozenset({State.MAIL, State.RCPT, State.TEXT, State.CHUNKS})
