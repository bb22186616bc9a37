"""The claims tried in a running lab: by a real client on a real wire, and by the verdict; both must agree."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

from op25b.lab import clients, looks, pop, sending
from op25b.lab.attempts import attempt
from op25b.lab.claims import Claims
from op25b.lab.clients import Login, Message, To
from op25b.lab.desk import Desk, Followed
from op25b.lab.hosts import Lab
from op25b.lab.looks import NOBODY, Case, Said
from op25b.lab.stage import Edge, elsewhere
from op25b.lab.steps import Steps
from op25b.lab.trial import FOLLOWED_MS, Happened, Sent, Step, as_expected, fate_of, manner, told, when
from op25b.lab.wire import ONE, Kind, Outcome, Recording, classify, spread
from op25b.policy.load import load
from op25b.policy.model import Policy
from op25b.policy.verdict import SMTP, Flow, Judge

_DELIVERY_SECONDS = 15.0


@dataclass(frozen=True)
class Made:
    """An attempt of which it is not known yet whether its mail arrived. `said`: the verdicts that were asked for at
    that moment, where the store has a say in them, and which of them is meant."""

    step: Step
    message: Message
    login: Login | None
    happened: Happened
    said: tuple[Future[list[Said]], int] | None = None


@dataclass(frozen=True)
class Looked:
    """What the edge's own commands told after the attempts of a stage. `counted`: packets by rule meanwhile; `due`:
    the attempts that they must have; `cases`: by subscriber; `wanted`: the kinds that must be there, and no other."""

    counted: Mapping[str, int]
    due: Mapping[str, int]
    cases: Mapping[str, Case]
    wanted: Mapping[str, str]


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
        self._order = Steps(self.lab.plan, self.policy, self.now)
        self._policies: dict[str, tuple[Policy, Judge]] = {}
        self._recordings: dict[str, Recording] = {}
        self._followed: Followed = {}
        self._asked: Future[list[Said]] | None = None

    def left_out(self) -> set[str]:
        """Claims that cannot be shown in this lab, for want of a POP server."""
        wanting = [] if self.lab.read_by_pop else self.claims.of(self.lab.plan.provider)
        return {claim.id for claim in wanting if any(how.pop for how in claim.tries)}

    def steps(self) -> list[Step]:
        """All attempts of the provider's claims, those under one policy and instant together."""
        # what goes round the system's bound on a socket's memory, the log of packets included, wants root
        return self._order.of(self.claims, self.left_out(), watched=self.lab.mail_program == "postfix")

    def run(self, progress: Callable[[], None]) -> list[Sent]:
        """Make every attempt; `progress` is called after each."""
        found: list[Sent] = []
        numbered = enumerate(self.steps())
        with ExitStack() as stack:
            for router in ("edge", "otherisp"):
                self._recordings[router] = stack.enter_context(self.lab.recording(router))
            self._desk = Desk(self.lab, self._recordings["edge"])
            stack.callback(self._desk.undo)
            self._asking = stack.enter_context(ThreadPoolExecutor(1))
            for _, together in groupby(numbered, key=lambda each: self._order.stage(each[1])):
                found += self._of_one_stage([*together], progress)
        return found

    def settle(self) -> None:
        """Leave the edge with the policy as it is, at this instant."""
        self.edge.apply(self.text, self.now)

    def _of_one_stage(self, numbered: Sequence[tuple[int, Step]], progress: Callable[[], None]) -> list[Sent]:
        before = looks.counters(self.lab) if any(step.how.counted for _, step in numbered) else None
        made = []
        for _, together in groupby(numbered, key=lambda each: id(each[1].how)):
            for one in self._of_one_try([*together]):
                made.append(one)
                progress()
        looked = self._looked([step for _, step in numbered], before)
        # mail that was handed in has had the time of the other attempts to arrive
        deadline = time.monotonic() + _DELIVERY_SECONDS
        return [self._trial(each, looked, deadline) for each in made]

    def _of_one_try(self, numbered: Sequence[tuple[int, Step]]) -> Iterator[Made]:
        """The attempts of a try, under the policies that it is about, and after what comes before it."""
        first, how = numbered[0][1], numbered[0][1].how
        self.edge.apply(self.claims.edited(self.text, how.edit), how.at or self.now)
        if how.elsewhere == "blocked":
            self.other.apply(elsewhere(self.lab), how.at or self.now)
        else:
            self.other.withdraw()
        if how.follows:
            self._let_happen(first)
            self._asked = self._asking.submit(looks.explained, self.lab, [step for _, step in numbered])
        for index, (number, step) in enumerate(numbered):
            made = self._made(step, number)
            yield replace(made, said=(self._asked, index)) if how.follows and self._asked else made

    def _made(self, step: Step, number: int) -> Made:
        how = step.how
        self._read_mail(step)
        message = sending.message(self.lab.plan, step, f"{step.claim.id}.{number}.{secrets.token_hex(8)}")
        login = sending.login(self.lab.plan, step, number)
        began = time.monotonic()
        if how.by == "home-server":
            happened = Happened("home-server", self._by_home_server(step, message), "", False, began, time.monotonic())
        else:
            happened = self._by_client(step, message, number, login, began)
        followed = self._followed.get(step.src.version) if how.first else None
        return Made(step, message, login, replace(happened, followed=followed))

    def _let_happen(self, step: Step) -> None:
        """What comes before a try. What is asked about the attempts before is about the moment before."""
        if self._asked:
            wait([self._asked])
        self._followed = {}
        if step.how.first:
            self._followed = self._desk.happen(step.how.first, step.host, step.home)
        else:
            self._desk.inherit(step.host, step.home)

    def _by_client(self, step: Step, message: Message, number: int, login: Login | None, began: float) -> Happened:
        how, host, recording = step.how, step.host.name, self._recordings[self.lab.plan.router(step.host.name)]
        client = sending.client(self.lab.plan, step, message, number, login, self.lab.authority)
        tried = attempt(self.lab, host, client, recording)
        reached = ONE
        if how.by == "bot":
            reached = spread(recording.read(), how.port, step.src)
        else:
            for _ in range(how.times - 1):
                self.lab.run(host, client.command, input=client.input)
        return Happened(tried.program, tried.outcome, tried.answer, False, began, time.monotonic(), reached)

    def _looked(self, steps: Sequence[Step], before: Mapping[str, int] | None) -> Looked:
        counted: Mapping[str, int] = {}
        if before is not None:
            counted = {rule: count - before.get(rule, 0) for rule, count in looks.counters(self.lab).items()}
        due: Counter[str] = Counter()
        for step in steps:
            due[self._verdict(step).rule] += step.how.times if step.how.counted else 0
        wanted = {self.lab.plan.who(step.host.name): str(step.how.seen) for step in steps if step.how.seen}
        kinds = {who: kind for who, kind in wanted.items() if kind != NOBODY}
        return Looked(counted, due, looks.watched(self.lab, kinds) if wanted else {}, kinds)

    def _trial(self, made: Made, looked: Looked, deadline: float) -> Sent:
        """What came of it, looked up in the mailbox at last, and what `explain` says of it."""
        step, how = made.step, made.step.how
        said = made.said[0].result()[made.said[1]] if made.said else self._verdict(step)
        explained = str(said) == how.expect and said.remedies[: len(how.remedies)] == how.remedies
        fate = fate_of(how)
        wanted = deadline - time.monotonic() if fate == "delivered" else 0.0
        arrived = self.lab.mailbox(step.mailbox).wait(made.message.token, wanted)
        delivered = arrived is not None and made.message.is_in(arrived)
        case, notes = looked.cases.get(self.lab.plan.who(step.host.name)), (*self._notes(made, looked, said),)
        told_case = str(case) if case and how.seen else ""
        happened = replace(made.happened, delivered=delivered, case=told_case, notes=notes)
        server = self.lab.plan.accounts[step.host.name].server if how.by_name else how.to
        where = "the other provider" if step.who == "offnet" else "the edge"
        return Sent(
            step.claim.provider,
            step.claim.id,
            f"{step.who} IPv{step.src.version}",
            f"{happened.program} to {server}:{how.port}{manner(how, made.login)}{when(how)}",
            f"{fate}; {how.expect}",
            "; ".join((told(happened, where), str(said), *(note for note, _ in happened.notes))),
            happened.outcome.milliseconds if happened.outcome.refused else None,
            explained
            and as_expected(fate, happened, self._judge(how.edit)[0].filter.refuse)
            and all(good for _, good in happened.notes),
            how,
            happened,
        )

    def _notes(self, made: Made, looked: Looked, said: Said) -> Iterator[tuple[str, bool]]:
        """What else was looked up, each with whether it is as it should be."""
        how, who = made.step.how, self.lab.plan.who(made.step.host.name)
        if how.first not in (None, "request"):
            took = made.happened.followed
            yield (f"{took:.1f} ms later", took < FOLLOWED_MS) if took is not None else ("never", False)
        if how.counted:
            count = looked.counted.get(said.rule, 0)
            yield f"{count} counted", count >= looked.due[said.rule]
        if how.seen:
            case, others = looked.cases.get(who), looked.cases.keys() - looked.wanted.keys()
            yield str(case or "no case"), (case.kind if case else NOBODY) == how.seen and not others

    def _verdict(self, step: Step) -> Said:
        """What the policy says, of which the store knows no better."""
        found = self._judge(step.how.edit)[1].verdict(Flow(step.src, step.dst, step.how.port), step.how.at or self.now)
        return Said(found.decision, found.reason, found.rule, found.remedies)

    def _judge(self, edit: str | None) -> tuple[Policy, Judge]:
        text = self.claims.edited(self.text, edit)
        if text not in self._policies:
            policy = load(text).policy
            assert policy is not None  # the edge has accepted it
            self._policies[text] = policy, Judge(policy)
        return self._policies[text]

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
