"""How much of everything: caps per address and per account, each with its reply, and what looks like a stolen password.

The counts are shared by all workers (`ledger`). Of two messages that come at the same instant over two connections both
may still see the count before the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from op25b.policy.intervals import Address
from op25b.submission.config import AccountCaps, AddressCaps, Caps
from op25b.submission.driver.ledger import Counter, View
from op25b.submission.protocol import Reply
from op25b.submission.spool import Origin
from op25b.subscribers.accounts import Account

CONNECTIONS = Reply(421, "4.7.0", "too many connections from your address; close one, or try again later")
SESSIONS = Reply(421, "4.7.0", "too many connections of your account; close one, or try again later")
MESSAGES = Reply(451, "4.7.1", "you have sent as many messages as are allowed for now; try again later")
RECIPIENTS = Reply(452, "4.5.3", "you have sent to as many recipients as are allowed for now; try again later")
REJECTED = Reply(451, "4.7.1", "too many of your recipients do not exist; try again later")

Names = {
    "messages_per_hour": (Counter.MESSAGES_HOUR, MESSAGES),
    "messages_per_day": (Counter.MESSAGES_DAY, MESSAGES),
    "recipients_per_hour": (Counter.RECIPIENTS_HOUR, RECIPIENTS),
    "recipients_per_day": (Counter.RECIPIENTS_DAY, RECIPIENTS),
    "rejected_per_hour": (Counter.REJECTED_HOUR, REJECTED),
}
_BY_MESSAGE = ("messages_per_hour", "messages_per_day", "rejected_per_hour")
_BY_RECIPIENT = ("recipients_per_hour", "recipients_per_day")


@dataclass(frozen=True, slots=True)
class Payer:
    """On whose count something goes: an account, or the address of a client without one. `caps`: 0 for no limit."""

    key: bytes
    caps: Mapping[str, int]


class Limits:
    """One worker's. `clock`: monotonic seconds, the same clock in all workers."""

    def __init__(self, caps: Caps, view: View, clock: Callable[[], float]) -> None:
        self._caps, self._view, self._clock = caps, view, clock
        self._of_address = _numbers(caps.address)
        self._of_account = _numbers(caps.account)

    def connected(self, address: Address) -> Reply | None:
        """Counts a connection; `disconnected` takes it away again, whatever was answered."""
        count = self._view.connected(_address_key(address), self._clock())
        return CONNECTIONS if 0 < self._caps.address.connections < count else None

    def disconnected(self, address: Address) -> None:
        self._view.disconnected(_address_key(address), self._clock())

    def logged_in(self, account: Account) -> Reply | None:
        """Counts a session; `logged_out` takes it away again, whatever was answered."""
        count = self._view.connected(_account_key(account.name), self._clock())
        return SESSIONS if 0 < self._caps.account.connections < count else None

    def logged_out(self, account: Account) -> None:
        self._view.disconnected(_account_key(account.name), self._clock())

    def payer(self, account: Account | None, address: Address) -> Payer:
        """Who pays. What an account's own limits say goes before the service's."""
        if account is None:
            return Payer(_address_key(address), self._of_address)
        return Payer(_account_key(account.name), {**self._of_account, **account.limits})

    def message(self, payer: Payer) -> Reply | None:
        """None if one more message may be begun."""
        return self._over(payer, _BY_MESSAGE, 1)

    def recipients(self, payer: Payer, count: int) -> Reply | None:
        """None if a message to so many may be sent."""
        return self._over(payer, _BY_RECIPIENT, count)

    def took(self, payer: Payer, recipients: int) -> None:
        """Counts a message."""
        now, view = self._clock(), self._view
        for counter, count in (
            (Counter.MESSAGES_HOUR, 1),
            (Counter.MESSAGES_DAY, 1),
            (Counter.RECIPIENTS_HOUR, recipients),
            (Counter.RECIPIENTS_DAY, recipients),
            (Counter.RECIPIENTS_BURST, recipients),
        ):
            view.add(payer.key, counter, count, now)

    def rejected(self, payer: Payer) -> float:
        """Counts a recipient that does not exist; returns how many there were within the hour."""
        now = self._clock()
        self._view.add(payer.key, Counter.REJECTED_HOUR, 1, now)
        return self._view.lately(payer.key, Counter.REJECTED_HOUR, now)

    def suspicion(self, account: Account, network: str) -> str | None:
        """Why what this account sends now should be held and looked at; None if not. `network`: see `block_of`."""
        now, key, stolen = self._clock(), _account_key(account.name), self._caps.stolen
        seen = key + b" from " + network.encode()
        if not self._view.lately(seen, Counter.MESSAGES_HOUR, now):
            self._view.add(key, Counter.NETWORKS_HOUR, 1, now)
        self._view.add(seen, Counter.MESSAGES_HOUR, 1, now)
        for counter, limit, what in (
            (Counter.RECIPIENTS_BURST, stolen.recipients, "recipients within 10 minutes"),
            (Counter.NETWORKS_HOUR, stolen.networks, "networks within an hour"),
        ):
            count = self._view.lately(key, counter, now)
            if 0 < limit < count:
                return f"looks like a stolen password: {count:.0f} {what}, over {limit}"
        return None

    def _over(self, payer: Payer, names: tuple[str, ...], more: int) -> Reply | None:
        now = self._clock()
        for name in names:
            limit = payer.caps.get(name, 0)
            counter, reply = Names[name]
            extra = 1 if counter is Counter.REJECTED_HOUR else more
            if limit and self._view.lately(payer.key, counter, now) + extra > limit:
                return reply
        return None


class Rejections:
    """The relay's: recipients that turn out not to exist once the message was taken, on its sender's count."""

    def __init__(self, view: View, clock: Callable[[], float]) -> None:
        self._view, self._clock = view, clock

    def add(self, origin: Origin) -> None:
        """One more. A bounce has no sender."""
        if origin.account is not None:
            key = _account_key(origin.account)
        elif origin.address:
            key = _address_key(ip_address(origin.address))
        else:
            return
        self._view.add(key, Counter.REJECTED_HOUR, 1, self._clock())


def _numbers(caps: AddressCaps | AccountCaps) -> dict[str, int]:
    return {name: value for name, value in caps.model_dump().items() if name in Names}


def _account_key(name: str) -> bytes:
    return b"account " + name.encode()


def _address_key(address: Address) -> bytes:
    # whoever has IPv6 has a /64 at least
    if isinstance(address, IPv6Address):
        return b"address " + address.packed[:8]
    return b"address " + address.packed
