"""What all connections of one worker share."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from structlog.typing import FilteringBoundLogger

from op25b.policy.intervals import Address
from op25b.policy.model import Policy
from op25b.processes.board import Board, Meters
from op25b.submission.config import Caps, Config, Listen, local_domains
from op25b.submission.driver.ledger import View
from op25b.submission.driver.limits import Limits
from op25b.submission.driver.mailboxes import Mailboxes
from op25b.submission.driver.metrics import Metric
from op25b.submission.driver.rights import RecentPop, Relaying
from op25b.submission.driver.tls import Certificates, KeyPair
from op25b.submission.protocol import FutureRelease, Reply, Settings
from op25b.submission.sasl import MECHANISMS
from op25b.submission.spool import Entry, Spool
from op25b.subscribers.async_login import AsyncLogins

if TYPE_CHECKING:
    from op25b.submission.driver.connection import Connection

Wall = Callable[[], datetime]
HOLD_FOR = timedelta(days=7)
"""FUTURERELEASE (RFC 4865): how far ahead a message may be handed in."""
EXPLAINED = 10
"""Handshakes a second with clients that are not served: about a hundredth of what a processor can do."""


@dataclass(frozen=True)
class Terms:
    """What a reload changes: the configuration and the policy, made ready."""

    hostname: str
    hide_customers: bool
    caps: Caps
    certificates: Certificates
    relaying: Relaying
    _settings: dict[Listen, Settings]

    @classmethod
    def of(cls, config: Config, policy: Policy, recent_pop: RecentPop, wall: Wall) -> Terms:
        """Raises UserError for certificates that cannot serve."""
        submission = config.submission
        return cls(
            submission.hostname,
            submission.hide_customers,
            submission.limits,
            certificates(config),
            who_relays(config, policy, recent_pop),
            {listen: _settings(listen, config, wall) for listen in submission.listen},
        )

    def settings(self, listen: Listen) -> Settings:
        """What the protocol offers there. A listener that the new configuration no longer has keeps its kind."""
        return self._settings[listen]


def who_relays(config: Config, policy: Policy, recent_pop: RecentPop) -> Relaying:
    """Who relays without AUTH."""
    server = next(each for each in policy.own_servers if each.name == config.submission.server)
    not_from = config.pop.not_from if config.pop else ()
    return Relaying(policy, server, local_domains(config, policy), recent_pop, not_from)


def certificates(config: Config) -> Certificates:
    """Raises UserError for files that cannot serve."""
    return Certificates([KeyPair(each.certificate, each.key) for each in config.submission.certificates])


def offered(config: Config) -> tuple[str, ...]:
    """The SASL mechanisms, strongest first."""
    scram = config.submission.scram and not config.accounts.dovecot  # Dovecot's keys cannot be had
    return tuple(name for name in MECHANISMS if scram or not name.startswith("SCRAM"))


def _settings(listen: Listen, config: Config, wall: Wall) -> Settings:
    submission, caps = config.submission, config.submission.limits
    bounds = {"max_size": caps.size, "max_recipients": caps.recipients, "binarymime": submission.binarymime}
    if listen.role == "relay":
        return Settings.relay(submission.hostname, **bounds)
    without_tls = submission.auth_without_tls
    kind = Settings.implicit_tls if listen.tls == "implicit" else Settings.submission
    return kind(
        submission.hostname,
        future_release=FutureRelease(HOLD_FOR, wall),
        auth_without_tls=without_tls,
        tls_required=not without_tls,
        mechanisms=offered(config),
        **bounds,
    )


class Service:
    """One worker's. `now`: monotonic seconds, the same clock in all workers; `wall`: the time of day, with its zone."""

    def __init__(
        self,
        terms: Terms,
        view: View,
        board: Board,
        meters: Meters,
        spool: Spool,
        logins: AsyncLogins,
        mailboxes: Mailboxes,
        log: FilteringBoundLogger,
        now: Callable[[], float],
        wall: Wall,
    ) -> None:
        self.terms, self.spool, self.logins, self.mailboxes, self.log = terms, spool, logins, mailboxes, log
        self.limits = Limits(terms.caps, view, now)
        self.meters, self.now, self.wall = meters, now, wall
        self.connections: set[Connection] = set()
        self.stopping = False
        self.receiving = 0
        """Octets in memory of messages that are not whole yet."""
        self._view, self._board = view, board
        self._committing = 0
        self._explaining = 0, 0
        self._was_behind = False

    def reload(self, terms: Terms) -> None:
        """For connections that come from now on; caps on accounts and addresses at once."""
        self.terms = terms
        self.limits = Limits(terms.caps, self._view, self.now)

    def nonce(self) -> bytes:
        """For SCRAM."""
        return secrets.token_urlsafe(18).encode()

    def opened(self, connection: Connection) -> None:
        self.connections.add(connection)
        self.meters.add(Metric.CONNECTIONS)
        self.meters.set(Metric.OPEN_CONNECTIONS, len(self.connections))

    def closed(self, connection: Connection) -> None:
        self.connections.discard(connection)
        self.meters.set(Metric.OPEN_CONNECTIONS, len(self.connections))

    def may_explain(self) -> bool:
        """Whether one more client that is not served gets a TLS handshake, to be told why."""
        second = int(self.now())
        if second != self._explaining[0]:
            self._explaining = second, 0
        self._explaining = second, self._explaining[1] + 1
        return self._explaining[1] <= EXPLAINED

    def crowded(self) -> bool:
        """All places of the service are taken."""
        return self._board.total(Metric.OPEN_CONNECTIONS) > self.terms.caps.connections

    def pressed(self) -> bool:
        """Four fifths of the places are taken: who does nothing must go."""
        return self._board.total(Metric.OPEN_CONNECTIONS) * 5 > self.terms.caps.connections * 4

    def full(self) -> bool:
        """No further message may begin."""
        return self.receiving > self.terms.caps.memory

    def behind(self) -> bool:
        """The spool has not kept up: read no more of any message."""
        return self._committing > self.terms.caps.memory // 2

    def committing(self, octets: int) -> None:
        """So many octets more (or less) are on their way to the disk."""
        self._committing += octets
        self.meters.set(Metric.COMMITTING_OCTETS, self._committing)
        if self._was_behind != (is_behind := self.behind()):
            self._was_behind = is_behind
            if not is_behind:
                for connection in self.connections:
                    connection.go_on()

    def capped(self, reply: Reply, address: Address, account: str | None) -> None:
        """A cap was reached."""
        self.meters.add(Metric.CAPS_REACHED)
        self.log.info("cap reached", address=str(address), account=account, reply=f"{reply.code} {reply.text}")

    def took(self, entry: Entry, began: float) -> None:
        """A message is on the disk. The log line is what leads from its queue id back to account and address."""
        envelope, meters = entry.envelope, self.meters
        meters.add(Metric.MESSAGES)
        meters.add(Metric.MESSAGE_OCTETS, entry.size)
        meters.add(Metric.RECIPIENTS, len(envelope.recipients))
        meters.add(Metric.COMMIT_MICROSECONDS, int((self.now() - began) * 1e6))
        origin = envelope.origin
        facts = {
            "id": entry.queue_id,
            "address": origin.address,
            "account": origin.account,
            "sender": envelope.sender,
            "recipients": len(envelope.recipients),
            "size": entry.size,
            "protocol": origin.protocol,
        }
        self.log.info("message taken", **facts)
        if envelope.held is not None:
            meters.add(Metric.MESSAGES_HELD)
            self.log.warning("message held", id=entry.queue_id, account=origin.account, reason=envelope.held)
