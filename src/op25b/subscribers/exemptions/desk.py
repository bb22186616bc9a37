"""What people do to exemptions: each change is one transaction with its line in the audit trail and in the feed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, func, or_, select

from op25b.errors import UserError
from op25b.policy.model import Policy
from op25b.store import changes
from op25b.store.audit import By
from op25b.store.engine import Store
from op25b.store.tables import exemptions
from op25b.subscribers.exemptions import criteria, records
from op25b.subscribers.exemptions.criteria import Criterion, Finding, Span
from op25b.subscribers.exemptions.records import Approval, Exemption
from op25b.subscribers.exemptions.request import Asked, checked
from op25b.subscribers.exemptions.transitions import LIVE, OVER, State, Step, at_time, target

_BATCH = 500
_AT_THE_DECISION = {Criterion.DURATION, Criterion.QUOTA, Criterion.SUBSCRIBER_QUOTA}
"""Found out anew when it is decided: they need no I/O, and others may have been granted meanwhile."""
_DECIDING = {Step.GRANT, Step.REFUSE, Step.REVOKE, Step.RENEW}

Closing = Literal[Step.REFUSE, Step.WITHDRAW, Step.REVOKE]
Look = Callable[[Asked], list[Finding]]


class Conflict(UserError):
    """It is not in the state, or not of the version, that the change is for."""


class AskedAlready(Conflict):
    """There is one for the same that is not over: `number`."""

    def __init__(self, number: int) -> None:
        super().__init__(f"exemption {number} is for the same; review, renew or withdraw that one")
        self.number = number


class Stale(Conflict):
    """It was changed since it was looked at."""


class NotAllowed(UserError):
    """Somebody else has to do it."""


@dataclass(frozen=True)
class Swept:
    """What a sweep has made explicit."""

    expiring: int = 0
    ended: int = 0


class Desk:
    """The exemptions of one store under one policy. Methods block. Times come in with `By`.

    `seen`, where it is given, is the version that the change is for. Every change raises Conflict, NotAllowed or
    records.NotThere, all of them UserError; nothing is changed then.
    """

    def __init__(self, store: Store, policy: Policy) -> None:
        self._store, self._policy = store, policy
        self._terms = policy.exemption_terms

    def request(self, asked: Asked, by: By) -> Exemption:
        """Note a request. Raises UserError for one that cannot be meant, and AskedAlready."""
        with self._store.write() as connection:
            return noted(connection, self._policy, asked, by)

    def review(self, number: int, by: By, look: Look, seen: int | None = None) -> Exemption:
        """Look at the criteria, before a grant or a renewal; approvals that are pending start anew."""
        with self._store.read() as connection:
            asked = records.found(connection, number).asked
        looked = look(asked)
        with self._store.write() as connection:
            before = self._begin(connection, number, Step.REVIEW, by, seen)
            wanted = self._renewed(before, None, None) if before.state in LIVE else self._span(before, by.at)
            findings = (*looked, *self._at_the_decision(connection, before, wanted, by.at))
            settled = tuple(each for each in before.approvals if not each.pending)
            after = replace(before, state=_after(before, Step.REVIEW), findings=findings, approvals=settled)
            return records.put(connection, before, after, Step.REVIEW, by)

    def approve(self, number: int, by: By, overrides: Mapping[str, str], seen: int | None = None) -> Exemption:
        """Grant it, or be the first of two. `overrides`: why a criterion that failed does not matter."""
        with self._store.write() as connection:
            before = self._begin(connection, number, Step.GRANT, by, seen)
            wanted = self._span(before, by.at)
            return self._decide(connection, before, Step.GRANT, wanted, Approval(by.who, by.at, overrides), by)

    def renew(
        self,
        number: int,
        by: By,
        review_at: datetime | None,
        until_at: datetime | None,
        overrides: Mapping[str, str],
        seen: int | None = None,
    ) -> Exemption:
        """Prolong it, or be the first of two; None: by the policy's intervals from the last review date on."""
        with self._store.write() as connection:
            before = self._begin(connection, number, Step.RENEW, by, seen)
            wanted = self._renewed(before, review_at, until_at)
            assert before.asked.until_at is not None
            if wanted.until_at <= before.asked.until_at:
                raise UserError(f"it holds until {before.asked.until_at.isoformat()} already; name a later end")
            last = max((each.at for each in before.approvals if not each.pending), default=by.at)
            if self._asked_for(before) - {finding.criterion for finding in before.findings if finding.at > last}:
                raise Conflict(f"exemption {number} is renewed after a review; review it first")
            approval = Approval(by.who, by.at, overrides, wanted.until_at)
            return self._decide(connection, before, Step.RENEW, wanted, approval, by)

    def close(self, number: int, step: Closing, by: By, seen: int | None = None) -> Exemption:
        """Refuse, withdraw or revoke it, now. Raises UserError without a reason."""
        if step is not Step.WITHDRAW and not by.why.strip():
            raise UserError(f"a reason is missing; say why you {step} it")
        with self._store.write() as connection:
            before = self._begin(connection, number, step, by, seen)
            asked = before.asked
            if before.state in LIVE and asked.review_at is not None:
                asked = replace(asked, review_at=min(asked.review_at, by.at), until_at=by.at)
            settled = tuple(each for each in before.approvals if not each.pending)
            after = replace(before, state=_after(before, step), asked=asked, approvals=settled)
            after = records.put(connection, before, after, step, by)
            changes.note(connection, after.changes if before.state in LIVE else (), by.at)
            return after

    def _begin(self, connection: Connection, number: int, step: Step, by: By, seen: int | None) -> Exemption:
        """The exemption, locked, as time has left it, if this step may be taken by this person."""
        records.lock(connection)
        before = records.found(connection, number)
        if seen is not None and before.version != seen:
            raise Stale(f"exemption {number} was changed meanwhile (version {before.version}); look at it again")
        before = _settled(connection, before, by.at)
        if target(before.state, step) is None:
            raise Conflict(f"exemption {number} is {before.state}; {_possible(step)}")
        if step in _DECIDING and self._terms.approvers and by.who not in self._terms.approvers:
            raise NotAllowed(f"{by.who} may not {step}; {', '.join(self._terms.approvers)} may")
        return before

    def _decide(
        self, connection: Connection, before: Exemption, step: Step, wanted: Span, mine: Approval, by: By
    ) -> Exemption:
        """Add an approval, and take the step if it is the last that it needs."""
        if wanted.until_at <= wanted.from_at:
            raise UserError(f"until {wanted.until_at.isoformat()} is past, or before it begins; ask anew")
        findings = (
            *(finding for finding in before.findings if finding.criterion not in _AT_THE_DECISION),
            *self._at_the_decision(connection, before, wanted, by.at),
        )
        after = replace(before, findings=findings)
        if missing := self._asked_for(before) - {finding.criterion for finding in findings}:
            raise Conflict(f"the policy asks for {', '.join(sorted(missing))} by now; review it again")
        round_ = [each for each in before.approvals if each.pending and each.until_at == mine.until_at]
        if any(each.who == mine.who for each in round_):
            raise NotAllowed(f"{mine.who} has approved already; another person is needed")
        round_.append(mine)
        _overridden(after.failed(), round_)
        if len(round_) < criteria.persons(self._terms, before.asked):
            pending = [replace(each, pending=True) for each in round_]
            settled = [each for each in before.approvals if not each.pending]
            return records.put(connection, before, replace(after, approvals=(*settled, *pending)), Step.APPROVE, by)
        after = replace(
            after,
            state=_after(before, step),
            asked=records.with_span(before.asked, wanted),
            granted_at=before.granted_at or by.at,
            approvals=tuple(replace(each, pending=False) for each in round_),
        )
        after = records.put(connection, before, after, step, by)
        changes.note(connection, after.changes, by.at)
        return after

    def _span(self, exemption: Exemption, at: datetime) -> Span:
        return criteria.span(self._terms, exemption.asked, at)

    def _renewed(self, before: Exemption, review_at: datetime | None, until_at: datetime | None) -> Span:
        """What a renewal comes to. It does not depend on when it is said, so that two persons can say the same."""
        asked = before.asked
        assert asked.from_at is not None
        assert asked.review_at is not None
        if until_at is None and review_at is None:
            review_at = asked.review_at + timedelta(days=self._terms.review_days)
        return criteria.span(self._terms, replace(asked, review_at=review_at, until_at=until_at), asked.from_at)

    def _asked_for(self, exemption: Exemption) -> set[Criterion]:
        return criteria.asked_for(self._terms, exemption.asked)

    def _at_the_decision(
        self, connection: Connection, exemption: Exemption, wanted: Span, at: datetime
    ) -> list[Finding]:
        others = select(func.count()).where(
            exemptions.c.granted_at.is_not(None), exemptions.c.until_at > at, exemptions.c.id != exemption.id
        )
        in_force = connection.execute(others).scalar_one()
        mine = others.where(exemptions.c.subscriber == exemption.asked.subscriber)
        of_subscriber = connection.execute(mine).scalar_one()
        return [
            *criteria.of_duration(self._terms, wanted, at),
            *criteria.of_quotas(self._terms, exemption.asked, in_force, of_subscriber, at),
        ]


def noted(connection: Connection, policy: Policy, asked: Asked, by: By) -> Exemption:
    """`Desk.request` as a part of what a transaction does. Raises UserError, AskedAlready; nothing is noted then."""
    asked = checked(asked, policy)
    if asked.until_at is not None and asked.until_at <= by.at:
        raise UserError(f"until {asked.until_at.isoformat()} is past; name a later end, or none")
    same = (
        (exemptions.c.kind == asked.kind)
        & exemptions.c.subscriber.is_not_distinct_from(asked.subscriber)
        & exemptions.c.prefix.is_not_distinct_from(asked.prefix)
        & exemptions.c.state.not_in(OVER)
        & or_(exemptions.c.granted_at.is_(None), exemptions.c.until_at > by.at)
    )
    records.lock(connection)
    other = connection.execute(select(exemptions.c.id).where(same)).scalar()
    if other is not None:
        raise AskedAlready(other)
    return records.add(connection, asked, by)


def sweep(store: Store, at: datetime) -> Swept:
    """Make explicit what time has done: to be renewed, or ended. Doing it twice changes nothing more."""
    due = or_(
        exemptions.c.state.in_(LIVE) & (exemptions.c.until_at <= at),
        (exemptions.c.state == State.GRANTED) & (exemptions.c.review_at <= at),
    )
    query = select(exemptions).where(due).order_by(exemptions.c.id).limit(_BATCH)
    swept = Swept()
    while True:
        with store.write() as connection:
            records.lock(connection)
            found = records.all_of(connection, query)
            states = [_settled(connection, each, at).state for each in found]
        if not found:
            return swept
        ended = states.count(State.ENDED)
        swept = Swept(swept.expiring + len(found) - ended, swept.ended + ended)


def _settled(connection: Connection, before: Exemption, at: datetime) -> Exemption:
    state = at_time(before.state, before.asked.review_at, before.asked.until_at, at)
    if state is before.state:
        return before
    if state is State.ENDED:
        after = records.put(connection, before, replace(before, state=state), Step.END, By("op25b", at, "by time"))
        changes.note(connection, after.changes, at)
        return after
    return records.put(connection, before, replace(before, state=state), Step.EXPIRE, By("op25b", at, "by time"))


def _overridden(failed: set[Criterion], approvals: list[Approval]) -> None:
    overrides = {name: why for approval in approvals for name, why in approval.overrides.items()}
    if pointless := sorted(set(overrides) - failed):
        raise UserError(f"{pointless[0]} has not failed; only a criterion that has is overridden")
    if empty := sorted(name for name, why in overrides.items() if not why.strip()):
        raise UserError(f"{empty[0]} is overridden without a reason; say why it does not matter")
    if left := sorted(failed - set(overrides)):
        raise Conflict(f"{', '.join(left)} failed; refuse it, or override each with a reason")


def _after(before: Exemption, step: Step) -> State:
    state = target(before.state, step)
    assert state is not None
    return state


def _possible(step: Step) -> str:
    states = [state for state in State if target(state, step) is not None]
    return f"only one that is {' or '.join(states)} can be: {step}"
