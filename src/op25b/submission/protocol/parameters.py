"""Parameters of MAIL and RCPT: SIZE (RFC 1870), BODY (RFC 6152, 3030), SMTPUTF8 (RFC 6531), RET, ENVID, NOTIFY and
ORCPT (RFC 3461), AUTH (RFC 4954), HOLDFOR and HOLDUNTIL (RFC 4865), REQUIRETLS (RFC 8689).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from op25b.submission.protocol import replies
from op25b.submission.protocol.addresses import Refusal, is_mailbox
from op25b.submission.protocol.settings import FutureRelease


class Body(StrEnum):
    """BODY= (RFC 6152, 3030)."""

    SEVEN_BIT = "7BIT"
    EIGHT_BIT = "8BITMIME"
    BINARY = "BINARYMIME"


class Ret(StrEnum):
    """RET= (RFC 3461 4.3)."""

    FULL = "FULL"
    HEADERS = "HDRS"


class Notify(StrEnum):
    """NOTIFY= (RFC 3461 4.1)."""

    NEVER = "NEVER"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    DELAY = "DELAY"


@dataclass(frozen=True, slots=True)
class MailParameters:
    """What came with MAIL.

    `size`: octets, as the client estimates them (RFC 1870). `envid`: decoded from xtext. `auth`: decoded from xtext,
    "" for `<>`, None if absent (RFC 4954 5): trust it only from a client whom you trust.
    At most one of `hold_for` and `hold_until` (RFC 4865), within the settings' bounds; `hold_until` has an offset
    and may be past: release at once.
    """

    size: int | None = None
    body: Body = Body.SEVEN_BIT
    smtputf8: bool = False
    ret: Ret | None = None
    envid: str | None = None
    auth: str | None = None
    hold_for: timedelta | None = None
    hold_until: datetime | None = None
    require_tls: bool = False


@dataclass(frozen=True, slots=True)
class RecipientParameters:
    """What came with RCPT. `notify`: empty: not said. `orcpt`: (address type in lower case, address decoded)."""

    notify: frozenset[Notify] = frozenset()
    orcpt: tuple[str, str] | None = None


class Offers(NamedTuple):
    """What the EHLO reply has offered that parameters depend on."""

    extended: bool
    tls: bool
    auth: bool
    max_size: int
    future_release: FutureRelease | None
    binarymime: bool


MAX_ENVID = 100  # RFC 3461 4.4
MAX_ORCPT = 500  # RFC 3461 4.2
MAX_AUTH = 500  # RFC 4954 3

NO_MAIL_PARAMETERS = MailParameters()
NO_RECIPIENT_PARAMETERS = RecipientParameters()

_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*+)(?:=([!-<>-~\u00a0-\U0010ffff]++))?")
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")  # RFC 3461 4
_HEX = re.compile(r"\+([0-9A-F]{2})")
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_EMBEDDED = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
_ADDRESS_TYPE = re.compile(r"[A-Za-z0-9-]{1,40}")


def read_mail_parameters(text: str, offers: Offers) -> MailParameters:
    """The parameters after MAIL's path. Raises Refusal: 501, 552 or 555."""
    if not text:
        return NO_MAIL_PARAMETERS
    values = _read(text, _MAIL, offers)
    if "hold_for" in values and "hold_until" in values:
        raise Refusal(replies.REPEATED_PARAMETER)
    return MailParameters(**values)


def read_recipient_parameters(text: str, offers: Offers) -> RecipientParameters:
    """The parameters after RCPT's path. Raises Refusal: 501 or 555."""
    if not text:
        return NO_RECIPIENT_PARAMETERS
    return RecipientParameters(**_read(text, _RCPT, offers))


def _read(text: str, known: Mapping[str, _Known], offers: Offers) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for word in text.split():
        match = _PARAMETER.fullmatch(word)
        if match is None:
            raise Refusal(replies.BAD_PARAMETER)
        parameter = known.get(match[1].upper())
        if parameter is None or not offers.extended:
            raise Refusal(replies.UNKNOWN_PARAMETER)
        field, read = parameter
        if field in values:
            raise Refusal(replies.REPEATED_PARAMETER)
        values[field] = read(match[2], offers)
    return values


def _require(value: str | None, limit: int) -> str:
    if value is None or len(value) > limit:
        raise Refusal(replies.BAD_PARAMETER)
    return value


def _number(value: str | None, digits: int) -> int:
    text = _require(value, digits)
    if not (text.isascii() and text.isdigit()):
        raise Refusal(replies.BAD_PARAMETER)
    return int(text)


def _unxtext(text: str) -> str:
    """Decode xtext to printable ASCII, as RFC 3461 4.2 and 4.4 demand of what is encoded. Raises Refusal."""
    if _XTEXT.fullmatch(text):
        decoded = _HEX.sub(lambda match: chr(int(match[1], 16)), text) if "+" in text else text
        if decoded.isascii() and decoded.isprintable():
            return decoded
    raise Refusal(replies.BAD_PARAMETER)


def _flag(value: str | None, offers: Offers) -> bool:
    if value is not None:
        raise Refusal(replies.BAD_PARAMETER)
    return True


def _require_tls(value: str | None, offers: Offers) -> bool:
    if not offers.tls:  # RFC 8689 2: within TLS only, so it is not offered without
        raise Refusal(replies.UNKNOWN_PARAMETER)
    return _flag(value, offers)


def _size(value: str | None, offers: Offers) -> int:
    size = _number(value, 20)
    if size > offers.max_size:
        raise Refusal(replies.TOO_LARGE)
    return size


def _body(value: str | None, offers: Offers) -> Body:
    try:
        body = Body(_require(value, 10).upper())
    except ValueError:
        raise Refusal(replies.BAD_PARAMETER) from None
    if body is Body.BINARY and not offers.binarymime:
        raise Refusal(replies.BAD_PARAMETER)
    return body


def _ret(value: str | None, offers: Offers) -> Ret:
    try:
        return Ret(_require(value, 4).upper())
    except ValueError:
        raise Refusal(replies.BAD_PARAMETER) from None


def _envid(value: str | None, offers: Offers) -> str:
    return _unxtext(_require(value, MAX_ENVID))


def _auth(value: str | None, offers: Offers) -> str:
    if not offers.auth:
        raise Refusal(replies.UNKNOWN_PARAMETER)
    mailbox = _unxtext(_require(value, MAX_AUTH))
    if mailbox == "<>":
        return ""
    if not is_mailbox(mailbox):
        raise Refusal(replies.BAD_PARAMETER)
    return mailbox


def _hold_for(value: str | None, offers: Offers) -> timedelta:
    if offers.future_release is None:
        raise Refusal(replies.UNKNOWN_PARAMETER)
    interval = timedelta(seconds=_number(value, 9))
    if interval > offers.future_release.max_interval:
        raise Refusal(replies.HOLD_TOO_LONG)
    return interval


def _hold_until(value: str | None, offers: Offers) -> datetime:
    if offers.future_release is None:
        raise Refusal(replies.UNKNOWN_PARAMETER)
    text = _require(value, 32)
    try:
        if not _DATE_TIME.fullmatch(text):
            raise Refusal(replies.BAD_PARAMETER)
        until = datetime.fromisoformat(text.upper())
    except ValueError:
        raise Refusal(replies.BAD_PARAMETER) from None
    if until > offers.future_release.latest():
        raise Refusal(replies.HOLD_TOO_LONG)
    return until


def _notify(value: str | None, offers: Offers) -> frozenset[Notify]:
    try:
        words = [Notify(word) for word in _require(value, 40).upper().split(",")]
    except ValueError:
        raise Refusal(replies.BAD_PARAMETER) from None
    if Notify.NEVER in words and len(words) > 1:
        raise Refusal(replies.BAD_PARAMETER)
    return frozenset(words)


def _orcpt(value: str | None, offers: Offers) -> tuple[str, str]:
    kind, separator, address = _require(value, MAX_ORCPT).partition(";")
    if not separator or not address or not _ADDRESS_TYPE.fullmatch(kind):
        raise Refusal(replies.BAD_PARAMETER)
    kind = kind.lower()
    return kind, _utf8_address(address) if kind == "utf-8" else _unxtext(address)


def _utf8_address(text: str) -> str:
    """RFC 6533 3: `utf-8-addr-xtext` with `\\x{HEX}`, or the characters themselves (SMTPUTF8)."""
    try:
        decoded = _EMBEDDED.sub(lambda match: chr(int(match[1], 16)), text)
        decoded.encode()
    except ValueError:
        raise Refusal(replies.BAD_PARAMETER) from None
    if not decoded.isprintable():
        raise Refusal(replies.BAD_PARAMETER)
    return decoded


_Known = tuple[str, Callable[[str | None, Offers], object]]

_MAIL: Mapping[str, _Known] = {
    "SIZE": ("size", _size),
    "BODY": ("body", _body),
    "SMTPUTF8": ("smtputf8", _flag),
    "RET": ("ret", _ret),
    "ENVID": ("envid", _envid),
    "AUTH": ("auth", _auth),
    "HOLDFOR": ("hold_for", _hold_for),
    "HOLDUNTIL": ("hold_until", _hold_until),
    "REQUIRETLS": ("require_tls", _require_tls),
}
_RCPT: Mapping[str, _Known] = {"NOTIFY": ("notify", _notify), "ORCPT": ("orcpt", _orcpt)}
