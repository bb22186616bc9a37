"""Repeated log-ins without hashing the password again: what is kept, and why that is safe.

Kept per account, for a few minutes, in memory that the service's processes share and nobody else can open: HMAC-SHA-256
over the account's name, its version, its stored hash and the password, under a key that is drawn at start. Neither is
ever written anywhere. Shared, so that a customer is checked at full cost once, not once by each worker, and not
again because a worker was replaced.

- *A change of the account* (password, suspension, senders: any) raises the version in the store, which is read at every
  log-in, so the entry no longer matches from that moment on, on every host, with nobody to be told.
- *A wrong password* never matches and is checked at full cost: guessing is not a bit cheaper than without a cache.
- *A thief of the store* gains nothing: entries are not in it, nor on any disk.
- *A thief of a process's memory* could try guesses at the price of an HMAC, for accounts that logged in within
  the last minutes. He has those passwords anyway: they pass through the same memory. Workers trust one another: one
  that a stranger has taken over could let itself in, which it can do without a cache.
- *Time* tells that the right password was given a moment ago only to someone who gives the right password.
- Entries end some minutes after the full check whether they are used or not, and only so many are kept.
- *Two that write at once* may leave a mixture: it matches nothing, and the password is checked at full cost.
"""

from __future__ import annotations

import hmac
import mmap

from op25b.subscribers.accounts import Account

SECONDS = 600.0
ENTRIES = 100_000
KEY_OCTETS = 32
_MARK_OCTETS = 32
_WAYS = 4
"""Places where an account's entry may be; the one that ends first makes room."""


class LoginCache:
    """The last successful log-ins. `key` is KEY_OCTETS of randomness.

    `now` is seconds of a clock that is the same in all processes. Made before they are forked, all of them have it.
    """

    def __init__(self, key: bytes, seconds: float = SECONDS, entries: int = ENTRIES) -> None:
        if len(key) < KEY_OCTETS:
            raise ValueError(f"the key has {len(key)} octets, not {KEY_OCTETS}")
        self._key, self._seconds = key, seconds
        self._sets = -(-entries // _WAYS)
        self._marks = memoryview(mmap.mmap(-1, self._sets * _WAYS * _MARK_OCTETS))
        self._ends = memoryview(mmap.mmap(-1, self._sets * _WAYS * 8)).cast("d")

    def knows(self, account: Account, password: str, now: float) -> bool:
        """True if this password was checked for the account as it is now, not long ago."""
        mark = self.of(account, password)
        return any(hmac.compare_digest(mark, self._kept(at)) and now < self._ends[at] for at in self._places(account))

    def learn(self, account: Account, password: str, now: float) -> None:
        """The password was checked at full cost, and is right."""
        mark = self.of(account, password)
        places = self._places(account)
        at = next((at for at in places if self._kept(at) == mark), min(places, key=self._ends.__getitem__))
        self._ends[at] = 0.0
        self._marks[at * _MARK_OCTETS : (at + 1) * _MARK_OCTETS] = mark
        self._ends[at] = now + self._seconds

    def of(self, account: Account, password: str) -> bytes:
        """The mark of a password and the account as it is now."""
        return self.mark(account.name, str(account.version), account.secret.hash, password)

    def mark(self, *parts: str) -> bytes:
        """Stands for these texts in this service: equal marks, equal texts, and no way back."""
        # each length goes in, so that no two lists of texts give the same octets
        octets = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
        return hmac.digest(self._key, octets, "sha256")

    def _kept(self, at: int) -> bytes:
        return bytes(self._marks[at * _MARK_OCTETS : (at + 1) * _MARK_OCTETS])

    def _places(self, account: Account) -> range:
        first = int.from_bytes(self.mark("place", account.name)[:8], "big") % self._sets * _WAYS
        return range(first, first + _WAYS)
