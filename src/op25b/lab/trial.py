"""Pure: one attempt at a claim, what had to come of it and what came."""

from __future__ import annotations

from dataclasses import dataclass

from op25b.lab.addresses import Address
from op25b.lab.claims import Claim, Try
from op25b.lab.clients import Login
from op25b.lab.plan import Host
from op25b.lab.wire import ONE, Kind, Outcome, Spread
from op25b.policy.model import Refuse
from op25b.policy.reasons import Decision
from op25b.policy.verdict import SMTP

AT_ONCE_MS = 1000.0
"""A refusal that takes longer is not quick: the person is left waiting."""
FOLLOWED_MS = 1000.0
"""A grant, a change of addresses, or an end that takes longer to reach the filter is not followed. The wire shows tens
of milliseconds; a busy machine, whose processors all hosts share, takes more."""
_BEFORE = {
    "just-read": "just after POP",
    "read-elsewhere": "just after POP from another address",
    "not-lately": "no POP within the policy's minutes (clock put forward)",
}
_EVENTS = {
    "request": "an exemption asked for",
    "grant": "exemption granted",
    "move": "after a change of addresses",
    "revoke": "exemption revoked",
}
_REFUSALS = {Refuse.TCP_RESET: Kind.RESET, Refuse.ICMP: Kind.PROHIBITED, Refuse.DROP: Kind.SILENT}


@dataclass(frozen=True)
class Step:
    """One attempt to make: a try of a claim, from one host, to one address. `home`: all addresses of the sender."""

    claim: Claim
    how: Try
    who: str
    host: Host
    src: Address
    dst: Address
    mailbox: str
    home: tuple[Address, ...] = ()


@dataclass(frozen=True)
class Happened:
    """What came of one attempt. `answer`: the server's refusal, see `attempts.refusal`; `began`, `ended`: seconds on
    a clock that only goes on; `spread`: of an attempt at many targets; `followed`: milliseconds from what happened
    before until every packet was treated accordingly; `case`: what the watch made of the sender; `notes`: what
    else was looked up, each with whether it is as it should be."""

    program: str
    outcome: Outcome
    answer: str
    delivered: bool
    began: float
    ended: float
    spread: Spread = ONE
    followed: float | None = None
    case: str = ""
    notes: tuple[tuple[str, bool], ...] = ()


@dataclass(frozen=True)
class Trial:
    """One thing tried for a claim, and what came of it. `milliseconds`: from the SYN to the refusal, None when there
    was none."""

    provider: str
    claim: str
    who: str
    tried: str
    expected: str
    observed: str
    milliseconds: float | None
    ok: bool


@dataclass(frozen=True)
class Sent(Trial):
    """An attempt to send, or to connect."""

    how: Try
    happened: Happened

    @property
    def customer(self) -> str:
        """Who tried it, whatever the family."""
        return self.who.rpartition(" ")[0]


def fate_of(how: Try) -> str:
    """What has to come of a try, in a word or two."""
    if how.elsewhere == "blocked" and how.port == SMTP:
        return "refused by the other provider"
    if how.decision is Decision.BLOCK:
        return "refused"
    if how.answer:
        return how.answer if how.answer == "closed" else f"answered {how.answer}"
    return "connected" if how.by in ("connect", "bot") else "delivered"


def manner(how: Try, login: Login | None) -> str:
    """What is special about the way a mail program submits."""
    before = f", {_BEFORE[how.pop]}" if how.pop else ""
    before += f", {_EVENTS[how.first]}" if how.first else ""
    before += f", from what {how.heir_of} gave up" if how.heir_of else ""
    before += f", {how.times} times" if how.times > 1 else ""
    if not how.submits:
        return before
    auth = "no AUTH" if login is None else f"AUTH {login.mechanism}"
    wrong = ", wrong password" if how.auth == "wrong-password" else ""
    return f", {auth}{wrong}{'' if how.tls else ', no TLS'}{before}"


def when(how: Try) -> str:
    edit = f", {how.edit}" if how.edit else ""
    return edit + (f", at {how.at.isoformat()}" if how.at else "")


def told(happened: Happened, router: str) -> str:
    outcome = happened.outcome
    if outcome.kind is Kind.CONNECTED and happened.spread.tried <= 1:
        return "delivered" if happened.delivered else f"answered {happened.answer}" if happened.answer else "connected"
    where = "" if not outcome.refused else f" by {router}" if outcome.here else f" by someone beyond {router}"
    many = f", {spread.passed} of {spread.tried} targets reached" if (spread := happened.spread).tried > 1 else ""
    return f"{outcome.kind}{where}{many}"


def as_expected(fate: str, happened: Happened, refuse: Refuse) -> bool:
    """Whether the wire shows the fate: a refusal is made by the edge itself, at once, in the way the policy asks."""
    outcome, delivered, spread = happened.outcome, happened.delivered, happened.spread
    if fate == "delivered":
        return outcome.kind is Kind.CONNECTED and delivered
    if fate == "connected":
        return outcome.kind is Kind.CONNECTED and (spread.tried == 1 or spread.passed == spread.tried)
    if fate.startswith("answered "):
        said = happened.answer.startswith(fate.removeprefix("answered "))
        return outcome.kind is Kind.CONNECTED and said and not delivered
    if fate == "closed":
        return outcome.kind is Kind.RESET and outcome.forwarded and not outcome.here and not delivered
    silent = refuse is Refuse.DROP
    quick = silent or (outcome.here and (outcome.milliseconds or 0.0) < AT_ONCE_MS)
    return outcome.kind is _REFUSALS[refuse] and quick and not outcome.forwarded and not delivered and not spread.passed
