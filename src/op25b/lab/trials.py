"""The claims tried in a running lab: by a real client on a real wire, and by the verdict; both must agree."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

from op25b.lab import clients, pop
from op25b.lab.addresses import Address
from op25b.lab.attempts import attempt
from op25b.lab.claims import Claim, Claims, Try
from op25b.lab.clients import Client, Login, Message, Tls, To
from op25b.lab.hosts import Lab
from op25b.lab.plan import Host
from op25b.lab.servers import HOME_DOMAIN, PASSWORD
from op25b.lab.stage import Edge, elsewhere, exempt, needs_home_server, pools
from op25b.lab.trial import Happened, Step, Trial, as_expected, fate_of, manner, told, when
from op25b.lab.wire import Kind, Outcome, Recording, classify
from op25b.policy.load import load
from op25b.policy.model import Policy
from op25b.policy.verdict import SMTP, Flow, Judge

_DELIVERY_SECONDS = 15.0
_ROTATION = (clients.swaks, clients.curl, clients.smtplib, clients.msmtp)


@dataclass(frozen=True)
class Made:
    """An attempt of which it is not known yet whether its mail arrived."""

    step: Step
    message: Message
    login: Login | None
    happened: Happened


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
        self._policies: dict[str, tuple[Policy, Judge]] = {}
        self._recordings: dict[str, Recording] = {}

    def left_out(self) -> set[str]:
        """Claims that cannot be shown in this lab, for want of a POP server."""
        wanting = [] if self.lab.read_by_pop else self.claims.of(self.lab.plan.provider)
        return {claim.id for claim in wanting if any(how.pop for how in claim.tries)}

    def steps(self) -> list[Step]:
        """All attempts of the provider's claims, those under one policy and instant together."""
        theirs = [claim for claim in self.claims.of(self.lab.plan.provider) if claim.id not in self.left_out()]
        found = [step for claim in theirs for step in self._steps(claim)]
        return sorted(found, key=self._stage)

    def run(self, progress: Callable[[], None]) -> list[Trial]:
        """Make every attempt; `progress` is called after each."""
        found: list[Trial] = []
        numbered = enumerate(self.steps())
        with ExitStack() as stack:
            for router in ("edge", "otherisp"):
                self._recordings[router] = stack.enter_context(self.lab.recording(router))
            for _, together in groupby(numbered, key=lambda each: self._stage(each[1])):
                made = []
                for number, step in together:
                    made.append(self._made(step, number))
                    progress()
                # mail that was handed in has had the time of the other attempts to arrive
                deadline = time.monotonic() + _DELIVERY_SECONDS
                found += [self._trial(each, deadline) for each in made]
        return found

    def _steps(self, claim: Claim) -> Iterator[Step]:
        for how in claim.tries:
            for who, host in self._from(how):
                # a home server relays by IPv4
                for version in (4,) if how.by == "home-server" else (4, 6):
                    src = host.address(version) if how.pop != "read-elsewhere" else host.another_address(version)
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
            home = next(server for server in plan.mail_servers if HOME_DOMAIN in server.domains)
            yield from ((address, home.name) for address in home.addresses if address.version == version)
        elif how.to == "own":
            own = [address for each in plan.services for address in each.addresses if address.version == version]
            yield from ((address, "foreign") for address in (own[:1] if how.by_name else own))
        else:
            address = plan.host({"own-web": "mail"}.get(how.to, how.to)).address(version)
            if address is not None:
                yield address, "foreign"

    def _stage(self, step: Step) -> tuple[str, datetime, str]:
        """The policy edit and the instant that are in force on the edge, and what is on the other provider's."""
        return step.how.edit or "", step.how.at or self.now, step.how.elsewhere

    def _made(self, step: Step, number: int) -> Made:
        """Make one attempt, under the policies that it is about."""
        how = step.how
        self.edge.apply(self.claims.edited(self.text, how.edit), how.at or self.now)
        if how.elsewhere == "blocked":
            self.other.apply(elsewhere(self.lab), how.at or self.now)
        else:
            self.other.withdraw()
        self._read_mail(step)
        message = self._message(step, f"{step.claim.id}.{number}.{secrets.token_hex(8)}")
        login = self._login(step, number)
        began = time.monotonic()
        if how.by == "home-server":
            happened = Happened("home-server", self._by_home_server(step, message), "", False, began, time.monotonic())
        else:
            client = self._client(step, message, number, login)
            tried = attempt(self.lab, step.host.name, client, self._recordings[self.lab.plan.router(step.host.name)])
            happened = Happened(tried.program, tried.outcome, tried.answer, False, began, time.monotonic())
        return Made(step, message, login, happened)

    def _trial(self, made: Made, deadline: float) -> Trial:
        """What came of it, looked up in the mailbox at last, and what `explain` says of it."""
        step, how = made.step, made.step.how
        policy, judge = self._judge(self.claims.edited(self.text, how.edit))
        verdict = judge.verdict(Flow(step.src, step.dst, how.port), how.at or self.now)
        said = f"{verdict.decision} {verdict.reason}"
        explained = said == how.expect and verdict.remedies[: len(how.remedies)] == how.remedies
        fate = fate_of(how)
        wanted = deadline - time.monotonic() if fate == "delivered" else 0.0
        arrived = self.lab.mailbox(step.mailbox).wait(made.message.token, wanted)
        delivered = arrived is not None and made.message.is_in(arrived)
        happened = replace(made.happened, delivered=delivered)
        server = self.lab.plan.accounts[step.host.name].server if how.by_name else how.to
        return Trial(
            step.claim.provider,
            step.claim.id,
            f"{step.who} IPv{step.src.version}",
            f"{happened.program} to {server}:{how.port}{manner(how, made.login)}{when(how)}",
            f"{fate}; {how.expect}",
            f"{told(happened, 'the other provider' if step.who == 'offnet' else 'the edge')}; {said}",
            happened.outcome.milliseconds if happened.outcome.refused else None,
            explained and as_expected(fate, happened, policy.filter.refuse),
            how,
            happened,
        )

    def _read_mail(self, step: Step) -> None:
        """Let the sender do by POP what the try wants to have been done before."""
        match step.how.pop:
            case "just-read":
                pop.read_mail(self.lab, step.host.name, str(step.src))
            case "read-elsewhere":
                self.lab.add_address(step.host.name, str(step.src))
                pop.read_mail(self.lab, step.host.name, str(step.host.address(step.src.version)))
            case "not-lately":
                pop.put_forward(self.lab, self.policy.submission.pop_minutes)

    def _judge(self, text: str) -> tuple[Policy, Judge]:
        if text not in self._policies:
            policy = load(text).policy
            assert policy is not None  # the edge has accepted it
            self._policies[text] = policy, Judge(policy)
        return self._policies[text]

    def _login(self, step: Step, number: int) -> Login | None:
        """What the mail program says in AUTH: on submission always, unless the try is about something else."""
        how = step.how
        if not how.submits or how.auth == "none":
            return None
        account = self.lab.plan.accounts[step.host.name]
        if how.auth == "wrong-password":
            return Login(account.name, "wrong")
        # whoever does not care uses each in turn
        return Login(account.name, PASSWORD, (how.auth or ("plain", "login")[number % 2]).upper())

    def _message(self, step: Step, token: str) -> Message:
        how = step.how
        if step.mailbox != "foreign":
            return Message(token, recipient=f"owner@{HOME_DOMAIN}")
        if how.by == "home-server":
            return Message(token, f"via{how.port}@{HOME_DOMAIN}" if how.to == "own" else f"owner@{HOME_DOMAIN}")
        if how.submits or how.pop:
            return Message(token, self.lab.plan.accounts[step.host.name].name)
        return Message(token)

    def _client(self, step: Step, message: Message, number: int, login: Login | None) -> Client:
        address, source, how = str(step.dst), str(step.src), step.how
        if how.by == "connect":
            return clients.connect(address, how.port, source)
        if how.by == "webmail":
            return clients.webmail(message, address, source)
        if how.by_name:
            address = self.lab.plan.accounts[step.host.name].server
        tls = None if how.tls else Tls.NONE
        by_name = {make.__name__: make for make in _ROTATION}
        # whoever does not care which mail program it is gets each of them in turn
        make = by_name.get(how.by or "", _ROTATION[number % len(_ROTATION)])
        return make(message, To(address, how.port, self.lab.authority, source, tls, login))

    def _by_home_server(self, step: Step, message: Message) -> Outcome:
        """Hand mail to the customer's own server, and watch it try to deliver."""
        client = clients.swaks(message, To(str(step.src), SMTP, self.lab.authority))
        recording = self._recordings["edge"]
        recording.restart()
        self.lab.run(step.host.name, client.command, input=client.input)
        deadline = time.monotonic() + _DELIVERY_SECONDS
        while True:
            outcome = classify(recording.read(), step.how.port, source=step.src)
            if outcome.kind is not Kind.NONE or time.monotonic() > deadline:
                return outcome
            time.sleep(0.02)
