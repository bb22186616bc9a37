"""What happens to a customer between two attempts: the provider's desk (`op25b exempt`) notes, grants and revokes an
exemption, and addresses change; and how soon the filter knows, on the wire."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from secrets import token_hex
from typing import Any

from op25b.errors import UserError
from op25b.lab import knocking, network, router
from op25b.lab.addresses import Address
from op25b.lab.hosts import Lab
from op25b.lab.leases import Lease, Status
from op25b.lab.plan import Host
from op25b.lab.servers import HOME_DOMAIN
from op25b.lab.service import STORE
from op25b.lab.wire import Recording, first_datagram, settled
from op25b.policy.verdict import SMTP

_SETTLED_SECONDS = 5.0
_POLL_SECONDS = 0.02

Followed = dict[int, float]
"""Milliseconds from an event until the filter treated every packet accordingly, of IPv4 and of IPv6."""


@dataclass
class Desk:
    """`edge`: what is recorded at the edge."""

    lab: Lab
    edge: Recording
    _numbers: dict[str, int] = field(default_factory=dict, init=False)
    """Of the exemption of a host's subscriber."""
    _moved: dict[str, tuple[Lease, tuple[Address, ...]]] = field(default_factory=dict, init=False)
    """The session of a host that has moved, and where it is now."""

    def happen(self, what: str, host: Host, home: tuple[Address, ...]) -> Followed:
        """`home`: where the host is from then on. Raises UserError if a command does not do what it is told."""
        return {"request": self._request, "grant": self._grant, "move": self._move, "revoke": self._revoke}[what](
            host, home
        )

    def _request(self, host: Host, _: Sequence[Address]) -> Followed:
        """With all that a provider's page asks for: an own domain, addresses of the provider's, the fee accepted."""
        asked = [
            "--subscriber", self.lab.plan.who(host.name), "--domain", HOME_DOMAIN, "--fee-accepted",
            "--reason", "a mail server of its own that knows no submission",
        ]  # fmt: skip
        number = self._exempt("request", *asked)["id"]
        self._numbers[host.name] = number
        self._exempt("review", str(number))
        return {}

    def _grant(self, host: Host, home: Sequence[Address]) -> Followed:
        return self._measured(
            home, True, lambda: _at(self._exempt("approve", str(self._numbers[host.name]))["granted_at"])
        )

    def _revoke(self, host: Host, home: Sequence[Address]) -> Followed:
        revoke = ("revoke", str(self._numbers[host.name]), "--why", "not needed any more")
        return self._measured(home, False, lambda: _at(self._exempt(*revoke)["changed_at"]))

    def _move(self, host: Host, home: Sequence[Address]) -> Followed:
        """As an access server does it: the session ends, the line gets other addresses, a session begins."""
        plan = self.lab.plan
        old, before = self._moved.get(host.name) or (plan.lease(host.name, host.name, host.addresses), host.addresses)
        new = plan.lease(host.name, token_hex(8), home)
        router.report(self.lab, [(Status.STOP, old)])
        at_router, at_host = network.moving(plan, host, before, home)
        self.lab.change(plan.router(host.name), at_router)
        self.lab.change(host.name, at_host)
        self._moved[host.name] = new, tuple(home)

        def start() -> float:
            router.report(self.lab, [(Status.START, new)])
            return first_datagram(self.edge.read(), router.ACCOUNTING) or 0.0

        return self._measured(home, True, start)

    def undo(self) -> None:
        """Whoever moved is where he was, as if nothing had been."""
        plan = self.lab.plan
        for name, (lease, home) in self._moved.items():
            host = plan.host(name)
            router.report(self.lab, [(Status.STOP, lease)])
            at_router, at_host = network.moving(plan, host, home, host.addresses)
            self.lab.change(plan.router(name), at_router)
            self.lab.change(name, at_host)
            router.report(self.lab, [(Status.START, plan.lease(name, name, host.addresses))])
        self._moved.clear()

    def inherit(self, heir: Host, addresses: Sequence[Address]) -> None:
        """The usual customer of a pool gets what another one gave up."""
        for address in addresses:
            self.lab.add_address(heir.name, str(address))
        lease = self.lab.plan.lease(heir.name, token_hex(8), addresses)
        router.report(self.lab, [(Status.START, lease)])

    def _measured(self, home: Sequence[Address], passes: bool, event: Callable[[], float]) -> Followed:
        """While the customer keeps trying, let something happen of which the time is known then (seconds since the
        epoch)."""
        pairs = [(source, self.lab.plan.host("crowd").address(source.version)) for source in home]
        known = [(source, target) for source, target in pairs if target is not None]
        probe = [sys.executable, "-I", "-S", knocking.__file__, "probe", str(SMTP)]
        arguments = [str(each) for pair in known for each in pair]
        host = next(host for host in self.lab.plan.hosts if tuple(home) in (host.addresses, *host.later))
        self.edge.restart()
        with self.lab.beside(host.name, [*probe, *arguments]):
            at = event()
            deadline = time.monotonic() + _SETTLED_SECONDS
            found: Followed = {}
            while len(found) < len(known) and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
                seen = self.edge.read()
                since = {each: settled(seen, SMTP, target, each, passes) for each, target in known}
                found = {each.version: (t - at) * 1000 for each, t in since.items() if t is not None}
        return found

    def _exempt(self, *arguments: str) -> Any:
        command = [sys.executable, "-m", "op25b", "exempt", arguments[0], *arguments[1:]]
        command += ["--policy", router.POLICY, "--store", STORE, "--by", "lab", "--json"]
        done = self.lab.run("edge", command)
        if done.returncode:
            raise UserError(f"op25b exempt {arguments[0]}: {done.stdout.strip()}")
        return json.loads(done.stdout)


def _at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
