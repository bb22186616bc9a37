"""How account names, passwords and sender addresses are prepared before they are compared. Pure.

Account names are compared without regard to case, as POP servers do (Dovecot's `auth_username_format = %Lu`):
"Taro" and "taro" are one account, and an account is stored under its prepared name.
"""

from __future__ import annotations

import stringprep
import unicodedata
from encodings import idna

NAME_OCTETS = 255
"""RFC 4616 section 2: each field may have 255 octets."""
PASSWORD_OCTETS = 1024
"""Longest password: far over what people have, and cheap to read."""

_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def saslprep(text: str) -> str:
    """RFC 4013: maps, normalises (NFKC), refuses control characters and mixed directions.

    Code points that Unicode 3.2 did not know are let through, for names and for passwords: people use them.
    Raises ValueError for a text that may not be.
    """
    if text.isascii() and text.isprintable():
        return text
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char for char in text if not stringprep.in_table_b1(char)
    )
    prepared = unicodedata.normalize("NFKC", mapped)
    if any(check(char) for char in prepared for check in _PROHIBITED):
        raise ValueError("holds a character that is not allowed")
    if any(map(stringprep.in_table_d1, prepared)):
        ends_well = stringprep.in_table_d1(prepared[0]) and stringprep.in_table_d1(prepared[-1])
        if any(map(stringprep.in_table_d2, prepared)) or not ends_well:
            raise ValueError("mixes writing directions")
    return prepared


def account_name(text: str) -> str:
    """The name under which an account is stored. Raises ValueError for one that no account can have."""
    # lower case may undo the normal form, so it is made again
    prepared = saslprep(saslprep(text).lower())
    if not prepared:
        raise ValueError("is empty")
    if len(prepared.encode()) > NAME_OCTETS:
        raise ValueError(f"has more than {NAME_OCTETS} octets")
    if any(char.isspace() for char in prepared):
        raise ValueError("holds a space")
    return prepared


def sender(text: str) -> str:
    """An allowed sender in the form in which it is stored: `user@domain`, or `@domain` for every address of it.

    Raises ValueError for a text that is neither.
    """
    local, at, domain = text.strip().rpartition("@")
    if not at or not domain:
        raise ValueError("is neither user@domain nor @domain")
    if any(char.isspace() or not char.isprintable() or char in "<>" for char in text.strip()):
        raise ValueError("holds a character that an address cannot have")
    return f"{unicodedata.normalize('NFC', local).casefold()}@{_domain(domain)}"


def covers(senders: frozenset[str], address: str) -> bool:
    """True if `address` (an envelope sender, or one of a From header) is among the allowed `senders`.

    The local part is compared without regard to case: no provider gives Taro@ and taro@ to different people.
    """
    try:
        prepared = sender(address)
    except ValueError:
        return False
    local, _, domain = prepared.rpartition("@")
    return bool(local) and (prepared in senders or f"@{domain}" in senders)


def _domain(domain: str) -> str:
    labels = domain.rstrip(".").split(".")
    if not all(labels):
        raise ValueError("has a domain with an empty label")
    try:
        return ".".join(idna.ToASCII(label).decode().lower() for label in labels)
    except UnicodeError:
        raise ValueError("has a domain that cannot be written in ASCII") from None
