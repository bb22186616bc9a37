"""What a listener offers and bears."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from op25b.submission.sasl import MECHANISMS


@dataclass(frozen=True)
class FutureRelease:
    """FUTURERELEASE (RFC 4865). `clock` gives the present instant, with an offset."""

    max_interval: timedelta
    clock: Callable[[], datetime]

    def latest(self) -> datetime:
        """The latest instant until which a message may be held now."""
        return self.clock() + self.max_interval


@dataclass(frozen=True)
class Settings:
    """One listener's offers and limits; shared by all of its sessions. Sizes in octets.

    `mechanisms`: () switches AUTH off; names that end in -PLUS are offered under TLS only. `auth_required`: MAIL is
    530 5.7.0 before AUTH. `auth_without_tls`: else AUTH is offered under TLS only. `tls_required`: MAIL and AUTH
    are 530 5.7.0 before STARTTLS. `max_messages`: in one session, 0 for no limit. `max_errors` and `max_junk`
    (commands) are counted since the last message taken.
    """

    hostname: str
    starttls: bool = True
    tls_required: bool = False
    mechanisms: tuple[str, ...] = ()
    auth_required: bool = False
    auth_without_tls: bool = False
    max_size: int = 50 * 1024 * 1024
    max_recipients: int = 1000
    max_messages: int = 1000
    max_errors: int = 20
    max_junk: int = 100
    max_failed_log_ins: int = 3
    future_release: FutureRelease | None = None
    binarymime: bool = True

    @classmethod
    def submission(cls, hostname: str, **changes: Any) -> Self:
        """Port 587 (RFC 6409): AUTH before MAIL, TLS before AUTH."""
        settings: dict[str, Any] = {"starttls": True, "mechanisms": MECHANISMS, "auth_required": True}
        return cls(hostname, **settings | {"tls_required": True} | changes)

    @classmethod
    def implicit_tls(cls, hostname: str, **changes: Any) -> Self:
        """Port 465 (RFC 8314 3.3): `Session(settings, tls=True)`."""
        return cls.submission(hostname, **{"starttls": False} | changes)

    @classmethod
    def relay(cls, hostname: str, **changes: Any) -> Self:
        """Port 25: no AUTH; who may relay, the application decides at MAIL and RCPT."""
        return cls(hostname, **changes)
