"""Kinds: patterns as they are seen in networks, and that more of the same never makes it another kind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from op25b.policy.model import Policy
from op25b.policy.watching import SenderKind, Watch
from op25b.watch.activity import activities
from op25b.watch.classify import RULES, classify
from op25b.watch.pattern import Figures, Pattern
from op25b.watch.tally import Tally
from op25b.watch.watcher import terms
from tests.support.attempts import DAY, SECOND, Attempt, bot, home_server, mail_program, records

ME = "198.18.0.1"
POLICY = Policy.model_validate(
    {
        "provider": {"name": "p", "display": {"ja": "p", "en": "p"}, "time_zone": "Asia/Tokyo"},
        "own_servers": [{"name": "mail", "hosts": ["m.example"], "addresses": ["192.0.2.25"], "ports": [587]}],
    }
)
TERMS, WATCH = terms(POLICY), POLICY.watch
LOOK = 10


def figures(attempts: Iterable[Attempt], counted: dict[str, int] | None = None) -> Figures:
    """Of one source, looked at every ten seconds."""
    tally, pattern = Tally(), Pattern(1 << 62, 0)
    looks: dict[int, list[Attempt]] = {}
    for attempt in sorted(attempts, key=lambda each: each.at):
        looks.setdefault(int(attempt.at // LOOK), []).append(attempt)
    for number, found in looks.items():
        tally.add(records(found))
        sets = {name: {int(records(found).source[0]): packets} for name, packets in (counted or {}).items()}
        for activity in activities(tally.take(), sets, DAY + (number + 1) * LOOK * SECOND)[0].values():
            pattern.add(activity, TERMS)
        pattern = Pattern.of(pattern.stored())
    return pattern.figures(pattern.last, TERMS)


@pytest.mark.parametrize(
    ("attempts", "kind", "rule"),
    [
        (bot(ME, 1), SenderKind.BOT, "bot: fast"),
        (bot(ME, 2, targets=60, seconds=7200), SenderKind.BOT, "bot: restless"),
        (bot("2001:db8:1::7", 3), SenderKind.BOT, "bot: fast"),
        (home_server(ME, 12, 6), SenderKind.HOME_SERVER, "home server: queue"),
        (home_server(ME, 60, 3), SenderKind.HOME_SERVER, "home server: queue"),
        (home_server(ME, 1, 8), SenderKind.HOME_SERVER, "home server: growing waits"),
        (mail_program(ME, (1, 5)), SenderKind.MAIL_PROGRAM, "mail program: by day"),
        (mail_program(ME, (1, 5), ("203.0.113.25", "2001:db8:9::25")), SenderKind.MAIL_PROGRAM, "mail program: by day"),
        # a computer that is never switched off
        (mail_program(ME, (0,), every=600, tries=144), SenderKind.MAIL_PROGRAM, "mail program: polling"),
        (mail_program(ME, (17, 18), ("192.0.2.25",)), SenderKind.MAIL_PROGRAM, "mail program: own server"),
        # too little to say
        (mail_program(ME, (1,), tries=2), SenderKind.UNKNOWN, ""),
        (bot(ME, 4, targets=15), SenderKind.UNKNOWN, ""),
        # a burst that may yet turn out to be a queue
        (bot(ME, 5, targets=40, seconds=60), SenderKind.UNKNOWN, ""),
    ],
)
def test_patterns_are_taken_for_what_they_are(attempts: Iterable[Attempt], kind: SenderKind, rule: str) -> None:
    found = classify(figures(attempts), WATCH)
    assert (found.kind, found.rule) == (kind, rule), [each for each in found.evidence if each.met]


def test_repeated_syns_are_one_attempt_and_the_counters_say_how_many_there_were() -> None:
    sent = list(mail_program(ME, (1,), tries=6))
    assert len(sent) == 24
    assert figures(sent).attempts == 6
    # twice as many packets as were logged: the sample is scaled up, and said to be one
    found = figures(sent, {"refused4": 8})
    assert (found.attempts, found.seen, found.attempts_exact, found.targets_exact) == (12, 6, False, False)
    assert figures([], None).attempts == 0


def test_the_evidence_has_every_criterion_with_its_threshold() -> None:
    found = classify(figures(bot(ME, 1)), WATCH)
    assert {each.rule for each in found.evidence} == {rule.name for rule in RULES}
    fast = [each for each in found.evidence if each.rule == "bot: fast"]
    assert [(each.criterion, each.value, each.relation, each.threshold, each.met) for each in fast] == [
        ("attempts seen", 200, ">=", 5, True),
        ("targets in one hour", 200, ">=", 100, True),
    ]


def test_thresholds_are_the_policys() -> None:
    found = figures(bot(ME, 1, targets=30, seconds=20))
    assert classify(found, WATCH).kind is SenderKind.UNKNOWN
    strict = Watch.model_validate({"bot": {"certain_targets_an_hour": 30}})
    assert classify(found, strict).kind is SenderKind.BOT


share = st.none() | st.floats(0, 1)
number = st.integers(0, 400)
some = st.builds(
    Figures, first=st.just(DAY), last=st.just(DAY), attempts=number, attempts_exact=st.booleans(),
    packets_refused=number, packets_monitored=number, seen=number, targets=number, targets_exact=st.booleans(),
    networks=number, busiest_hour=number, active_minutes=number, watched=number, returned=share, waits=number,
    regular=share, early_waits=number, growing=share, night=share, own=share,
)  # fmt: skip


@given(some, st.integers(1, 100))
def test_more_targets_in_an_hour_never_make_a_bot_something_else(found: Figures, more: int) -> None:
    if classify(found, WATCH).kind is SenderKind.BOT:
        assert classify(replace(found, busiest_hour=found.busiest_hour + more), WATCH).kind is SenderKind.BOT


@given(some, st.integers(1, 100))
def test_more_attempts_seen_never_take_a_kind_away(found: Figures, more: int) -> None:
    kind = classify(found, WATCH).kind
    if kind is not SenderKind.UNKNOWN:
        assert classify(replace(found, seen=found.seen + more), WATCH).kind is kind


@given(some, st.floats(0, 1))
def test_who_returns_more_often_is_no_more_of_a_bot(found: Figures, more: float) -> None:
    if found.returned is not None and classify(found, WATCH).kind is not SenderKind.BOT:
        more = min(1.0, found.returned + more)
        assert classify(replace(found, returned=more), WATCH).kind is not SenderKind.BOT


@given(some)
def test_a_kind_is_named_only_where_all_its_criteria_are_met(found: Figures) -> None:
    finding = classify(found, WATCH)
    mine = [each for each in finding.evidence if each.rule == finding.rule]
    assert all(each.met for each in mine)
    assert bool(mine) == (finding.kind is not SenderKind.UNKNOWN)
    assert classify(found, WATCH) == finding
