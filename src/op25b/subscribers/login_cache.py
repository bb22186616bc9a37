"""Repeated log-ins without hashing the password again: what is kept, and why that is safe.

Kept per account, for a few minutes and in this process only: HMAC-SHA-256, under a key that is drawn at start and never
leaves the process, over the account's name, its version, its stored hash and the password.

- *A change of the account* (password, suspension, senders: any) raises the version in the store, which is read at every
  log-in, so the entry no longer matches from that moment on, on every host, with nobody to be told.
- *A wrong password* never matches and is checked at full cost: guessing is not a bit cheaper than without a cache.
- *A thief of the store* gains nothing: entries are not in it, nor on any disk.
- *A thief of the process's memory* could try guesses at the price of an HMAC, for accounts that logged in within
  the last minutes. He has those passwords anyway: they pass through the same memory.
- *Time* tells that the right password was given a moment ago only to someone who gives the right password.
- Entries end some minutes after the full check whether they are used or not, and only so many are kept.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict

from op25b.subscribers.accounts import Account

SECONDS = 600.0
ENTRIES = 100_000
KEY_OCTETS = 32


class LoginCache:
    """The last successful log-in of each account. `key` is KEY_OCTETS of randomness, `now` seconds of any one clock."""

    def __init__(self, key: bytes, seconds: float = SECONDS, entries: int = ENTRIES) -> None:
        if len(key) < KEY_OCTETS:
            raise ValueError(f"the key has {len(key)} octets, not {KEY_OCTETS}")
        self._key, self._seconds, self._entries = key, seconds, entries
        self._kept: OrderedDict[str, tuple[bytes, float]] = OrderedDict()

    def knows(self, account: Account, password: str, now: float) -> bool:
        """True if this password was checked for the account as it is now, not long ago."""
        mark = self._mark(account, password)
        kept, until = self._kept.get(account.name, (bytes(len(mark)), 0.0))
        return hmac.compare_digest(mark, kept) and now < until

    def learn(self, account: Account, password: str, now: float) -> None:
        """The password was checked at full cost, and is right."""
        self._kept[account.name] = self._mark(account, password), now + self._seconds
        self._kept.move_to_end(account.name)
        while len(self._kept) > self._entries:
            self._kept.popitem(last=False)

    def mark(self, *parts: str) -> bytes:
        """Stands for these texts in this process: equal marks, equal texts, and no way back."""
        # each length goes in, so that no two lists of texts give the same octets
        octets = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
        return hmac.digest(self._key, octets, "sha256")

    def _mark(self, account: Account, password: str) -> bytes:
        return self.mark(account.name, str(account.version), account.secret.hash, password)
