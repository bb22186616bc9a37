"""MAIL and RCPT."""

from __future__ import annotations

from op25b.submission.protocol import replies
from op25b.submission.protocol.addresses import Refusal, read_path
from op25b.submission.protocol.core import Core
from op25b.submission.protocol.events import Accept, Answer, CloseReason, Mail, Recipient
from op25b.submission.protocol.parameters import read_mail_parameters, read_recipient_parameters
from op25b.submission.protocol.replies import Reply
from op25b.submission.protocol.transitions import Step


def mail(core: Core, argument: bytes) -> None:
    """MAIL FROM:<sender> [parameters] (RFC 5321 4.1.1.2)."""
    settings = core.settings
    core.messages += 1
    if settings.max_messages and core.messages > settings.max_messages:
        core.close_with(replies.TOO_MANY_MESSAGES, CloseReason.MESSAGES)
    elif settings.tls_required and not core.tls:
        core.reply(replies.TLS_FIRST)
    elif settings.auth_required and core.identity is None:
        core.reply(replies.AUTH_FIRST)
    else:
        _read_mail(core, argument)


def _read_mail(core: Core, argument: bytes) -> None:
    try:
        text = _decode(argument)
        sender, end = read_path(text, _path_start(text, "FROM:", replies.SYNTAX_MAIL), replies.BAD_SENDER)
        if sender == "postmaster":  # without a domain: for RCPT alone (RFC 5321 4.1.1.3)
            raise Refusal(replies.BAD_SENDER)
        parameters = read_mail_parameters(_tail(text, end, replies.BAD_SENDER), core.offers)
        if not sender.isascii() and not parameters.smtputf8:
            raise Refusal(replies.NEEDS_SMTPUTF8)
    except Refusal as refusal:
        core.reply(refusal.reply)
        return
    core.body = parameters.body
    core.smtputf8 = parameters.smtputf8
    core.recipients = 0
    core.ask(Mail(sender, parameters), _on_mail)


def _on_mail(core: Core, answer: Answer) -> None:
    reply = verdict(answer, replies.SENDER_OK)
    if reply.positive:
        core.move(Step.MAIL)
    core.reply(reply)


def recipient(core: Core, argument: bytes) -> None:
    """RCPT TO:<address> [parameters] (RFC 5321 4.1.1.3)."""
    settings = core.settings
    core.recipients += 1
    if core.recipients > settings.max_recipients:
        _overshoot(core)
        return
    try:
        text = _decode(argument)
        address, end = read_path(text, _path_start(text, "TO:", replies.SYNTAX_RCPT), replies.BAD_RECIPIENT)
        if not address:
            raise Refusal(replies.BAD_RECIPIENT)
        parameters = read_recipient_parameters(_tail(text, end, replies.BAD_RECIPIENT), core.offers)
        if not core.smtputf8 and not text.isascii():
            raise Refusal(replies.BAD_PARAMETER if address.isascii() else replies.NEEDS_SMTPUTF8)
    except Refusal as refusal:
        core.reply(refusal.reply)
        return
    core.ask(Recipient(address, parameters), _on_recipient)


def _overshoot(core: Core) -> None:
    """RFC 5321 4.5.3.1.10 has clients try them all: that is no error, up to as many again."""
    if core.recipients > 2 * core.settings.max_recipients:
        core.reply(replies.TOO_MANY_RECIPIENTS)
    else:
        core.output.append(replies.TOO_MANY_RECIPIENTS.line)


def _on_recipient(core: Core, answer: Answer) -> None:
    reply = verdict(answer, replies.RECIPIENT_OK)
    if reply.positive:
        core.move(Step.RCPT)
    core.reply(reply)


def verdict(answer: Answer, usual: Reply) -> Reply:
    """The reply that an answer stands for. Raises ValueError if it is none to this question."""
    if isinstance(answer, Accept):
        return usual
    if not isinstance(answer, Reply):
        raise ValueError(f"not an answer to this event: {answer}")
    return answer


def _decode(argument: bytes) -> str:
    try:
        return argument.decode()
    except UnicodeDecodeError:
        raise Refusal(replies.NOT_UTF8) from None


def _path_start(text: str, keyword: str, syntax: Reply) -> int:
    """Where the path begins. Spaces after the colon are borne with: devices in the field send them."""
    start = len(keyword)
    if text[:start].upper() != keyword:
        raise Refusal(syntax)
    while text.startswith(" ", start):
        start += 1
    return start


def _tail(text: str, end: int, bad: Reply) -> str:
    """The parameters' text. A path runs into nothing but a space."""
    if end < len(text) and text[end] != " ":
        raise Refusal(bad)
    return text[end:]
