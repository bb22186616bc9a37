"""Passwords, user names and references that nobody can foretell, made to be read from paper and typed. Pure."""

from __future__ import annotations

import hashlib

from op25b.subscribers.passwords import Random

ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
"""Without those that are taken for one another: 0 and o, 1, i and l."""
_GROUPS, _EACH = 3, 4
_USER_NAME = 8
_REFERENCE = 26


def password(random: Random) -> str:
    """Such as `k7pm-3xwq-9rtd`: 59 bits, and short enough for mail programs that cut at 16 characters."""
    return "-".join(_letters(random, _EACH) for _ in range(_GROUPS))


def user_name(brand: str, random: Random) -> str:
    """A user name that is issued: the brand's name, and letters that tell nothing of the customer."""
    return f"{brand}-{_letters(random, _USER_NAME)}"


def reference(random: Random) -> str:
    """What an applicant keeps to ask where the request stands: 128 bits."""
    return _letters(random, _REFERENCE)


def digest(reference: str) -> str:
    """What is kept of a reference; there is nothing to guess that a slow hash would protect."""
    return hashlib.sha256(reference.encode()).hexdigest()


def _letters(random: Random, count: int) -> str:
    found = ""
    while len(found) < count:
        # octets from 248 on are drawn again: each letter is as likely as the next
        found += "".join(ALPHABET[octet % 31] for octet in random(count) if octet < 248)
    return found[:count]
