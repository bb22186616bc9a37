"""The claims tried in a running lab: by a real client on a real wire, and by the verdict; both must agree."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address

from op25b.lab import clients
from op25b.lab.addresses import Address
from op25b.lab.attempts import attempt
from op25b.lab.claims import Claim, Claims, Try
from op25b.lab.clients import Client, Message
from op25b.lab.hosts import Lab
from op25b.lab.plan import HOME_DOMAIN, Host
from op25b.lab.stage import Edge, elsewhere, exempt, needs_home_server, pools
from op25b.lab.wire import Kind, Outcome, classify
from op25b.policy.load import load
from op25b.policy.model import Policy, Refuse
from op25b.policy.reasons import Decision
from op25b.policy.verdict import SMTP, Flow, Judge

AT_ONCE_MS = 1000.0
"""A refusal that takes longer is not quick: the person is left waiting."""
_DELIVERY_SECONDS = 15.0
_ROTATION = (clients.swaks, clients.curl, clients.smtplib)
_REFUSALS = {Refuse.TCP_RESET: Kind.RESET, Refuse.ICMP: Kind.PROHIBITED, Refuse.DROP: Kind.SILENT}


@dataclass(frozen=True)
class Trial:
    """One attempt and what came of it. `milliseconds`: from the SYN to the refusal, None when there was none."""

    claim: str
    who: str
    tried: str
    expected: str
    observed: str
    milliseconds: float | None
    ok: bool


@dataclass(frozen=True)
class Step:
    """One attempt to make: a try of a claim, from one host, to one address."""

    claim: Claim
    how: Try
    who: str
    host: Host
    src: Address
    dst: Address
    mailbox: str


@dataclass
class Trials:
    """The provider's lab with its policy file; `now` is the instant for tries that name none."""

    lab: Lab
    text: str
    policy: Policy
    claims: Claims
    now: datetime

    def __post_init__(self) -> None:
        self.edge = Edge(self.lab, "edge")
        self.other = Edge(self.lab, "otherisp")

    def steps(self) -> list[Step]:
        """All attempts of the provider's claims, those under one policy and instant together."""
        found = [step for claim in self.claims.of(self.lab.plan.provider) for step in self._steps(claim)]
        return sorted(found, key=lambda step: (step.how.edit or "", step.how.at or self.now, step.how.elsewhere))

    def run(self, progress: Callable[[Trial], None]) -> list[Trial]:
        """Make every attempt; `progress` hears of each when it is done."""
        done = []
        for number, step in enumerate(self.steps()):
            trial = self._trial(step, number)
            progress(trial)
            done.append(trial)
        return done

    def _steps(self, claim: Claim) -> Iterator[Step]:
        for how in claim.tries:
            for who, host in self._from(how):
                for version in (4, 6):
                    src = host.address(version)
                    if src is None:
                        continue
                    for dst, mailbox in self._to(how, version):
                        yield Step(claim, how, who, host, src, dst, mailbox)

    def _from(self, how: Try) -> Iterator[tuple[str, Host]]:
        plan = self.lab.plan
        if how.who in ("offnet", "foreign"):
            yield str(how.who), plan.host(str(how.who))
        elif how.who == "exempt":
            for exemption in exempt(self.policy):
                yield f"exempt {exemption.name}", plan.subscriber(f"exempt-{exemption.name}")
        else:
            found = pools(self.policy, how)
            for pool in found[:1] if needs_home_server(how) else found:
                yield pool.name, plan.subscriber(pool.name)

    def _to(self, how: Try, version: int) -> Iterator[tuple[Address, str]]:
        """Addresses to try, and the mailbox in which the mail has to be found."""
        plan = self.lab.plan
        if how.to == "home":
            home = next(server for server in plan.mail_servers if server.domain == HOME_DOMAIN)
            yield from ((address, home.name) for address in home.addresses if address.version == version)
        elif how.to == "own":
            own = [address for server in self.policy.own_servers for address in server.addresses]
            yield from ((address, "foreign") for address in own if address.version == version)
        else:
            address = plan.host({"own-web": "mail"}.get(how.to, how.to)).address(version)
            if address is not None and not (how.by == "home-server" and version == 6):
                # a home server relays to one address of the foreign server, and that is an IPv4 one
                yield address, "foreign"

    def _trial(self, step: Step, number: int) -> Trial:
        how = step.how
        at = how.at or self.now
        text = self.claims.edited(self.text, how.edit)
        self.edge.apply(text, at)
        if how.elsewhere == "blocked":
            self.other.apply(elsewhere(self.lab), at)
        else:
            self.other.withdraw()
        program, outcome, delivered = self._attempt(step, number)
        policy = load(text).policy
        assert policy is not None  # the edge has just accepted it
        verdict = Judge(policy).verdict(Flow(step.src, step.dst, how.port), at)
        said = f"{verdict.decision} {verdict.reason}"
        explained = said == how.expect and verdict.remedies[: len(how.remedies)] == how.remedies
        fate = self._fate(how, policy)
        happened = _happened(outcome, delivered, "the other provider" if step.who == "offnet" else "the edge")
        return Trial(
            step.claim.id,
            f"{step.who} IPv{step.src.version}",
            f"{program} to {how.to}:{how.port}" + _when(how),
            f"{fate}; {how.expect}",
            f"{happened}; {said}",
            outcome.milliseconds if outcome.refused else None,
            explained and as_expected(fate, outcome, delivered, policy.filter.refuse),
        )

    def _fate(self, how: Try, policy: Policy) -> str:
        if how.elsewhere == "blocked" and how.port == SMTP:
            return "refused by the other provider"
        if how.decision is Decision.BLOCK:
            return "refused"
        return "connected" if how.by == "connect" else "delivered"

    def _attempt(self, step: Step, number: int) -> tuple[str, Outcome, bool]:
        """Make the attempt: the client, what was seen on the wire, and whether the mail has arrived."""
        message = Message(f"{step.claim.id}.{number}.{secrets.token_hex(8)}")
        if step.mailbox != "foreign":
            message = Message(message.token, recipient=f"owner@{HOME_DOMAIN}")
        if step.how.by == "home-server":
            outcome = self._by_home_server(step, message)
            program = "home-server"
        else:
            client = self._client(step, message, number)
            tried = attempt(self.lab, step.host.name, client)
            program, outcome = tried.program, tried.outcome
        wanted = 0.0 if outcome.refused or step.how.by == "connect" else _DELIVERY_SECONDS
        return program, outcome, self.lab.mailbox(step.mailbox).wait(message.token, wanted) is not None

    def _client(self, step: Step, message: Message, number: int) -> Client:
        address, source, port = str(step.dst), str(step.src), step.how.port
        if step.how.by == "connect":
            return clients.connect(address, port, source)
        if step.how.by == "webmail":
            return clients.webmail(message, address, source)
        by_name = {make.__name__: make for make in _ROTATION}
        # whoever does not care which mail program it is gets each of them in turn
        make = by_name.get(step.how.by or "", _ROTATION[number % len(_ROTATION)])
        return make(message, address, port, self.lab.authority, source)

    def _by_home_server(self, step: Step, message: Message) -> Outcome:
        """Hand mail to the customer's own server, and watch it try to deliver."""
        client = clients.swaks(message, str(step.src), SMTP, self.lab.authority)
        with self.lab.recording("edge") as recording:
            self.lab.run(step.host.name, client.command, input=client.input)
            deadline = time.monotonic() + _DELIVERY_SECONDS
            while True:
                outcome = classify(recording.read(), SMTP, ip_address(str(step.dst)))
                if outcome.kind is not Kind.NONE or time.monotonic() > deadline:
                    return outcome
                time.sleep(0.02)


def _when(how: Try) -> str:
    edit = f", {how.edit}" if how.edit else ""
    return edit + (f", at {how.at.isoformat()}" if how.at else "")


def _happened(outcome: Outcome, delivered: bool, router: str) -> str:
    if outcome.kind is Kind.CONNECTED:
        return "delivered" if delivered else "connected"
    where = "" if not outcome.refused else f" by {router}" if outcome.here else f" by someone beyond {router}"
    return f"{outcome.kind}{where}"


def as_expected(fate: str, outcome: Outcome, delivered: bool, refuse: Refuse) -> bool:
    """Whether the wire shows the fate: a refusal is made by the edge itself, at once, in the way the policy asks."""
    if fate == "delivered":
        return outcome.kind is Kind.CONNECTED and delivered
    if fate == "connected":
        return outcome.kind is Kind.CONNECTED
    silent = refuse is Refuse.DROP
    quick = silent or (outcome.here and (outcome.milliseconds or 0.0) < AT_ONCE_MS)
    return outcome.kind is _REFUSALS[refuse] and quick and not outcome.forwarded and not delivered
