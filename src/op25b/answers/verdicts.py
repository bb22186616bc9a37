"""A verdict in words: what happens and why, since when, then what to do, in the order of the remedies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from op25b.answers import phases
from op25b.answers.remedies import advice
from op25b.answers.speech import Speaker
from op25b.policy.model import Assignment, Exemption, Phase, Policy, Pool
from op25b.policy.reasons import Reason
from op25b.policy.verdict import SMTP, SUBMISSION, TCP, Flow, Verdict


def text(
    verdict: Verdict, policy: Policy, flow: Flow, at: datetime, speaker: Speaker, destination: str | None = None
) -> str:
    """What happens to this flow at this instant, why, and what to do: a paragraph for a customer.

    `verdict` is the policy's own on `flow` and `at`; with another one the words make no sense. `destination` is
    the name that the customer knows the flow's destination by.
    """
    question = Question(verdict, policy, flow, at, speaker, destination or str(flow.dst))
    why = _SENTENCES[verdict.reason](question)
    tried = next((server for server in policy.own_servers if flow.dst in server.addresses), None)
    what_to_do = advice(verdict.remedies, policy, tried, at, speaker)
    return speaker.paragraph([*why, *(sentence for sentences in what_to_do for sentence in sentences)])


@dataclass(frozen=True)
class Question:
    """What the sentences speak of."""

    verdict: Verdict
    policy: Policy
    flow: Flow
    at: datetime
    speaker: Speaker
    destination: str

    def say(self, message: str, **values: str) -> str:
        """A sentence that may name the provider, and the flow's source, destination and port."""
        names = {"source": str(self.flow.src), "destination": self.destination, "port": str(self.flow.dport)}
        return self.speaker(message, provider=self.provider, **names, **values)

    @property
    def provider(self) -> str:
        return self.speaker.pick(self.policy.provider.display)

    def named(self, word: str) -> str:
        """What a customer calls a line or a region."""
        return self.speaker.pick(self.policy.information.named(word))

    @property
    def pool(self) -> Pool:
        """The source's pool; for the reasons that speak of one."""
        return next(pool for pool in self.policy.pools if pool.name == self.verdict.pool)

    @property
    def phase(self) -> Phase:
        """The phase that decided; for the reasons that one decides."""
        return next(phase for phase in self.policy.phases if f"phase/{phase.name}" == self.verdict.rule)

    @property
    def exemption(self) -> Exemption:
        """The exemption that decided; for the reason that one decides."""
        return next(each for each in self.policy.exemptions if f"exemption/{each.name}" == self.verdict.rule)

    @property
    def to_own_server(self) -> bool:
        return any(self.flow.dst in server.addresses for server in self.policy.own_servers)

    @property
    def open_server(self) -> bool:
        """Whether the provider has a server that stays open on 25, which makes it two conditions."""
        return any(SMTP in server.ports for server in self.policy.own_servers)


def _not_port_25(q: Question) -> list[str]:
    if q.flow.proto != TCP:
        return [q.say("Only sending on TCP port 25 is restricted, and this is not TCP.")]
    if q.flow.dport in SUBMISSION:
        return [q.say("Port {port} is for message submission, and {provider} does not restrict it.")]
    return [q.say("Only sending on port 25 is restricted; {provider} does not restrict port {port}.")]


def _inbound(q: Question) -> list[str]:
    if q.flow.dport != SMTP:
        answer = q.say("This is the answer of a mail server at {source} to a connection from outside.")
        return [answer, q.say("Only connections from a customer out to port 25 are restricted.")]
    return [q.say("Mail that comes in from outside to port 25 of a customer is not restricted; only sending out is.")]


def _own_server(q: Question) -> list[str]:
    if any(q.flow.src in server.addresses for server in q.policy.own_servers):
        return [q.say("{source} is one of {provider}'s own mail servers, which are not restricted.")]
    affected = q.say("The sending server is one of {provider}'s own, so the restriction does not affect you.")
    return [affected, _conditions(q)]


def _conditions(q: Question) -> str:
    """Claims L3, F3, S4: both must hold."""
    return q.say("It affects only those who use a covered line and a sending server other than {provider}'s.")


def _not_a_customer(q: Question) -> list[str]:
    return [q.say("{source} is not an address of {provider}, whose restriction therefore does not apply.")]


def _line_not_covered(q: Question) -> list[str]:
    if not q.policy.phases:
        return [q.say("{provider} restricts port 25 on no line.")]
    if q.pool.line is None:
        return _unaffected(q, q.say("The line of {source} is not one of those that are covered."))
    message = q.say("The line of {source} ({line}) is not one of those that are covered.", line=q.named(q.pool.line))
    return _unaffected(q, message)


def _region_not_covered(q: Question) -> list[str]:
    if q.pool.region is None:
        return _unaffected(q, q.say("The line of {source} is not covered in its region."))
    message = q.say("The line of {source} is not covered in its region ({region}).", region=q.named(q.pool.region))
    return _unaffected(q, message)


def _static_address(q: Question) -> list[str]:
    if q.pool.assignment is Assignment.STATIC:
        return _unaffected(q, q.say("{source} is a static address, and static addresses are not covered."))
    return _unaffected(q, q.say("Addresses that are assigned like {source} are not covered."))


def _contract_not_covered(q: Question) -> list[str]:
    return _unaffected(q, q.say("The contract that {source} belongs to is not covered."))


def _unaffected(q: Question, why: str) -> list[str]:
    return [why, q.say("The restriction does not affect you."), *([_conditions(q)] if q.open_server else [])]


def _exempt(q: Question) -> list[str]:
    if q.exemption.prefixes and q.exemption.destinations:
        sentences = [q.say("{source} is exempt from the restriction when it sends to {destination}.")]
    elif q.exemption.prefixes:
        sentences = [q.say("{source} is exempt from the restriction.")]
    else:
        sentences = [q.say("{destination} is exempt from the restriction, so it can be reached on port 25.")]
    if q.exemption.until is not None:
        sentences.append(q.say("The exemption holds until {until}.", until=q.speaker.instant(q.exemption.until)))
    return sentences


def _covered(q: Question) -> list[str]:
    since = phases.since(q.phase, q.provider, q.speaker)
    failing = q.say("Mail cannot be sent to {destination} on port 25.")
    if q.to_own_server:
        return [since, q.say("That includes port 25 of {provider}'s own sending server."), failing]
    if q.open_server:
        both = q.say("The line is covered, and the sending server is not {provider}'s: both conditions hold.")
        return [since, both, failing]
    return [since, failing]


def _monitored(q: Question) -> list[str]:
    return phases.monitored(q.phase, q.at, q.provider, q.speaker)


def _announced(q: Question) -> list[str]:
    return phases.announced(q.phase, q.at, q.provider, q.speaker)


def _not_yet(q: Question) -> list[str]:
    return phases.not_yet(q.phase, q.at, q.provider, q.speaker)


def _ended(q: Question) -> list[str]:
    return phases.ended(q.phase, q.speaker)


_SENTENCES: dict[Reason, Callable[[Question], list[str]]] = {
    Reason.NOT_PORT_25: _not_port_25,
    Reason.INBOUND: _inbound,
    Reason.OWN_SERVER: _own_server,
    Reason.NOT_A_CUSTOMER: _not_a_customer,
    Reason.LINE_NOT_COVERED: _line_not_covered,
    Reason.REGION_NOT_COVERED: _region_not_covered,
    Reason.STATIC_ADDRESS: _static_address,
    Reason.CONTRACT_NOT_COVERED: _contract_not_covered,
    Reason.EXEMPT: _exempt,
    Reason.COVERED: _covered,
    Reason.MONITORED: _monitored,
    Reason.ANNOUNCED: _announced,
    Reason.NOT_YET: _not_yet,
    Reason.ENDED: _ended,
}
