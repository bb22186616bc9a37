"""What the spool keeps about a message beside its body, and how it is written down."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Recipient:
    """One RCPT TO with its DSN options (RFC 3461 4.1, 4.2)."""

    address: str
    notify: tuple[str, ...] = ()
    orcpt: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the message came from: the facts behind its Received line, and the trace to an account.

    `protocol` is a word of RFC 3848 or 6531 (ESMTPSA...), `tls` the version and cipher, None without TLS.
    """

    address: str
    protocol: str
    helo: str = ""
    account: str | None = None
    tls: str | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """`sender` is "" for <>. A status is kept per recipient address, so each address should stand here once.

    `hold_until`: not to be sent before (RFC 4865). `held`: not to be sent until an operator releases it; says why.
    """

    sender: str
    recipients: tuple[Recipient, ...]
    arrived: datetime
    origin: Origin
    body: str = "8BITMIME"
    smtputf8: bool = False
    requiretls: bool = False
    ret: str | None = None
    envid: str | None = None
    hold_until: datetime | None = None
    held: str | None = None
    notes: dict[str, str] = field(default_factory=dict)


def to_fields(envelope: Envelope) -> dict[str, Any]:
    """JSON fields; those that say nothing are left out."""
    origin = envelope.origin
    fields: dict[str, Any] = {
        "from": envelope.sender,
        "to": [_recipient_fields(recipient) for recipient in envelope.recipients],
        "arrived": envelope.arrived.isoformat(),
        "by": {"address": origin.address, "protocol": origin.protocol, "helo": origin.helo},
        "body": envelope.body,
    }
    if origin.account is not None:
        fields["by"]["account"] = origin.account
    if origin.tls is not None:
        fields["by"]["tls"] = origin.tls
    if envelope.smtputf8:
        fields["smtputf8"] = True
    if envelope.requiretls:
        fields["requiretls"] = True
    for name in ("ret", "envid", "held"):
        if (value := getattr(envelope, name)) is not None:
            fields[name] = value
    if envelope.hold_until is not None:
        fields["hold-until"] = envelope.hold_until.isoformat()
    if envelope.notes:
        fields["notes"] = envelope.notes
    return fields


def _recipient_fields(recipient: Recipient) -> dict[str, Any]:
    fields: dict[str, Any] = {"address": recipient.address}
    if recipient.notify:
        fields["notify"] = recipient.notify
    if recipient.orcpt is not None:
        fields["orcpt"] = recipient.orcpt
    return fields


def from_fields(fields: dict[str, Any]) -> Envelope:
    """The inverse of `to_fields`."""
    by = fields["by"]
    until = fields.get("hold-until")
    return Envelope(
        sender=fields["from"],
        recipients=tuple(Recipient(to["address"], tuple(to.get("notify", ())), to.get("orcpt")) for to in fields["to"]),
        arrived=datetime.fromisoformat(fields["arrived"]),
        origin=Origin(by["address"], by["protocol"], by["helo"], by.get("account"), by.get("tls")),
        body=fields["body"],
        smtputf8=fields.get("smtputf8", False),
        requiretls=fields.get("requiretls", False),
        ret=fields.get("ret"),
        envid=fields.get("envid"),
        hold_until=None if until is None else datetime.fromisoformat(until),
        held=fields.get("held"),
        notes=fields.get("notes", {}),
    )
