"""The neutral rules: exact, few, disjoint, and named as the verdict names them."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from op25b.policy.intervals import AddressSet
from op25b.policy.model import Policy
from op25b.policy.reasons import Decision
from op25b.policy.verdict import Flow, Judge
from op25b.ruleset.lower import lower
from op25b.ruleset.rules import Action
from tests.support.policies import flows, instants, policies

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def policy(*prefixes: str, **more: Any) -> Policy:
    return Policy.model_validate(
        {
            "provider": {"name": "p", "display": {"ja": "P", "en": "P"}, "time_zone": "UTC"},
            "own_servers": [{"name": "mail", "hosts": ["m.example"], "addresses": ["198.18.0.25"], "ports": [587]}],
            "pools": [{"name": "all", "prefixes": list(prefixes)}],
            "phases": [{"name": "on", "scope": {}, "mode": "enforce"}],
        }
        | more
    )


def sources(of: Policy) -> list[str]:
    found = lower(of, NOW).phases[0].sources
    assert found is not None
    return [str(prefix) for prefix in found.prefixes()]


def test_prefixes_that_touch_become_one() -> None:
    assert sources(policy("203.0.113.0/25", "203.0.113.128/25", "2001:db8::/33", "2001:db8:8000::/33")) == [
        "203.0.113.0/24",
        "2001:db8::/32",
    ]


def test_prefixes_that_only_nearly_make_a_larger_one_do_not() -> None:
    assert sources(policy("203.0.113.0/25", "203.0.113.128/26")) == ["203.0.113.0/25", "203.0.113.128/26"]


def test_own_server_inside_a_pool_is_cut_out_exactly() -> None:
    assert sources(policy("198.18.0.24/30")) == ["198.18.0.24/32", "198.18.0.26/31"]


def test_pool_of_own_servers_alone_makes_no_rule() -> None:
    assert lower(policy("198.18.0.25/32"), NOW).phases == ()


def test_without_phases_there_are_no_rules() -> None:
    assert list(lower(policy("198.18.0.0/24", phases=[]), NOW)) == []


def test_exemption_is_cut_to_what_is_covered() -> None:
    exempt = [{"name": "company", "prefixes": ["198.18.0.0/16"], "reason": "x"}]
    (rule,) = lower(policy("198.18.0.0/28", exemptions=exempt), NOW).passes
    assert rule.sources == AddressSet.of([ip_network("198.18.0.0/28")])


def test_exemptions_of_one_kind_are_one_rule_that_names_them_all() -> None:
    exempt = [{"name": f"e{n}", "prefixes": [f"198.18.0.{n}"], "reason": "x"} for n in range(3)]
    (rule,) = lower(policy("198.18.0.0/28", exemptions=exempt), NOW).passes
    assert rule.origin == ("exemption/e0", "exemption/e1", "exemption/e2")
    assert rule.sources is not None
    assert [str(prefix) for prefix in rule.sources.prefixes()] == ["198.18.0.0/31", "198.18.0.2/32"]


@pytest.mark.parametrize(
    ("prefix", "inside", "outside"),
    [
        ("0.0.0.0/0", ("0.0.0.0", "255.255.255.255"), ("::", "::ffff:1.2.3.4")),
        ("::/0", ("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), ("0.0.0.0", "255.255.255.255")),
        ("255.255.255.254/31", ("255.255.255.254", "255.255.255.255"), ("255.255.255.253", "0.0.0.0")),
    ],
)
def test_whole_address_space(prefix: str, inside: tuple[str, ...], outside: tuple[str, ...]) -> None:
    found = lower(policy(prefix), NOW)
    for texts, action in ((inside, Action.REFUSE), (outside, Action.PASS)):
        for address in map(ip_address, texts):
            assert found.action(address, ip_address("192.0.2.1" if address.version == 4 else "2001:db8::1")) is action


@settings(max_examples=150)
@given(st.data())
def test_phases_never_overlap_and_are_named_as_the_verdict_names_them(data: st.DataObject) -> None:
    made = data.draw(policies())
    at = data.draw(instants(made))
    ruleset = lower(made, at)
    covered = AddressSet()
    for rule in ruleset.phases:
        assert rule.sources is not None
        assert rule.sources
        assert not rule.sources & covered
        covered |= rule.sources
    judge = Judge(made)
    for flow in data.draw(st.lists(flows(made), min_size=20, max_size=20)):
        found = judge.outcome(Flow(flow.src, flow.dst), at)
        if found.decision is not Decision.PASS:
            assert next(rule.name for rule in ruleset if rule.matches(flow.src, flow.dst)) == found.rule
