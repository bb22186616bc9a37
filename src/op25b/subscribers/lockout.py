"""Who may try a password again: limits that stop guessing and that a stranger cannot turn against a customer. Pure.

Failures are counted where they came from, never against the account as a whole:

- a *pair* is an account and an address block (one IPv4 address, or the /56 of IPv6 that one customer has). Too many
  failures of a pair, and this block is refused for this account until the failures are old.
- a *block* with too many failures, whatever the accounts, is refused for every account that did not log in from there
  before: someone who tries a list of names. The customers that share the address (an office, carrier NAT) go on.
- an account that is guessed at from many blocks at once gives each block fewer tries, those from which it logged in
  before excepted.

So from a block without failures of its own a first try is always let through, whatever strangers did elsewhere: a
stranger can lock an account out of his own block only. The same wrong password again is not counted: it tells a
guesser nothing, and it is what a forgotten telephone sends every few minutes after a change of the password.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Generic, TypeVar

Address = IPv4Address | IPv6Address
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Limits:
    """Failures allowed within `window_seconds`; the windows of a pair and of a block slide."""

    window_seconds: float = 900
    pair: int = 10
    block: int = 100
    attacked_after: int = 50
    """Failures of one account, from unknown blocks together, after which it counts as attacked."""
    pair_attacked: int = 3
    """What an unknown block has against an attacked account; at least 1."""
    counters: int = 100_000
    """Counters of each kind that are kept; the one that failed longest ago makes room."""

    def __post_init__(self) -> None:
        if min(self.pair, self.block, self.attacked_after, self.pair_attacked, self.counters) < 1:
            raise ValueError("every limit is at least 1: nobody could log in otherwise")


class Answer(Enum):
    """May this try be made? The others say which limit was reached, for the log; the client hears nothing of it."""

    LET = "let"
    PAIR = "too many failures for this account from this address"
    BLOCK = "too many failures from this address"


@lru_cache(maxsize=10_000)
def block_of(address: Address) -> str:
    """The block that an address counts for: itself, or its /56. An IPv4 address mapped into IPv6 is the IPv4 one."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(ip_network((address, 32 if address.version == 4 else 56), strict=False))


@dataclass
class _Counter:
    """Failures of one key: when, and the marks of the passwords (equal marks, equal passwords)."""

    failures: list[tuple[float, bytes]] = field(default_factory=list)

    def count(self, now: float, window: float) -> int:
        self.failures = [failure for failure in self.failures if now - failure[0] < window]
        return len(self.failures)


class _Counters(Generic[K]):
    """So many counters at most, each of so many failures at most."""

    def __init__(self, size: int, each: int, window: float) -> None:
        self._size, self._each, self._window = size, each, window
        self._of: OrderedDict[K, _Counter] = OrderedDict()

    def count(self, key: K, now: float) -> int:
        counter = self._of.get(key)
        return counter.count(now, self._window) if counter else 0

    def holds(self, key: K, mark: bytes, now: float) -> bool:
        return self.count(key, now) > 0 and any(mark == seen for _, seen in self._of[key].failures)

    def add(self, key: K, mark: bytes, now: float) -> None:
        counter = self._of.setdefault(key, _Counter())
        counter.failures = [*counter.failures, (now, mark)][-self._each :]
        self._of.move_to_end(key)
        while len(self._of) > self._size:
            self._of.popitem(last=False)

    def forget(self, key: K) -> None:
        self._of.pop(key, None)


class Lockout:
    """Counts failures in memory and answers whether a try may be made. `now` is seconds of a clock that only goes up.

    `known` says that the account logged in from this block before; who calls keeps that (see `known_blocks`).
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        window = limits.window_seconds
        self._pairs: _Counters[tuple[str, str]] = _Counters(limits.counters, limits.pair, window)
        self._blocks: _Counters[str] = _Counters(limits.counters, limits.block, window)
        self._accounts: _Counters[str] = _Counters(limits.counters, limits.attacked_after, window)

    def answer(self, account: str, block: str, known: bool, now: float) -> Answer:
        """May a password for `account` be tried from `block`? Ask before it is checked."""
        attacked = not known and self._accounts.count(account, now) >= self._limits.attacked_after
        allowed = min(self._limits.pair, self._limits.pair_attacked) if attacked else self._limits.pair
        if self._pairs.count((account, block), now) >= allowed:
            return Answer.PAIR
        if not known and self._blocks.count(block, now) >= self._limits.block:
            return Answer.BLOCK
        return Answer.LET

    def failed(self, account: str, block: str, known: bool, mark: bytes, now: float) -> None:
        """The try failed. `mark` stands for the password; equal marks are equal passwords (a keyed hash will do)."""
        if self._pairs.holds((account, block), mark, now):
            return
        self._pairs.add((account, block), mark, now)
        self._blocks.add(block, mark, now)
        if not known:
            self._accounts.add(account, mark, now)

    def succeeded(self, account: str, block: str) -> None:
        """The try succeeded: the pair starts anew. The block does not: its owner may have an account of his own."""
        self._pairs.forget((account, block))
