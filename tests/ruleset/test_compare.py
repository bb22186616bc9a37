"""Changes are what turns one ruleset into the other, no more and no less."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

from hypothesis import given, settings
from hypothesis import strategies as st

from op25b.policy.intervals import AddressSet
from op25b.policy.model import Filter, Refuse
from op25b.ruleset.compare import Change, changes, digest
from op25b.ruleset.lower import lower
from op25b.ruleset.rules import Action, Rule, Ruleset
from tests.support.policies import INSTANTS, instants, policies, prefixes

Content = dict[str, tuple[Action, AddressSet, AddressSet]]
NOTHING = AddressSet()


members = st.lists(prefixes(), min_size=1, max_size=3).map(AddressSet.of)


@st.composite
def _rule(draw: st.DrawFn, name: str) -> Rule:
    if name.startswith("phase/"):
        return Rule(name, draw(st.sampled_from((Action.REFUSE, Action.MONITOR))), draw(members), None, ())
    sources = None if name.startswith("own-server/") else draw(members)
    return Rule(name, Action.PASS, sources, draw(members), ())


@st.composite
def _rules(draw: st.DrawFn, *names: str) -> tuple[Rule, ...]:
    return tuple(draw(_rule(name)) for name in draw(st.lists(st.sampled_from(names), unique=True)))


@st.composite
def rulesets(draw: st.DrawFn) -> Ruleset:
    """Often with many rules, under names that two of them are likely to share."""
    passes = draw(_rules("own-server/a", "own-server/b", "exemption/c"))
    phases = draw(_rules("phase/x", "phase/y", "phase/z"))
    wanted = draw(st.sampled_from((Filter(), Filter(refuse=Refuse.DROP))))
    return Ruleset("random", INSTANTS[0], passes, phases, wanted)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Ruleset, Ruleset]:
    """Two rulesets: any, or the same with its rules in another order, or those of one policy at two instants."""
    kind = draw(st.sampled_from(("any", "shuffled", "later")))
    if kind == "later":
        policy = draw(policies())
        return lower(policy, draw(instants(policy))), lower(policy, draw(instants(policy)))
    before = draw(rulesets())
    if kind == "any":
        return before, draw(rulesets())
    passes, phases = (tuple(draw(st.permutations(rules))) for rules in (before.passes, before.phases))
    return before, replace(before, passes=passes, phases=phases)


def content(ruleset: Ruleset) -> Content:
    return {rule.name: (rule.action, rule.sources or NOTHING, rule.destinations or NOTHING) for rule in ruleset}


def applied(before: Content, found: list[Change]) -> Content:
    result = dict(before)
    for change in found:
        if change.rule.startswith("filter"):
            continue
        action, sources, destinations = result.pop(change.rule, (None, NOTHING, NOTHING))
        assert change.before == action
        for gained, there in ((change.gained_sources, sources), (change.gained_destinations, destinations)):
            assert not AddressSet.of(gained) & there, "gained what was there"
        for lost, there in ((change.lost_sources, sources), (change.lost_destinations, destinations)):
            assert not AddressSet.of(lost) - there, "lost what was not there"
        if change.after is not None:
            result[change.rule] = (
                change.after,
                (sources - AddressSet.of(change.lost_sources)) | AddressSet.of(change.gained_sources),
                (destinations - AddressSet.of(change.lost_destinations)) | AddressSet.of(change.gained_destinations),
            )
    return result


@given(pairs())
def test_changes_turn_one_into_the_other(pair: tuple[Ruleset, Ruleset]) -> None:
    before, after = pair
    assert applied(content(before), changes(before, after)) == content(after)


@settings(max_examples=30)
@given(rulesets())
def test_changes_from_nothing_are_the_whole(ruleset: Ruleset) -> None:
    assert applied({}, changes(None, ruleset)) == content(ruleset)


@given(pairs())
def test_no_change_exactly_when_the_digests_are_equal(pair: tuple[Ruleset, Ruleset]) -> None:
    before, after = pair
    assert (changes(before, after) == []) == (digest(before) == digest(after))


@settings(max_examples=30)
@given(rulesets())
def test_the_instant_and_the_provider_change_nothing(ruleset: Ruleset) -> None:
    other = replace(ruleset, provider="another", at=ruleset.at.replace(year=2030))
    assert changes(ruleset, other) == []
    assert digest(ruleset) == digest(other)


def test_one_line_for_a_person() -> None:
    assert Change("phase/p", Action.MONITOR, Action.REFUSE).describe() == "phase/p: monitor becomes refuse"
    assert Change("phase/p", Action.REFUSE, None).describe() == "phase/p: goes away (was refuse)"
    many = tuple(ip_network(f"192.0.2.{number}/32") for number in range(0, 14, 2))
    assert Change("phase/p", None, Action.REFUSE, gained_sources=many).describe() == (
        "phase/p: new, refuse; "
        "+192.0.2.0/32, 192.0.2.2/32, 192.0.2.4/32, 192.0.2.6/32, 192.0.2.8/32 and 2 more (sources)"
    )
