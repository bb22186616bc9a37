"""How much of everything: caps per address and per account, each with its reply, and what looks like a stolen password.

The counts are shared by all workers (`ledger`). Of two messages that come at the same instant over two connections both
may still see the count before the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple

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


_SUSPICIOUS = (Counter.RECIPIENTS_BURST, Counter.NETWORKS_HOUR)


class Bounds:
    """Limits that are asked about together: how much may be counted of what, and the reply to more than that."""

    def __init__(self, caps: Mapping[str, int], *names: str) -> None:
        limits = {name: caps[name] for name in names if caps.get(name)}
        self.counters = tuple(Names[name][0] for name in limits)
        self.replies = tuple((limit, Names[name][1]) for name, limit in limits.items())


class Rules:
    """What one who pays may send. `caps`: 0 for no limit."""

    def __init__(self, caps: Mapping[str, int]) -> None:
        self.message = Bounds(caps, "messages_per_hour", "messages_per_day", "rejected_per_hour")
        self.recipients = Bounds(caps, "recipients_per_hour", "recipients_per_day")


class Payer(NamedTuple):
    """On whose count something goes: an account, or the address of a client without one."""

    key: bytes
    rules: Rules


class Limits:
    """One worker's. `clock`: monotonic seconds, the same clock in all workers."""

    def __init__(self, caps: Caps, view: View, clock: Callable[[], float]) -> None:
        self._caps, self._view, self._clock = caps, view, clock
        self._account_caps = _numbers(caps.account)
        self._of_address, self._of_account = Rules(_numbers(caps.address)), Rules(self._account_caps)

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
        own = account.limits
        return Payer(_account_key(account.name), Rules({**self._account_caps, **own}) if own else self._of_account)

    def message(self, payer: Payer) -> Reply | None:
        """None if one more message may be begun."""
        return self._over(payer.key, payer.rules.message, 1)

    def recipients(self, payer: Payer, count: int) -> Reply | None:
        """None if a message to so many may be sent."""
        return self._over(payer.key, payer.rules.recipients, count)

    def took(self, payer: Payer, recipients: int) -> None:
        """Counts a message."""
        counts = (
            (Counter.MESSAGES_HOUR, 1),
            (Counter.MESSAGES_DAY, 1),
            (Counter.RECIPIENTS_HOUR, recipients),
            (Counter.RECIPIENTS_DAY, recipients),
            (Counter.RECIPIENTS_BURST, recipients),
        )
        self._view.add_all(payer.key, counts, self._clock())

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
        burst, networks = self._view.lately_all(key, _SUSPICIOUS, now)
        for count, limit, what in (
            (burst, stolen.recipients, "recipients within 10 minutes"),
            (networks, stolen.networks, "networks within an hour"),
        ):
            if 0 < limit < count:
                return f"looks like a stolen password: {count:.0f} {what}, over {limit}"
        return None

    def _over(self, key: bytes, bounds: Bounds, more: int) -> Reply | None:
        if not bounds.counters:
            return None
        counts = self._view.lately_all(key, bounds.counters, self._clock())
        for count, (limit, reply) in zip(counts, bounds.replies, strict=True):
            if count + more > limit:
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
