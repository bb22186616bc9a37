"""STARTTLS (RFC 3207) and AUTH (RFC 4954). What a mechanism says within its exchange is the application's."""

from __future__ import annotations

import binascii

from op25b.submission.protocol import replies
from op25b.submission.protocol.core import Core
from op25b.submission.protocol.events import (
    Answer,
    Auth,
    AuthCancelled,
    Authenticated,
    AuthResponse,
    Challenge,
    CloseReason,
    StartTls,
)
from op25b.submission.protocol.extensions import offered_mechanisms
from op25b.submission.protocol.replies import Reply
from op25b.submission.protocol.transitions import Step


def starttls(core: Core, argument: bytes) -> None:
    """STARTTLS. What is sent after it in clear is no one's command: the session closes over it."""
    if argument:
        core.reply(replies.NO_ARGUMENT)
    elif core.tls:
        core.reply(replies.TLS_ACTIVE)
    elif not core.settings.starttls:
        core.reply(replies.NOT_IMPLEMENTED)
    else:
        core.move(Step.STARTTLS)
        core.reply(replies.START_TLS)
        core.events.append(StartTls())


def auth(core: Core, argument: bytes) -> None:
    """AUTH mechanism [initial-response]."""
    settings = core.settings
    words = argument.decode("latin-1").split(" ")
    mechanism = words[0].upper()
    if not settings.mechanisms:
        core.reply(replies.NOT_IMPLEMENTED)
    elif core.identity is not None:
        core.reply(replies.ALREADY_LOGGED_IN)
    elif not mechanism or len(words) > 2:
        core.reply(replies.SYNTAX_AUTH)
    elif settings.tls_required and not core.tls:
        core.reply(replies.TLS_FIRST)
    elif not core.auth_offered:
        core.reply(replies.AUTH_NEEDS_TLS)
    elif mechanism not in offered_mechanisms(settings, core.tls):
        core.reply(replies.UNKNOWN_MECHANISM)
    else:
        _begin(core, mechanism, words[1] if len(words) == 2 else None)


def _begin(core: Core, mechanism: str, initial: str | None) -> None:
    try:
        response = None if initial is None else b"" if initial == "=" else _decode(initial.encode("latin-1"))
    except ValueError:
        core.reply(replies.NOT_BASE64)
        return
    core.move(Step.AUTH)
    core.ask(Auth(mechanism, response), _on_answer)


def response(core: Core, line: bytes) -> None:
    """A line of the client's within the exchange, without its CRLF."""
    try:
        if line == b"*":
            cancel(core, replies.AUTH_CANCELLED)
        else:
            core.ask(AuthResponse(_decode(line)), _on_answer)
    except ValueError:
        cancel(core, replies.NOT_BASE64)


def cancel(core: Core, reply: Reply) -> None:
    """End the exchange without the application's decision."""
    core.move(Step.AUTH_DONE)
    core.events.append(AuthCancelled())
    core.reply(reply)


def _decode(text: bytes) -> bytes:
    """Strict base64 (RFC 4954 4). Raises ValueError."""
    return binascii.a2b_base64(text, strict_mode=True) if text else b""


def _on_answer(core: Core, answer: Answer) -> None:
    if isinstance(answer, Challenge):
        core.output.append(b"334 " + binascii.b2a_base64(answer.data, newline=False) + b"\r\n")
    elif isinstance(answer, Authenticated):
        core.move(Step.AUTH_DONE)
        core.identity = answer.identity
        core.progress()
        core.reply(replies.LOGGED_IN)
    elif isinstance(answer, Reply) and not answer.positive:
        core.move(Step.AUTH_DONE)
        core.reply(answer)
        core.failed_log_ins += answer.code >= 500
        if core.failed_log_ins >= core.settings.max_failed_log_ins:
            core.close_with(replies.TOO_MANY_LOG_INS, CloseReason.LOG_INS)
    else:
        raise ValueError(f"not an answer to this event: {answer}")
