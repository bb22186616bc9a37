"""What the relay is told: next hops, limits, time-outs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from op25b.submission.relay.schedule import Schedule


class Tls(StrEnum):
    """Opportunistic: used where offered, unverified, in clear where it does not work (RFC 7435).

    Encrypted: mail waits rather than go in clear. Verified: the certificate must also be good for the host's name.
    """

    OPPORTUNISTIC = "opportunistic"
    ENCRYPTED = "encrypted"
    VERIFIED = "verified"


@dataclass(frozen=True, slots=True)
class NextHop:
    """A host that mail is handed to without asking for MX: a smart host, or the host of one's own mailboxes.

    `host` is a name or an address. `implicit_tls`: TLS from the first byte (RFC 8314), as on port 465; `tls` then
    says only whether the certificate is verified. With `username` there is no delivery without AUTH, and no AUTH
    where the certificate is not verified: whoever is in the middle would have the password.
    """

    host: str
    port: int = 25
    tls: Tls = Tls.OPPORTUNISTIC
    implicit_tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.username is not None and self.tls is not Tls.VERIFIED:
            raise ValueError(
                f'next hop {self.host}: a password goes out over verified TLS only; write tls = "verified"'
            )
        if (self.username is None) != (self.password is None):
            raise ValueError(f"next hop {self.host}: a user name needs a password, and a password a user name")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds (RFC 5321 4.5.3.2). `opening`: after it no further address of a destination is tried.

    `hurried_connect` and `hurried_greeting` hold where many others want to connect: less than the RFC asks for, but
    what is not answered in time then is only deferred.
    """

    opening: float = 300.0
    connect: float = 30.0
    greeting: float = 300.0
    command: float = 300.0
    data: float = 120.0
    block: float = 180.0
    final: float = 600.0
    quit: float = 5.0
    hurried_connect: float = 5.0
    hurried_greeting: float = 15.0

    def hurried(self) -> Timeouts:
        """For opening a connection while others wait to."""
        connect, greeting = min(self.connect, self.hurried_connect), min(self.greeting, self.hurried_greeting)
        return replace(self, opening=connect + greeting, connect=connect, greeting=greeting)


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one destination. `idle`: seconds that an open connection waits for another message.

    `back_off`: seconds for which a destination that no connection could be made to is left alone, at first and at most.
    """

    connections: int = 20
    messages_per_connection: int = 100
    recipients: int = 100
    idle: float = 5.0
    back_off: tuple[float, float] = (60.0, 3600.0)


@dataclass(frozen=True, slots=True)
class Settings:
    """`name`: this host in EHLO, Received and bounces. `own_names`: all its names, for MX and loops.

    `routes`: next hops by domain in lower case; `smart_host`: for all others; None: by MX, on port `mx_port`.
    `connections`: at once, to all destinations together. `dnssec`: the resolver's word for it can be believed.
    """

    name: str
    own_names: frozenset[str] = frozenset()
    routes: Mapping[str, NextHop] = field(default_factory=dict)
    smart_host: NextHop | None = None
    mx_port: int = 25
    connections: int = 500
    dnssec: bool = False
    schedule: Schedule = field(default_factory=Schedule)
    timeouts: Timeouts = field(default_factory=Timeouts)
    limits: Limits = field(default_factory=Limits)

    @property
    def names(self) -> frozenset[str]:
        return frozenset(name.lower() for name in (self.name, *self.own_names))
