"""Who may do what: send as whom, relay on 25, to where. Pure: the clock and the table of POP log-ins come in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import lru_cache

from op25b.policy import places
from op25b.policy.intervals import Address
from op25b.policy.model import OwnServer, Policy, PopBeforeSmtp
from op25b.policy.verdict import SMTP
from op25b.submission.protocol import Reply
from op25b.subscribers import names
from op25b.subscribers.accounts import Account

RecentPop = Callable[[Address, datetime], Account | None]
"""The account that logged in by POP from an address, within the policy's minutes before an instant."""


class Source(Enum):
    """Why someone without AUTH may relay, or may not."""

    NETWORK = "own network"
    POP = "POP before SMTP"
    STRANGER = "stranger"


@dataclass(frozen=True, slots=True)
class Client:
    """Who is at the other end. `account`: logged in, or known by POP."""

    source: Source
    account: Account | None = None


NOT_YOURS = Reply(550, "5.7.1", "this sender address is not one of your account's")
NOT_THE_AUTHOR = Reply(550, "5.7.1", "the From field must be there once, and name only addresses of your account")
NO_RELAY = Reply(550, "5.7.1", "relaying denied; customers send through port 587 or 465, with user name and password")
NO_RELAY_POP = Reply(
    550, "5.7.1", "relaying denied; read your mail by POP first, or send through port 587 with user name and password"
)


class Relaying:
    """Port 25: who relays without AUTH. Anybody else reaches the local domains and nothing beyond (no open relay)."""

    def __init__(self, policy: Policy, server: OwnServer, local: Iterable[str], recent_pop: RecentPop) -> None:
        self._sources = places.sources(policy)
        self._open = SMTP in server.ports
        self._pop = policy.submission.pop_before_smtp is not PopBeforeSmtp.REFUSED
        self._local = frozenset(domain.lower() for domain in local)
        self._recent_pop = recent_pop

    def client(self, address: Address, at: datetime) -> Client:
        """Who a client on port 25 is, at the instant of its MAIL."""
        if self._open and self._sources.of(address).pool >= 0:
            return Client(Source.NETWORK)
        if self._pop and (account := self._recent_pop(address, at)) is not None:
            return Client(Source.POP, account)
        return Client(Source.STRANGER)

    def refusal(self, client: Client, recipient: str) -> Reply | None:
        """None if this recipient is accepted from that client. "postmaster" always is (RFC 5321 4.5.1)."""
        if client.source is not Source.STRANGER:
            return None
        domain = recipient.rpartition("@")[2].lower().rstrip(".")
        if domain in self._local or recipient.lower() == "postmaster":
            return None
        return NO_RELAY_POP if self._pop else NO_RELAY


def sender_refusal(account: Account, sender: str) -> Reply | None:
    """None if the envelope sender belongs to the account. `<>` is everybody's: receipts are sent so (RFC 8098 3)."""
    return None if not sender or _covers(account.senders, sender) else NOT_YOURS


def author_refusal(account: Account, authors: tuple[str, ...]) -> Reply | None:
    """None if the message says to be from this account (RFC 6409 6.1, 8.1)."""
    return None if authors and all(_covers(account.senders, author) for author in authors) else NOT_THE_AUTHOR


# a session asks the same again and again, and IDNA is slow
_covers = lru_cache(maxsize=4096)(names.covers)
