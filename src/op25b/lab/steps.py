"""Pure: the claims of a provider as attempts to make, in their order: who from which address to which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from op25b.lab.addresses import Address
from op25b.lab.claims import Claim, Claims, Try
from op25b.lab.plan import Host, LabPlan
from op25b.lab.servers import HOME_DOMAIN
from op25b.lab.stage import exempt, needs_home_server, pools
from op25b.lab.trial import Step
from op25b.policy.model import Policy

Stage = tuple[bool, str, datetime, str]
"""Nobody watches; the policy edit and the instant that are in force on the edge; what is on the other provider's. The
watch comes first: what other attempts come to is none of its business."""


@dataclass
class Steps:
    """`now` is the instant for tries that name none."""

    plan: LabPlan
    policy: Policy
    now: datetime
    _moves: Counter[str] = field(default_factory=Counter, init=False)
    """How often each further customer has moved."""

    def of(self, claims: Claims, left_out: Collection[str], watched: bool) -> list[Step]:
        """All attempts, those of one stage together; of the ones that the watch is to see only where it can."""
        self._moves.clear()
        theirs = [claim for claim in claims.of(self.plan.provider) if claim.id not in left_out]
        tries = [(claim, how) for claim in theirs for how in claim.tries if watched or how.seen is None]
        found = [step for claim, how in tries for step in self._of(claim, how)]
        return sorted(found, key=self.stage)

    def stage(self, step: Step) -> Stage:
        return step.how.seen is None, step.how.edit or "", step.how.at or self.now, step.how.elsewhere

    def _of(self, claim: Claim, how: Try) -> Iterator[Step]:
        self._moves[how.customer or ""] += how.first == "move"
        for who, host in self._from(how):
            home = self._home(how, host)
            # a home server relays by IPv4
            for version in (4,) if how.by == "home-server" else (4, 6):
                src = next((a for a in home if a.version == version), None)
                if how.pop == "read-elsewhere":
                    src = host.another_address(version)
                if src is None:
                    continue
                for dst, mailbox in self._to(how, version):
                    yield Step(claim, how, who, host, src, dst, mailbox, home)

    def _home(self, how: Try, host: Host) -> tuple[Address, ...]:
        """The addresses from which it is tried."""
        if how.heir_of:
            of = self.plan.subscriber(how.heir_of)
            return (of.addresses, *of.later)[self._moves[how.heir_of] - 1]
        return (host.addresses, *host.later)[self._moves[how.customer or ""]] if how.customer else host.addresses

    def _from(self, how: Try) -> Iterator[tuple[str, Host]]:
        plan = self.plan
        if how.who in ("offnet", "foreign"):
            yield str(how.who), plan.host(str(how.who))
        elif how.who == "exempt":
            for exemption in exempt(self.policy):
                yield f"exempt {exemption.name}", plan.subscriber(f"exempt-{exemption.name}")
        elif how.customer:
            yield how.customer, plan.subscriber(how.customer)
        else:
            found = pools(self.policy, how)
            for pool in found[:1] if needs_home_server(how) or how.heir_of else found:
                yield pool.name, plan.subscriber(pool.name)

    def _to(self, how: Try, version: int) -> Iterator[tuple[Address, str]]:
        """Addresses to try, and the mailbox in which the mail has to be found."""
        plan = self.plan
        if how.to == "home":
            home = next(server for server in plan.mail_servers if HOME_DOMAIN in server.domains)
            yield from ((address, home.name) for address in home.addresses if address.version == version)
        elif how.to == "own":
            own = [address for each in plan.services for address in each.addresses if address.version == version]
            yield from ((address, "foreign") for address in (own[:1] if how.by_name else own))
        else:
            address = plan.host({"own-web": "mail"}.get(how.to, how.to)).address(version)
            if address is not None:
                yield address, "foreign"
