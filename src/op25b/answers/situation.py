"""A person's situation -> whether the block affects them, since or from when, why, and what to do. No words yet.

Every answer is made of verdicts of the policy (`op25b.policy.verdict`), so it cannot say anything else than
`explain` and the filter. A person seldom knows an address: who says "FLET'S ADSL" stands for every pool of that
line, and when these fare differently the answer is that it depends, with each of them as a case.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from op25b.policy import scope
from op25b.policy.information import OfferKind
from op25b.policy.intervals import Address
from op25b.policy.model import Exemption, Phase, Pool
from op25b.policy.places import Place
from op25b.policy.reasons import Decision, Reason, Remedy
from op25b.policy.verdict import SMTP, SUBMISSION, Judge, Verdict

WEB = 443


class Uses(StrEnum):
    """What the person sends with."""

    MAIL_PROGRAM = "mail-program"
    SECURITY_SOFTWARE = "security-software"
    HOME_SERVER = "home-server"
    WEBMAIL = "webmail"
    HOSTING = "hosting"


class Server(StrEnum):
    """Whose sending server it is: the provider's own, or anybody else's."""

    OWN = "own"
    OTHER = "other"


class Symptom(StrEnum):
    """What made the person ask (claims S1, I5, I6, I11)."""

    SUDDENLY = "suddenly-cannot-send"
    RECEIVES_ONLY = "receives-but-cannot-send"
    NO_SUBMISSION = "cannot-connect-to-587"
    NO_SMTP_AUTH = "cannot-use-smtp-auth"
    NO_PORT_CHANGE = "cannot-change-port"


@dataclass(frozen=True)
class Line:
    """What a person says of their own line, or the name of its pool. What is None is not known: any will do."""

    line: str | None = None
    region: str | None = None
    assignment: str | None = None
    contract: str | None = None
    pool: str | None = None

    def may_be(self, pool: Pool) -> bool:
        return (
            self.pool in (None, pool.name)
            and self.line in (None, pool.line)
            and self.region in (None, pool.region)
            and self.assignment in (None, pool.assignment)
            and self.contract in (None, pool.contract)
        )


@dataclass(frozen=True)
class Situation:
    """Where a person is and how they send. `source` None: at another provider; an address is looked up.

    A `server` is one of the two kinds, or an address. `port` is where the mail program connects to.
    """

    source: Address | Line | None = None
    server: Address | Server = Server.OTHER
    port: int = SMTP
    uses: Uses = Uses.MAIL_PROGRAM
    symptom: Symptom | None = None


class Affected(StrEnum):
    YES = "yes"
    LATER = "later"
    NO = "no"
    DEPENDS = "depends"


@dataclass(frozen=True)
class Case:
    """One pool and one server that the situation may mean, and the verdict between them.

    `phase`: the one that decided or came nearest. `from_`: for those who are not affected now, the first
    instant at which they are, if it is known.
    """

    source: Place
    destination: Place
    port: int
    verdict: Verdict
    affected: Affected
    line: bool
    """First condition (claims L3, F3, S4): a phase covers the line."""
    server: bool
    """Second condition: the sending server is not one of the provider's that stay open on 25."""
    phase: Phase | None
    announced: Phase | None
    """One that covers the line and is announced, or has no date yet."""
    from_: datetime | None
    remedies: tuple[Remedy, ...]
    """Of the verdict; for an exemption that ends, of what comes after it."""


@dataclass(frozen=True)
class Answer:
    """`cases`: one at least, of which `affected` is the common answer. `remedies`: in the order to try them."""

    situation: Situation
    at: datetime
    affected: Affected
    cases: tuple[Case, ...]
    remedies: tuple[Remedy, ...]
    read_mail_first: bool
    """POP before SMTP is asked for, from where the person is (claim S6)."""

    @property
    def case(self) -> Case:
        """The case that speaks for all; the worst of them when it depends."""
        order = (Affected.YES, Affected.LATER, Affected.DEPENDS, Affected.NO)
        return min(self.cases, key=lambda case: order.index(case.affected))


def answer(judge: Judge, situation: Situation, at: datetime) -> Answer:
    """The answer to `situation` at the instant `at`, which must carry an offset.

    A line that the provider does not have is answered like one at another provider. `judge` may hold the
    exemptions of a store besides those of the file.
    """
    port = _port(situation)
    pairs = [(source, server) for source in _sources(judge, situation) for server in _servers(judge, situation)]
    cases = tuple(_case(judge, source, server, port, at) for source, server in pairs)
    kinds = {case.affected for case in cases}
    affected = kinds.pop() if len(kinds) == 1 else Affected.DEPENDS
    remedies = _remedies(situation, cases)
    return Answer(situation, at, affected, cases, remedies, any(_reads_first(judge, case) for case in cases))


def _port(situation: Situation) -> int:
    if situation.uses is Uses.WEBMAIL:
        return WEB
    if situation.symptom is Symptom.NO_SUBMISSION and situation.port not in SUBMISSION:
        return SUBMISSION[-1]  # it was tried already
    return situation.port


def _sources(judge: Judge, situation: Situation) -> list[Place]:
    policy = judge.policy
    said = situation.source
    if situation.uses is Uses.HOSTING:
        lines = {offer.line for offer in policy.information.of(OfferKind.HOSTING)} - {None}
        found = _pools(judge, lambda pool: pool.line in lines)
    elif isinstance(said, Line):
        found = _pools(judge, said.may_be)
    else:
        found = [judge.sources.of(said)] if said is not None else []
    return found or [Place()]


def _pools(judge: Judge, wanted: Callable[[Pool], bool]) -> list[Place]:
    """One pool of each meaning: a provider may have thousands that differ in their prefixes alone."""
    found: dict[object, Place] = {}
    for number, pool in enumerate(judge.policy.pools):
        if wanted(pool):
            phases = tuple(phase.name for phase in judge.phases_of[number])
            meaning = (pool.line, pool.region, pool.assignment, pool.contract, phases)
            found.setdefault(meaning, Place(pool=number))
    return list(found.values())


def _servers(judge: Judge, situation: Situation) -> list[Place]:
    """Another's server is a place that the policy knows nothing of: its exemptions for destinations do not count."""
    if situation.server is Server.OWN:
        own = [Place(server=number) for number in range(len(judge.policy.own_servers))]
        return own or [Place()]
    return [Place()] if situation.server is Server.OTHER else [judge.destinations.of(situation.server)]


def _case(judge: Judge, source: Place, destination: Place, port: int, at: datetime) -> Case:
    policy = judge.policy
    verdict = judge.between(source, destination, port, at)
    phases = judge.phases_of[source.pool] if source.pool >= 0 else ()
    own_and_open = destination.server >= 0 and SMTP in policy.own_servers[destination.server].ports
    announced = next((phase for phase in phases if scope.state(phase, at) is Reason.ANNOUNCED), None)
    if verdict.reason not in _OF_PHASES:
        announced = None
    from_ = _begins(judge, source, destination, port, at)
    return Case(
        source,
        destination,
        port,
        verdict,
        _affected(verdict, bool(announced or from_)),
        line=bool(phases) and source.server < 0,
        server=not own_and_open,
        phase=next((phase for phase in policy.phases if f"phase/{phase.name}" == verdict.rule), None),
        announced=announced,
        from_=from_,
        remedies=(
            judge.between(source, destination, port, from_) if from_ and verdict.reason is Reason.EXEMPT else verdict
        ).remedies,
    )


_OF_PHASES = (Reason.COVERED, Reason.MONITORED, Reason.ANNOUNCED, Reason.NOT_YET, Reason.ENDED)


def _affected(verdict: Verdict, coming: bool) -> Affected:
    if verdict.decision is Decision.BLOCK:
        return Affected.YES
    if verdict.reason is Reason.NOT_A_CUSTOMER:
        return Affected.DEPENDS  # on the provider of that line (claims L6, N6)
    return Affected.LATER if coming else Affected.NO


def _begins(judge: Judge, source: Place, destination: Place, port: int, at: datetime) -> datetime | None:
    """The first instant after `at` at which the block holds; None if it holds already, or never will."""
    if port != SMTP or source.pool < 0 or judge.decide(source, destination, at).decision is Decision.BLOCK:
        return None
    exemptions = (judge.policy.exemptions[number] for number in (*source.exemptions, *destination.exemptions))
    tables: list[Phase | Exemption] = [*judge.phases_of[source.pool], *exemptions]
    spans = ((table.from_, table.until) for table in tables)
    later = sorted({moment for span in spans for moment in span if moment is not None and moment > at})
    return next((each for each in later if judge.decide(source, destination, each).decision is Decision.BLOCK), None)


_USELESS = {
    Uses.MAIL_PROGRAM: (Remedy.USE_SMART_HOST,),
    Uses.SECURITY_SOFTWARE: (Remedy.USE_SMART_HOST,),
    Uses.HOME_SERVER: (Remedy.USE_OTHER_SUBMISSION, Remedy.ASK_THEIR_OPERATOR, Remedy.USE_WEBMAIL),
}
"""What the verdict offers and is of no use to who sends like that."""
_ORDER = (
    Remedy.ASK_THAT_PROVIDER,
    Remedy.USE_SMART_HOST,
    Remedy.USE_OWN_SUBMISSION,
    Remedy.USE_OTHER_SUBMISSION,
    Remedy.ASK_THEIR_OPERATOR,
    Remedy.USE_WEBMAIL,
    Remedy.ASK_NETWORK_ADMINISTRATOR,
    Remedy.REQUEST_EXEMPTION,
    Remedy.CONTACT_SUPPORT,
)
"""That of the verdicts, where several are put together; a mail server at home is helped as one first (claim S5)."""


def _remedies(situation: Situation, cases: tuple[Case, ...]) -> tuple[Remedy, ...]:
    in_need = [case for case in cases if case.affected is not Affected.NO] or cases
    found = {remedy for case in in_need for remedy in case.remedies}
    found -= set(_USELESS.get(situation.uses, ()))
    return tuple(remedy for remedy in _ORDER if remedy in found)


def _reads_first(judge: Judge, case: Case) -> bool:
    server = judge.policy.own_servers[case.destination.server] if case.destination.server >= 0 else None
    required = judge.policy.submission.pop_before_smtp == "required"
    return required and case.verdict.reason is Reason.NOT_A_CUSTOMER and server is not None and SMTP in server.ports
