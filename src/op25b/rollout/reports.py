"""Bounces that came back by mail: reports (RFC 3464) of later hosts, each with a notice's key as its envelope id.

What op25b's own relay could not hand on needs none of this: the relay writes it down itself.
"""

from __future__ import annotations

import mailbox
from collections.abc import Iterator
from email import message_from_binary_file
from email.message import Message
from pathlib import Path
from typing import Any

from op25b.errors import UserError
from op25b.store.once import PREFIX

MOST_OCTETS = 1 << 20
"""Of a report that is looked at; it returns the header of the notice only (RET=HDRS)."""


def failed(path: Path) -> Iterator[tuple[str, str]]:
    """(key, what the report says) of each failure in a Maildir, or in a file of mails (mbox). Raises UserError."""
    if not path.exists():
        raise UserError(f"{path}: there is no such file or folder; name the Maildir or the mbox that bounces go to")
    box: Any = mailbox.Maildir(path, create=False) if path.is_dir() else mailbox.mbox(path, create=False)
    try:
        for key in box.iterkeys():
            with box.get_file(key) as file:
                content = file.read(MOST_OCTETS + 1)
            if len(content) <= MOST_OCTETS and PREFIX.encode() in content:
                with box.get_file(key) as file:
                    yield from of(message_from_binary_file(file))
    finally:
        box.close()


def of(message: Message) -> Iterator[tuple[str, str]]:
    """The failures that one mail reports; none if it is no report, or not about a notice."""
    for part in message.walk():
        if part.get_content_type() != "message/delivery-status" or not part.is_multipart():
            continue
        blocks = [block for block in part.get_payload() if isinstance(block, Message)]
        key = next((str(block["Original-Envelope-Id"]) for block in blocks if block["Original-Envelope-Id"]), "")
        for block in blocks:
            if key.startswith(PREFIX) and str(block["Action"] or "").strip().lower() == "failed":
                said = f"{block['Status'] or ''} {block['Diagnostic-Code'] or ''}"
                yield key.strip(), "".join(each if each.isprintable() else " " for each in said).strip()[:300]
