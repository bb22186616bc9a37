"""From what was seen to the cause, without a network."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given

from op25b.answers import pages
from op25b.answers.causes import Cause, heading
from op25b.answers.speech import LANGUAGES, Language
from op25b.doctor.probe.causes import Why, causes
from op25b.doctor.probe.findings import CELLS, Summary
from op25b.doctor.probe.outcomes import ANSWERED, SHUT, Login, Outcome, Place, Role
from op25b.doctor.probe.words import CAUSES, EXPLAINED, OUTCOMES
from op25b.locale import speakers
from op25b.policy.load import load
from op25b.policy.verdict import Judge

from .test_codes import SUMMARIES

EXAMPLES = Path(__file__).parents[2] / "examples"
OWN, OTHER, SETTING = Role.OWN, Role.OTHER, Role.SETTING


Cells = dict[int, Outcome]
"""By port."""


def seen(ours: Cells, other: Cells, used: Outcome = Outcome.UNTRIED, **more: object) -> Summary:
    """Over both families alike."""
    told = {OWN: ours, OTHER: other, SETTING: {0: used}}
    cells = tuple(told[role].get(port, Outcome.UNTRIED) for role, port, _ in CELLS)
    return Summary(cells, **more)  # type: ignore[arg-type]


UP = {587: Outcome.WORKS, 465: Outcome.WORKS}
ALL_UP = {25: Outcome.WORKS, **UP}
DOWN = {587: Outcome.REFUSED, 465: Outcome.REFUSED}
HERE, THERE, SOMEWHERE = Place.OWN, Place.OTHER, Place.UNKNOWN


@pytest.mark.parametrize("shut", SHUT)
@pytest.mark.parametrize(
    ("own", "place", "why"),
    [
        # the own server is open on 25
        (ALL_UP, HERE, Why.BLOCKED_HERE),
        (ALL_UP, SOMEWHERE, Why.BLOCKED_HERE),
        ({25: Outcome.REFUSED, **UP}, THERE, Why.BLOCKED_THERE),
        ({25: Outcome.DROPPED, **UP}, SOMEWHERE, Why.BLOCKED_THERE),
        # it is not (claims N7, I8): only the place tells whose block it is, and ours is the first to think of
        (UP, HERE, Why.BLOCKED_HERE),
        (UP, THERE, Why.BLOCKED_THERE),
        (UP, SOMEWHERE, Why.BLOCKED_HERE),
    ],
)
def test_port_25(own: Cells, place: Place, why: Why, shut: Outcome) -> None:
    assert causes(seen(own, {25: shut, **UP}, place=place)) == [why]


@pytest.mark.parametrize(
    ("summary", "whys"),
    [
        (seen(ALL_UP, ALL_UP), []),
        (seen(UP, {}), []),
        # nobody elsewhere is named, and our own 25 is not reached from another network
        (seen({25: Outcome.DROPPED, **UP}, {}, place=THERE), [Why.BLOCKED_THERE]),
        (seen({25: Outcome.DENIED, **UP}, ALL_UP, place=THERE), [Why.OUTSIDE]),
        (seen({25: Outcome.DENIED, **UP}, ALL_UP, place=SOMEWHERE), [Why.OUTSIDE]),
        (seen({25: Outcome.DENIED, **UP}, ALL_UP, place=HERE), [Why.NEEDS_LOGIN]),
        (seen(DOWN, ALL_UP), [Why.SERVER_DOWN]),
        (seen(DOWN, {25: Outcome.REFUSED, **UP}, place=HERE), [Why.SERVER_DOWN, Why.BLOCKED_HERE]),
        (seen({587: Outcome.FAILING, 465: Outcome.DROPPED}, ALL_UP), [Why.SERVER_FAILING]),
        # all ports of mail are closed, everywhere: a company's firewall, or on our own lines our own fault
        (seen({25: Outcome.DROPPED, **DOWN}, {25: Outcome.DROPPED, **DOWN}, place=THERE), [Why.FIREWALL]),
        (seen({25: Outcome.DROPPED, **DOWN}, {25: Outcome.DROPPED, **DOWN}, place=HERE), [Why.SERVER_DOWN]),
        (seen({}, {}, network=False), [Why.NO_NETWORK]),
        (seen({25: Outcome.REDIRECTED, **UP}, {}, place=HERE), [Why.REDIRECTED_HERE]),
        (seen(ALL_UP, {25: Outcome.REDIRECTED}, place=THERE), [Why.REDIRECTED_THERE]),
        (seen({587: Outcome.INTERCEPTED, 465: Outcome.WORKS}, {}), [Why.INTERCEPTED]),
        (seen({587: Outcome.STRIPPED}, {}), [Why.STRIPPED]),
        # others' certificates, and whether they offer STARTTLS, are not ours to judge
        (seen(UP, {587: Outcome.STRIPPED, 465: Outcome.INTERCEPTED}), []),
    ],
)
def test_situations(summary: Summary, whys: list[Why]) -> None:
    assert causes(summary) == whys


@pytest.mark.parametrize(
    ("login", "whys"),
    [
        (Login.ACCEPTED, []),
        (Login.WRONG, [Why.WRONG_LOGIN]),
        (Login.NOT_OFFERED, [Why.NO_LOGIN]),
        (Login.UNAVAILABLE, [Why.LOGIN_DOWN]),
    ],
)
def test_log_in(login: Login, whys: list[Why]) -> None:
    assert causes(seen(UP, ALL_UP, login=login)) == whys
    # what is certain comes before what is possible
    assert causes(seen(UP, {25: Outcome.REFUSED}, login=login)) == [*whys, Why.BLOCKED_HERE]
    assert causes(seen(UP, {25: Outcome.REFUSED}, Outcome.WORKS, login=login, setting=587)) == whys


@pytest.mark.parametrize(
    ("summary", "whys"),
    [
        (seen(UP, {25: Outcome.REFUSED}, Outcome.WORKS, setting=587), []),
        (seen(ALL_UP, {25: Outcome.REFUSED}, Outcome.WORKS, setting=25), []),
        (seen(UP, {25: Outcome.REFUSED}, Outcome.REFUSED, setting=1), [Why.WRONG_PORT]),
        (seen(UP, ALL_UP, Outcome.REFUSED, setting=25), [Why.WRONG_PORT]),
        # claim N7: our own server's 25 is closed like any other
        (seen(UP, {25: Outcome.REFUSED}, Outcome.REFUSED, setting=25, place=HERE), [Why.BLOCKED_HERE]),
        (seen(UP, {25: Outcome.REFUSED}, Outcome.REFUSED, setting=25, own=False, place=HERE), [Why.BLOCKED_HERE]),
        (seen(UP, ALL_UP, Outcome.REFUSED, setting=587, own=False), [Why.NOT_THERE]),
        (seen(UP, ALL_UP, Outcome.UNRESOLVED, setting=587, own=False), [Why.WRONG_NAME]),
        (seen({587: Outcome.UNRESOLVED}, ALL_UP, Outcome.UNRESOLVED, setting=587), [Why.WRONG_NAME]),
        (seen({587: Outcome.UNRESOLVED}, ALL_UP), [Why.SERVER_DOWN]),
        # from outside, set to our port 25
        (seen({25: Outcome.DENIED, **UP}, ALL_UP, Outcome.DENIED, setting=25, place=THERE), [Why.OUTSIDE]),
        (seen({25: Outcome.DENIED, **UP}, ALL_UP, Outcome.WORKS, setting=587, place=THERE), []),
    ],
)
def test_what_the_mail_program_is_set_to(summary: Summary, whys: list[Why]) -> None:
    assert causes(summary) == whys


@pytest.mark.parametrize(
    ("six", "whys"),
    [
        (Outcome.DROPPED, [Why.IPV6]),
        (Outcome.REFUSED, [Why.IPV6]),
        # no way at all is noticed at once, and the other family is taken
        (Outcome.UNREACHABLE, []),
        (Outcome.UNTRIED, []),
        (Outcome.WORKS, []),
    ],
)
def test_one_family(six: Outcome, whys: list[Why]) -> None:
    cells = tuple(six if family == 6 and role is OWN else Outcome.WORKS for role, _, family in CELLS[:-2])
    assert causes(Summary((*cells, Outcome.UNTRIED, Outcome.UNTRIED))) == whys


@given(SUMMARIES)
def test_any_summary_has_an_answer(summary: Summary) -> None:
    found = causes(summary)
    assert len(found) == len(set(found))
    if not summary.network:
        assert found == [Why.NO_NETWORK]
    if Why.SERVER_DOWN in found:
        assert summary.far(OWN, 587, 465) < ANSWERED


def test_there_are_words_for_all() -> None:
    assert set(EXPLAINED) == set(Why)
    assert {why.cause for why in Why} == set(CAUSES)
    assert set(OUTCOMES) == set(Outcome) - {Outcome.UNTRIED}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_titles_are_the_troubleshooters(language: Language) -> None:
    policy = load((EXAMPLES / "sonet.toml").read_text()).policy
    assert policy is not None
    say = speakers(ZoneInfo("Asia/Tokyo"))[language]
    subject = pages.Subject(Judge(policy), datetime(2026, 4, 1, tzinfo=UTC), say, ())
    for cause in Cause:
        assert say(CAUSES[cause], provider=subject.provider) == heading(cause, subject)
