"""The verdict on one flow at one instant: what happens to it, which rule decided, why, and what to do.

`Judge` is the policy prepared for many questions; its `decide` is the only place where a decision about TCP to
port 25 is made. The batch (`op25b.policy.batch`) finds the places of many addresses at once and asks the same
`decide`, so the two cannot differ in anything but the search.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from op25b.policy import places, scope
from op25b.policy.intervals import Address
from op25b.policy.model import Phase, Policy
from op25b.policy.places import Place
from op25b.policy.reasons import Decision, Reason, Remedy

TCP = 6
SMTP = 25
SUBMISSION = (465, 587)


@dataclass(frozen=True)
class Flow:
    """The head of a packet that opens a connection. `sport` None: not known, taken as any other than 25."""

    src: Address
    dst: Address
    dport: int = SMTP
    sport: int | None = None
    proto: int = TCP

    def __post_init__(self) -> None:
        if self.src.version != self.dst.version:
            raise ValueError(f"{self.src} and {self.dst} are of different families; a flow has one")


class Outcome(NamedTuple):
    """What a batch gives for each flow. `rule` is `KIND/NAME`: phase, exemption, own-server, or built-in."""

    decision: Decision
    reason: Reason
    rule: str


@dataclass(frozen=True)
class Verdict:
    """The answer to one question. `pool`: the source's pool, if it has one. `remedies`: in the order to try them."""

    decision: Decision
    reason: Reason
    rule: str
    pool: str | None
    remedies: tuple[Remedy, ...]


def built_in(reason: Reason) -> Outcome:
    """A pass that follows from what the system is, not from anything in the policy."""
    return Outcome(Decision.PASS, reason, f"built-in/{reason}")


_DECISION = {Reason.COVERED: Decision.BLOCK, Reason.MONITORED: Decision.MONITORED}


class Judge:
    """A policy ready to answer. Holds no clock: every question brings its instant."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.sources = places.sources(policy)
        self.destinations = places.destinations(policy)
        self.phases_of: list[tuple[Phase, ...]] = [
            tuple(phase for phase in policy.phases if scope.first_miss(phase.scope, pool) is None)
            for pool in policy.pools
        ]

    def decide(self, source: Place, destination: Place, at: datetime) -> Outcome:
        """The outcome for TCP to port 25 between two places (order: `op25b.policy.reasons.ORDER`)."""
        servers = self.policy.own_servers
        if source.server >= 0:
            return Outcome(Decision.PASS, Reason.OWN_SERVER, f"own-server/{servers[source.server].name}")
        if source.pool < 0:
            to_customer = destination.pool >= 0 and destination.server < 0
            return built_in(Reason.INBOUND if to_customer else Reason.NOT_A_CUSTOMER)
        if destination.server >= 0 and SMTP in servers[destination.server].ports:
            return Outcome(Decision.PASS, Reason.OWN_SERVER, f"own-server/{servers[destination.server].name}")
        phases = self.phases_of[source.pool]
        if not phases:
            missed, phase = scope.nearest_miss(self.policy.phases, self.policy.pools[source.pool])
            return Outcome(Decision.PASS, missed, f"phase/{phase.name}") if phase else built_in(missed)
        exemption = self._exemption(source, destination, at)
        if exemption is not None:
            return Outcome(Decision.PASS, Reason.EXEMPT, f"exemption/{exemption}")
        reason, deciding = scope.strongest(phases, at)
        return Outcome(_DECISION.get(reason, Decision.PASS), reason, f"phase/{deciding.name}")

    def _exemption(self, source: Place, destination: Place, at: datetime) -> str | None:
        """Name of the first exemption in the file that holds for this pair at this instant."""
        for number in sorted({*source.exemptions, *destination.exemptions}):
            exemption = self.policy.exemptions[number]
            if (
                (not exemption.prefixes or number in source.exemptions)
                and (not exemption.destinations or number in destination.exemptions)
                and scope.in_force(exemption, at)
            ):
                return exemption.name
        return None

    def outcome(self, flow: Flow, at: datetime) -> Outcome:
        """The outcome for any flow: the port test, then `decide`."""
        source = self.sources.of(flow.src)
        if flow.proto == TCP and flow.dport == SMTP:
            return self.decide(source, self.destinations.of(flow.dst), at)
        answers = flow.proto == TCP and flow.sport == SMTP and source.pool >= 0
        return built_in(Reason.INBOUND if answers else Reason.NOT_PORT_25)

    def verdict(self, flow: Flow, at: datetime) -> Verdict:
        """The outcome with the source's pool and the remedies."""
        source, destination = self.sources.of(flow.src), self.destinations.of(flow.dst)
        return self._advised(self.outcome(flow, at), source, destination, flow.dport)

    def between(self, source: Place, destination: Place, dport: int, at: datetime) -> Verdict:
        """The verdict on TCP between two places, for who knows the line or the server but no address."""
        outcome = self.decide(source, destination, at) if dport == SMTP else built_in(Reason.NOT_PORT_25)
        return self._advised(outcome, source, destination, dport)

    def _advised(self, outcome: Outcome, source: Place, destination: Place, dport: int) -> Verdict:
        pool = self.policy.pools[source.pool].name if source.pool >= 0 else None
        return Verdict(*outcome, pool, remedies(self.policy, outcome.reason, dport, destination.server >= 0))


def verdict(policy: Policy, flow: Flow, at: datetime) -> Verdict:
    """The verdict on one flow at one instant. For many questions make one `Judge`.

    `at` must carry an offset; a naive one raises TypeError when it is compared with the policy's instants.
    """
    return Judge(policy).verdict(flow, at)


def remedies(policy: Policy, reason: Reason, dport: int, to_own_server: bool) -> tuple[Remedy, ...]:
    """What to do about a reason, in the order to try it (claims L6, L9, L10, S5, I5, I11, N4)."""
    own = any(port in server.ports for server in policy.own_servers for port in SUBMISSION)
    found: list[Remedy] = []
    if reason is Reason.NOT_A_CUSTOMER:
        found = [Remedy.ASK_THAT_PROVIDER, *([Remedy.USE_OWN_SUBMISSION] if own else [])]
    elif reason is Reason.NOT_PORT_25 and dport in SUBMISSION:
        # nothing here closes these ports, so whoever cannot get through looks nearer home
        found = [Remedy.ASK_NETWORK_ADMINISTRATOR, Remedy.CONTACT_SUPPORT]
    elif reason in (Reason.COVERED, Reason.MONITORED, Reason.ANNOUNCED, Reason.NOT_YET):
        if own:
            found.append(Remedy.USE_OWN_SUBMISSION)
        if not to_own_server:
            found += [Remedy.USE_OTHER_SUBMISSION, Remedy.ASK_THEIR_OPERATOR]
            if policy.home_servers == "smart-host":
                found.append(Remedy.USE_SMART_HOST)
            found.append(Remedy.USE_WEBMAIL)
        if policy.exemption_terms.offered:
            found.append(Remedy.REQUEST_EXEMPTION)
        found.append(Remedy.CONTACT_SUPPORT)
    return tuple(found)
