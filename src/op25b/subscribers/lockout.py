"""Who may try a password again: limits that stop guessing and that a stranger cannot turn against a customer.

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

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_network

from op25b.subscribers.failures import Failures

Address = IPv4Address | IPv6Address


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
    counters: int = 65536
    """Counters of each kind that are kept, about; one that failed long ago makes room."""

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


class Lockout:
    """Counts failures and answers whether a try may be made. `now` is seconds of a clock that only goes up.

    Made before processes are forked, it counts for all of them together, and what it knows survives each of them.
    `known` says that the account logged in from this block before; who calls keeps that (see `known_blocks`).
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        counters, window = limits.counters, limits.window_seconds
        self._pairs = Failures(counters, limits.pair, window)
        self._blocks = Failures(counters, limits.block, window)
        self._accounts = Failures(counters, limits.attacked_after, window)

    def answer(self, account: str, block: str, known: bool, now: float) -> Answer:
        """May a password for `account` be tried from `block`? Ask before it is checked."""
        attacked = not known and self._accounts.count(account.encode(), now) >= self._limits.attacked_after
        allowed = min(self._limits.pair, self._limits.pair_attacked) if attacked else self._limits.pair
        if self._pairs.count(_pair(account, block), now) >= allowed:
            return Answer.PAIR
        if not known and self.failures(block, now) >= self._limits.block:
            return Answer.BLOCK
        return Answer.LET

    def failures(self, block: str, now: float) -> int:
        """How often whoever is there failed lately, whatever the account."""
        return self._blocks.count(block.encode(), now)

    def failed_before(self, account: str, block: str, mark: bytes, now: float) -> bool:
        """True if just this was tried from there lately, and was wrong."""
        return self._pairs.holds(_pair(account, block), mark, now)

    def failed(self, account: str, block: str, known: bool, mark: bytes, now: float) -> None:
        """The try failed. `mark` stands for the password; equal marks are equal passwords (a keyed hash will do)."""
        if self.failed_before(account, block, mark, now):
            return
        self._pairs.add(_pair(account, block), mark, now)
        self._blocks.add(block.encode(), mark, now)
        if not known:
            self._accounts.add(account.encode(), mark, now)

    def succeeded(self, account: str, block: str) -> None:
        """The try succeeded: the pair starts anew. The block does not: its owner may have an account of his own."""
        self._pairs.forget(_pair(account, block))


def _pair(account: str, block: str) -> bytes:
    return f"{block} {account}".encode()  # a block has no space
