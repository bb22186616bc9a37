"""Who may do what: send as whom, relay on 25, to where. Pure: the clock and the table of POP log-ins come in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import lru_cache

from op25b.policy import places
from op25b.policy.intervals import Address, Prefix
from op25b.policy.model import OwnServer, Policy, PopBeforeSmtp
from op25b.policy.verdict import SMTP
from op25b.submission.protocol import Reply
from op25b.subscribers import names
from op25b.subscribers.accounts import Account

RecentPop = Callable[[Address, datetime, timedelta], Sequence[str]]
"""The accounts that logged in by POP from an address, less than so long before an instant; the latest first."""


class Source(Enum):
    """Why someone without AUTH may relay, or may not."""

    NETWORK = "own network"
    POP = "POP before SMTP"
    OTHER = "POP before SMTP, and a sender of somebody else"
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

    def __init__(
        self,
        policy: Policy,
        server: OwnServer,
        local: Iterable[str],
        recent_pop: RecentPop,
        not_from: Iterable[Prefix] = (),
    ) -> None:
        self._sources = places.sources(policy)
        self._open = SMTP in server.ports
        self._pop = policy.submission.pop_before_smtp is not PopBeforeSmtp.REFUSED
        self._pop_time = timedelta(minutes=policy.submission.pop_minutes)
        self._local = frozenset(domain.lower() for domain in local)
        self._recent_pop, self._not_from = recent_pop, tuple(not_from)

    def client(self, address: Address) -> Client:
        """Who a client on port 25 is whom POP does not make known."""
        return Client(Source.NETWORK if self._is_network(address) else Source.STRANGER)

    def by_pop(self, address: Address, at: datetime) -> Sequence[str]:
        """The accounts that a client on port 25 may be, at the instant of its MAIL, because they logged in by POP.

        None where all customers come from: own servers and `not_from`, such as the webmail.
        """
        if not self._pop or self._is_network(address):
            return ()
        if self._sources.of(address).server >= 0 or any(address in prefix for prefix in self._not_from):
            return ()
        return self._recent_pop(address, at, self._pop_time)

    def refusal(self, client: Client, recipient: str) -> Reply | None:
        """None if this recipient's domain is accepted from that client."""
        if client.source in (Source.NETWORK, Source.POP) or self._is_local(recipient):
            return None
        if client.source is Source.OTHER:
            return NOT_YOURS
        return NO_RELAY_POP if self._pop else NO_RELAY

    def must_exist(self, client: Client, recipient: str) -> bool:
        """Whether there must be such a mailbox. "postmaster" is always accepted (RFC 5321 4.5.1)."""
        return client.source in (Source.STRANGER, Source.OTHER) and recipient.partition("@")[0].lower() != "postmaster"

    def _is_network(self, address: Address) -> bool:
        return self._open and self._sources.of(address).pool >= 0

    def _is_local(self, recipient: str) -> bool:
        return recipient.rpartition("@")[2].lower().rstrip(".") in self._local or recipient.lower() == "postmaster"


def sender_refusal(account: Account, sender: str) -> Reply | None:
    """None if the envelope sender belongs to the account. `<>` is everybody's: receipts are sent so (RFC 8098 3)."""
    return None if not sender or _covers(account.senders, sender) else NOT_YOURS


def author_refusal(account: Account, authors: tuple[str, ...]) -> Reply | None:
    """None if the message says to be from this account (RFC 6409 6.1, 8.1)."""
    return None if authors and all(_covers(account.senders, author) for author in authors) else NOT_THE_AUTHOR


# a session asks the same again and again, and IDNA is slow
_covers = lru_cache(maxsize=4096)(names.covers)
