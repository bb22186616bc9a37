"""A notice as a mail message: plain text and HTML, both of the same blocks. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP


@dataclass(frozen=True)
class Sender:
    """Who the notice is from, and who is to be asked. `address` is one that the sending account may use."""

    name: str
    address: str
    reply_to: str


@dataclass(frozen=True)
class Rendered:
    """A notice in the languages of one recipient. `language`: that of the subject, or several with commas."""

    language: str
    subject: str
    plain: str
    html: str


def compose(notice: Rendered, sender: Sender, name: str, to: str, key: str, at: datetime) -> bytes:
    """The message, CRLF throughout and in 7 bits, so that every server takes it.

    The same `key` gives the same Message-ID: a mailbox that gets it twice all the same can tell. RFC 3834 5 asks that
    what nobody wrote by hand says so. Raises ValueError for a name or an address with a line break.
    """
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    message["From"] = Address(sender.name, addr_spec=sender.address)
    message["To"] = Address(name, addr_spec=to)
    if sender.reply_to != sender.address:
        message["Reply-To"] = Address(addr_spec=sender.reply_to)
    message["Subject"] = notice.subject
    message["Date"] = at
    message["Message-ID"] = f"<{key}@{sender.address.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(notice.plain, cte="base64")
    message.add_alternative(notice.html, subtype="html", cte="base64")
    message["Content-Language"] = notice.language
    return message.as_bytes()
