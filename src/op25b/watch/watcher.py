"""From what the sources did to cases: who held the address, what it looks like, what is written, what is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from op25b.policy.model import Policy
from op25b.policy.watching import Watch
from op25b.store import Store
from op25b.store.audit import By
from op25b.store.micros import EPOCH, instant, micros
from op25b.subscribers.leases import Period
from op25b.watch import cases
from op25b.watch.activity import Activity, Source, prefix_of
from op25b.watch.cases import Case, Seen
from op25b.watch.classify import Finding, classify
from op25b.watch.holders import Holders, of_leases
from op25b.watch.pattern import HOUR, Figures, Pattern, Terms
from op25b.watch.states import State, Step

SUBJECTS = 50_000
"""Subscribers and addresses of which something is kept in memory."""
SAVE_AFTER = timedelta(minutes=1)
"""What is new of a case is written so often, unless its kind or its state changes."""
SHOWN = 10
ABOUT = (
    "attempts: the kernel's counters of packets, less what the log shows to be repetitions; "
    "targets and times: the log, which is a sample where there are more records a second than the policy's log_rate"
)
BY = "op25b watch"


@dataclass(slots=True)
class Subject:
    """A subscriber, or an address that nobody is known to hold."""

    subscriber: str | None
    prefix: str
    pattern: Pattern
    lease: Period | None = None
    case: Case | None = None
    saved_at: datetime = EPOCH


@dataclass
class Report:
    """What a look came to; and since the start: subjects forgotten for want of room, packets that nobody is blamed
    for, as their address changed hands meanwhile."""

    opened: int = 0
    closed: int = 0
    open: int = 0
    forgotten: int = 0
    disputed: int = 0


def terms(policy: Policy) -> Terms:
    """How activity is read under a policy."""
    watch, zone = policy.watch, ZoneInfo(policy.provider.time_zone)
    own = {address for server in policy.own_servers for address in server.addresses}

    def is_night(at: int) -> bool:
        hour = instant(at).astimezone(zone).hour
        start, end = watch.night_from, watch.night_until
        return start <= hour < end if start <= end else hour >= start or hour < end

    return Terms(watch.return_seconds * 1_000_000, watch.patience_seconds * 1_000_000, is_night, own.__contains__)


def due(case: Case, watch: Watch, at: datetime) -> Step | None:
    """What the policy has done about a case by itself, now."""
    if at - case.last_at >= timedelta(hours=watch.quiet_hours):
        return Step.CLOSE
    if case.subscriber is None:
        return None  # there is nobody to tell
    if case.state is State.OPEN and case.kind in watch.notice:
        return Step.NOTICE
    if case.state is State.NOTICED and case.kind in watch.quarantine:
        assert case.noticed_at is not None
        if case.last_at >= case.noticed_at + timedelta(hours=watch.quarantine_after_hours):
            return Step.QUARANTINE
    return None


def is_news(subject: Subject, finding: Finding, at: datetime) -> bool:
    """Whether a subject is to be written now: another kind at once, more of the same now and then."""
    case = subject.case
    return case is None or case.kind is not finding.kind or at - subject.saved_at >= SAVE_AFTER


class _News(NamedTuple):
    key: str
    subject: Subject
    figures: Figures
    finding: Finding


@dataclass
class Watcher:
    """Keeps what is known of each subject; one per host that watches. Not safe to share between threads."""

    store: Store
    policy: Policy
    holders: Holders = of_leases
    report: Report = field(default_factory=Report)
    _subjects: dict[str, Subject] = field(default_factory=dict)
    _changed: dict[str, Subject] = field(default_factory=dict)
    """What is not in the store yet."""

    def take_in(self, done: Mapping[Source, Activity], since: datetime, at: datetime) -> None:
        """Take in what was done between the two instants.

        Raises UserError where the store cannot be read, and has taken in nothing then.
        """
        prefixes = {source: str(prefix_of(source)) for source in done}
        with self.store.read() as connection:
            held = self._held(connection, list(prefixes.values()), since, at)
            self._load(connection, held)
        read_as = terms(self.policy)
        for source, activity in done.items():
            prefix = prefixes[source]
            if prefix not in held:
                self.report.disputed += activity.refused + activity.monitored
                continue
            subject = self._subject(prefix, held[prefix], activity)
            subject.pattern.add(activity, read_as)
            self._changed[_key(subject.subscriber, subject.prefix)] = subject
        self._forget(at)

    def _held(
        self, connection: Connection, prefixes: Sequence[str], since: datetime, at: datetime
    ) -> dict[str, Period | None]:
        """Who held each address; without those that changed hands meanwhile, as it is not known whose doing it was."""
        asked = [(prefix, instant) for instant in (since, at) for prefix in prefixes]
        answers = self.holders(connection, asked)
        before, now = answers[: len(prefixes)], answers[len(prefixes) :]
        return {
            prefix: new or old
            for prefix, old, new in zip(prefixes, before, now, strict=True)
            if old is None or new is None or old.subscriber == new.subscriber
        }

    def _load(self, connection: Connection, held: Mapping[str, Period | None]) -> None:
        """Go on with cases that are open in the store: after a restart, or from another router."""
        subscribers, nobody = set[str](), set[str]()
        for prefix, lease in held.items():
            if lease is None and prefix not in self._subjects:
                nobody.add(prefix)
            elif lease is not None and _key(lease.subscriber, prefix) not in self._subjects:
                subscribers.add(lease.subscriber)
        for case, pattern in cases.open_of(connection, subscribers, nobody):
            subject = Subject(case.subscriber, case.prefix, Pattern.of(pattern), None, case)
            self._subjects[_key(case.subscriber, case.prefix)] = subject

    def _subject(self, prefix: str, lease: Period | None, activity: Activity) -> Subject:
        subscriber = lease.subscriber if lease else None
        subject = self._subjects.setdefault(
            _key(subscriber, prefix), Subject(subscriber, prefix, Pattern(activity.first, activity.last))
        )
        subject.lease = lease or subject.lease
        return subject

    def write(self, at: datetime, everything: bool = False) -> None:
        """Write what is new, and take the steps that are due; with `everything` what else would wait for a minute.

        Raises UserError where the store cannot be written; nothing is lost by that, the next call writes it.
        """
        watch, read_as = self.policy.watch, terms(self.policy)
        news = list[_News]()
        for key, subject in list(self._changed.items()):
            figures = subject.pattern.figures(micros(at), read_as)
            if subject.case is None and figures.attempts < watch.open_attempts:
                del self._changed[key]
            elif is_news(subject, finding := classify(figures, watch), at) or everything:
                news.append(_News(key, subject, figures, finding))
        quiet = at - timedelta(hours=watch.quiet_hours)
        with self.store.read() as connection:
            waiting = cases.waiting(connection, quiet, watch.notice, watch.quarantine)
            self.report.open = cases.number_open(connection)
        if not news and not any(due(case, watch, at) for case in waiting):
            return
        try:
            with self.store.write() as connection:
                written = self._save(connection, news, at)
                steps = self._take_steps(connection, quiet, at)
        except IntegrityError:
            return  # another router has opened a case for the same subscriber: the next time it is found
        self._note(news, written, steps, at)

    def _save(self, connection: Connection, news: Sequence[_News], at: datetime) -> dict[str, Case | None]:
        """The cases as they are now, by subject; None: an operator closed it meanwhile."""
        new = [each.subject for each in news if each.subject.case is None]
        nobody = [subject.prefix for subject in new if subject.subscriber is None]
        there = cases.open_of(connection, [subject.subscriber for subject in new if subject.subscriber], nobody)
        known = cases.current(connection, [each.subject.case.id for each in news if each.subject.case])
        by_key = {_key(case.subscriber, case.prefix): case for case, _ in there}
        written = dict[str, Case | None]()
        for key, subject, figures, finding in news:
            case = by_key.get(key) if subject.case is None else known.get(subject.case.id)
            seen = Seen(
                finding.kind, instant(figures.first), instant(figures.last), figures.attempts, figures.targets,
                evidence(subject, figures, finding), subject.pattern.stored(),
            )  # fmt: skip
            if case is not None:
                by = By(BY, at, finding.rule or "no rule fits")
                written[key] = cases.seen_again(connection, case, seen, by)
            elif subject.case is not None:
                written[key] = None
            else:
                by = By(BY, at, f"{figures.attempts} attempts")
                written[key] = cases.opened(connection, subject.subscriber, subject.prefix, seen, by)
        return written

    def _take_steps(self, connection: Connection, quiet: datetime, at: datetime) -> dict[int, Case]:
        watch, taken = self.policy.watch, dict[int, Case]()
        for case in cases.waiting(connection, quiet, watch.notice, watch.quarantine):
            if (step := due(case, watch, at)) is not None:
                taken[case.id] = cases.step(connection, case, step, By(BY, at, _why(step, watch)))
        return taken

    def _note(
        self, news: Sequence[_News], written: Mapping[str, Case | None], steps: Mapping[int, Case], at: datetime
    ) -> None:
        """Keep in memory what has been committed."""
        for key, subject, *_ in news:
            case = written[key]
            self.report.opened += subject.case is None and case is not None
            subject.case, subject.saved_at = case and steps.get(case.id, case), at
            del self._changed[key]
            if subject.case is None:
                self._subjects.pop(key, None)  # what the operator has looked at counts no more
        closed = {case.id for case in steps.values() if case.state is State.CLOSED}
        self.report.closed += len(closed)
        self._subjects = {
            key: each for key, each in self._subjects.items() if each.case is None or each.case.id not in closed
        }

    def _forget(self, at: datetime) -> None:
        """Those that were quiet for as long as a case is kept open; the least active too when there are too many."""
        cut = micros(at) - self.policy.watch.quiet_hours * HOUR
        self._subjects = {key: each for key, each in self._subjects.items() if each.pattern.last >= cut}
        if len(self._subjects) > SUBJECTS:
            ranked = sorted(self._subjects.items(), key=lambda each: (each[1].case is None, -each[1].pattern.attempts))
            self.report.forgotten += len(ranked) - SUBJECTS
            self._subjects = dict(ranked[:SUBJECTS])


def evidence(subject: Subject, figures: Figures, finding: Finding) -> dict[str, Any]:
    """What a case rests on, as JSON: figures, every criterion with its threshold, the busiest targets, the lease."""
    shown = asdict(figures) | {"first": _text(figures.first), "last": _text(figures.last)}
    tried = sorted(subject.pattern.tried.items(), key=lambda each: (-each[1].attempts, each[0]))[:SHOWN]
    lease = subject.lease
    return {
        "about": ABOUT,
        "rule": finding.rule,
        "figures": shown,
        "criteria": [asdict(each) for each in finding.evidence],
        "targets": [
            {"address": name, "attempts": each.attempts, "tries": each.waits + 1, "first": _text(each.first),
             "last": _text(each.last)}
            for name, each in tried
        ],
        "lease": lease and {
            "subscriber": lease.subscriber, "prefix": lease.prefix, "source": lease.source, "session": lease.session,
            "since": lease.since.isoformat(),
        },
    }  # fmt: skip


def _why(step: Step, watch: Watch) -> str:
    return {
        Step.CLOSE: f"quiet for {watch.quiet_hours} hours",
        Step.NOTICE: "the policy's watch.notice",
        Step.QUARANTINE: f"went on for {watch.quarantine_after_hours} hours after the notice",
    }[step]


def _key(subscriber: str | None, prefix: str) -> str:
    """No prefix is a name with this sign in front."""
    return f"@{subscriber}" if subscriber is not None else prefix


def _text(at: int) -> str:
    return instant(at).astimezone(UTC).isoformat(timespec="seconds")
