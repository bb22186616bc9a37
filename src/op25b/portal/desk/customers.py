"""Who is this customer: all that the store knows about an address, a subscriber or an account, in one look."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from itertools import islice
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy import Connection, select

from op25b import locale
from op25b.answers import verdicts
from op25b.answers.speech import Language
from op25b.policy.intervals import Address
from op25b.policy.model import Policy
from op25b.policy.verdict import Flow, Judge
from op25b.portal.desk.context import Context
from op25b.rollout.records import Records
from op25b.store.tables import accounts as accounts_table
from op25b.store.tables import senders, sessions
from op25b.submission import trace
from op25b.submission.trace import Line
from op25b.subscribers import known_blocks
from op25b.subscribers.accounts import Account, Accounts
from op25b.subscribers.exemptions import as_policy, listing, queries
from op25b.subscribers.exemptions.records import Exemption
from op25b.subscribers.leases import Period, periods, who
from op25b.subscribers.leases.present import held_by
from op25b.watch import cases
from op25b.watch.cases import Case

PERIODS = 50
MESSAGES = 50
LOOKED_BACK = timedelta(days=3)
"""How far messages are looked for in the trace."""
_ELSEWHERE = ("192.0.2.25", "198.51.100.25", "203.0.113.25", "2001:db8:ffff:ffff::25", "3fff:ffff::25")
"""Addresses for documentation (RFC 5737, 3849, 9637): somebody else's mail server, in any policy but an example."""


class Shown(BaseModel):
    """A part of the answer."""

    model_config = ConfigDict(frozen=True)


class Lease(Shown):
    """An address that is or was held. `until` null: without limit."""

    prefix: str
    since: AwareDatetime
    until: AwareDatetime | None
    seen: AwareDatetime
    source: str
    session: str


class Verdict(Shown):
    """What happens now to mail from `source` straight to somebody else's server, and what the customer is told."""

    source: str
    verdict: str
    reason: str
    rule: str
    pool: str | None
    remedies: list[str]
    text: dict[Language, str]


class LogIn(Shown):
    """An address block from which an account logged in; to the day."""

    block: str
    at: AwareDatetime


class Mail(Shown):
    """One message that was handed in."""

    queue_id: str
    arrived: AwareDatetime
    address: str
    sender: str
    recipients: int


class AccountShown(Shown):
    """An account of the submission service."""

    name: str
    senders: list[str]
    suspended: str | None
    limits: dict[str, int]
    log_ins: list[LogIn]
    messages: list[Mail]


class CaseShown(Shown):
    """Refused attempts, as the watch has put them together."""

    id: int
    who: str
    kind: str
    state: str
    attempts: int
    targets: int
    first_at: AwareDatetime
    last_at: AwareDatetime


class ExemptionShown(Shown):
    """An exemption in short."""

    id: int
    state: str
    kind: str
    subject: str
    reason: str
    until_at: AwareDatetime | None


class NoticeShown(Shown):
    """A notice of a phase. `outcome`: as op25b.rollout.records has it."""

    phase: str
    stage: str
    way: str
    address: str | None
    planned_at: AwareDatetime
    taken_at: AwareDatetime | None
    printed_at: AwareDatetime | None
    outcome: str
    detail: str


class Customer(Shown):
    """The answer. `known` false: nobody and nothing is known by that name."""

    asked: str
    known: bool
    subscriber: str | None
    quarantined: bool
    leases: list[Lease]
    past: list[Lease]
    verdicts: list[Verdict]
    cases: list[CaseShown]
    exemptions: list[ExemptionShown]
    accounts: list[AccountShown]
    notices: list[NoticeShown]


def find(context: Context, asked: str) -> Customer:
    """All there is about an address, a subscriber's name, an account's name or one of its senders. Blocks."""
    now, asked = context.clock(), asked.strip()
    source = address(asked)
    with context.store.read() as connection:
        subscriber = _subscriber(connection, source, asked, now)
        held = held_by(connection, [subscriber], now).get(subscriber, []) if subscriber else []
        found = periods(connection, subscriber, PERIODS) if subscriber else []
        current = {(each.prefix, each.session) for each in held}
        sources = [source] if source is not None else [_first(each.prefix) for each in held]
        return Customer(
            asked=asked,
            known=bool(subscriber or source or _names(connection, asked)),
            subscriber=subscriber,
            quarantined=any(name == subscriber for name, _, _ in cases.quarantined(connection)),
            leases=[_lease(each) for each in found if (each.prefix, each.session) in current],
            past=[_lease(each) for each in found if (each.prefix, each.session) not in current],
            verdicts=[each for one in sources for each in _verdicts(connection, context.policy, one, now)],
            cases=[case_shown(each) for each in cases.of(connection, subscriber, source)],
            exemptions=[exemption_shown(each) for each in _exemptions(connection, subscriber, sources, now)],
            accounts=[_account(context, connection, name, now) for name in _names(connection, subscriber or asked)],
            notices=[NoticeShown(**vars(each)) for each in Records(context.store).told(subscriber or asked)],
        )


def case_shown(case: Case) -> CaseShown:
    return CaseShown(**{name: getattr(case, name) for name in CaseShown.model_fields})


def exemption_shown(exemption: Exemption) -> ExemptionShown:
    asked = exemption.asked
    return ExemptionShown(
        id=exemption.id,
        state=exemption.state,
        kind=asked.kind,
        subject=asked.prefix or asked.subscriber or "",
        reason=asked.reason,
        until_at=asked.until_at,
    )


def address(text: str) -> Address | None:
    """The address that a text is, if it is one."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def _first(prefix: str) -> Address:
    return ip_network(prefix)[0]


def _subscriber(connection: Connection, source: Address | None, asked: str, at: datetime) -> str | None:
    if source is not None:
        holder = who(connection, source, at).holder
        return None if holder is None else holder.subscriber
    query = select(sessions.c.subscriber).where(sessions.c.subscriber == asked).limit(1)
    found: str | None = connection.execute(query).scalar()
    if found is None and listing.listed(connection, at, subscriber=asked, limit=1):
        return asked
    return found


def _lease(period: Period) -> Lease:
    return Lease(**{name: getattr(period, name) for name in Lease.model_fields})


def elsewhere(policy: Policy, judge: Judge, version: int) -> IPv4Address | IPv6Address | None:
    """An address of that family which is nobody's whom the policy knows."""
    candidates = [ip_address(each) for each in _ELSEWHERE]
    for each in candidates:
        place = judge.destinations.of(each)
        if each.version == version and place.pool < 0 and place.server < 0 and not place.exemptions:
            return each
    return None


def _verdicts(connection: Connection, policy: Policy, source: Address, at: datetime) -> Iterable[Verdict]:
    destination = elsewhere(policy, Judge(policy), source.version)
    if destination is None:
        return
    extended = as_policy.at_instant(connection, policy, source, [destination], at)
    flow = Flow(source, destination)
    verdict = Judge(extended).verdict(flow, at)
    speakers = locale.speakers(ZoneInfo(policy.provider.time_zone))
    yield Verdict(
        source=str(source),
        verdict=verdict.decision,
        reason=verdict.reason,
        rule=verdict.rule,
        pool=verdict.pool,
        remedies=[str(each) for each in verdict.remedies],
        text={language: verdicts.text(verdict, extended, flow, at, say) for language, say in speakers.items()},
    )


def _exemptions(
    connection: Connection, subscriber: str | None, sources: Iterable[Address], at: datetime
) -> list[Exemption]:
    found = listing.listed(connection, at, subscriber=subscriber) if subscriber else []
    known = {each.id for each in found}
    here = {each.id for source in sources for each in queries.of_address(connection, source, at)} - known
    return [*found, *(listing.one(connection, number, at) for number in sorted(here))]


def _names(connection: Connection, asked: str) -> list[str]:
    """Accounts of that name, or that may send as that."""
    wanted = asked.lower()
    query = (
        select(accounts_table.c.name)
        .outerjoin(senders, senders.c.account == accounts_table.c.id)
        .where((accounts_table.c.name == wanted) | (senders.c.sender == wanted))
        .distinct()
        .order_by(accounts_table.c.name)
        .limit(20)
    )
    return list(connection.execute(query).scalars())


def _account(context: Context, connection: Connection, name: str, now: datetime) -> AccountShown:
    account: Account | None = Accounts(context.store).find(name)
    assert account is not None, "it was there in this transaction"
    return AccountShown(
        name=name,
        senders=sorted(account.senders),
        suspended=account.suspended,
        limits=dict(account.limits),
        log_ins=[LogIn(block=block, at=at) for block, at in known_blocks.of(connection, name)],
        messages=[_mail(line) for line in _messages(context, name, now)],
    )


def _messages(context: Context, account: str, now: datetime) -> list[Line]:
    """The newest that are traced; none where the spool is on another host."""
    if context.spool is None:
        return []
    found = (line for line in trace.search(context.spool, account, now - LOOKED_BACK, None) if line.account == account)
    return sorted(islice(found, 100_000), key=lambda line: line.arrived, reverse=True)[:MESSAGES]


def _mail(line: Line) -> Mail:
    arrived = datetime.fromisoformat(line.arrived)
    return Mail(
        queue_id=line.queue_id, arrived=arrived, address=line.address, sender=line.sender,
        recipients=len(line.recipients),
    )  # fmt: skip
