"""Each criterion, met and failed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from op25b.policy.terms import ExemptionTerms
from op25b.subscribers.exemptions import criteria
from op25b.subscribers.exemptions.criteria import Criterion, Finding, Reverse, Span, generic
from op25b.subscribers.exemptions.request import Asked
from op25b.subscribers.exemptions.transitions import Kind
from tests.subscribers.exemptions.conftest import DAY, START, policy

TARO = Asked(Kind.SUBSCRIBER, "taro", None, "own server")
FIXED = Asked(Kind.PREFIX, None, "198.18.1.25/32", "own server")
STATIC, DYNAMIC = ip_network("198.18.1.25/32"), ip_network("198.18.0.25/32")
NAMED = Reverse(("mail.company.example",), ("mail.company.example",))


def found(
    terms: dict[str, Any], asked: Asked = TARO, held: Iterable[Any] = (STATIC,), reverse: Reverse = NAMED
) -> Finding:
    (finding,) = criteria.of_request(policy({asked.kind: terms}), asked, list(held), reverse, START)
    assert finding.at == START
    assert Finding.of(finding.shown()) == finding
    return finding


@pytest.mark.parametrize(
    ("held", "passed", "said"),
    [
        ([STATIC], True, "198.18.1.25/32: contract corporate"),
        ([DYNAMIC], False, "198.18.0.25/32: contract not said"),
        ([STATIC, DYNAMIC], False, "contract not said"),
        ([ip_network("203.0.113.1/32")], False, "203.0.113.1/32: in no pool"),
        ([], False, "holds no address now"),
    ],
)
def test_contract(held: list[Any], passed: bool, said: str) -> None:
    finding = found({"contracts": ["corporate"]}, held=held)
    assert (finding.criterion, finding.passed) == (Criterion.CONTRACT, passed)
    assert said in finding.found


@pytest.mark.parametrize(("held", "passed"), [([STATIC], True), ([DYNAMIC], False), ([STATIC, DYNAMIC], False)])
def test_static_address(held: list[Any], passed: bool) -> None:
    finding = found({"static_address": True}, held=held)
    assert (finding.criterion, finding.passed) == (Criterion.STATIC_ADDRESS, passed)


@pytest.mark.parametrize(
    ("domain", "passed"),
    [
        ("company.example", True),
        (None, False),
        ("toy.example", False),
        ("a.toy.example", False),
        ("xtoy.example", True),
    ],
)
def test_own_domain(domain: str | None, passed: bool) -> None:
    finding = found({"own_domain": True}, replace(TARO, domain=domain))
    assert (finding.criterion, finding.passed) == (Criterion.OWN_DOMAIN, passed)


@pytest.mark.parametrize("accepted", [True, False])
def test_fee(accepted: bool) -> None:
    finding = found({"fee": True}, replace(TARO, fee_accepted=accepted))
    assert (finding.criterion, finding.passed) == (Criterion.FEE, accepted)


ONE_WAY = Reverse(("mail.company.example",))
GENERIC = Reverse(("p25.1.18.198.dyn.toy.example",), ("p25.1.18.198.dyn.toy.example",))


@pytest.mark.parametrize(
    ("reverse", "met"),
    [
        (NAMED, "exists confirmed not-generic"),
        (GENERIC, "exists confirmed"),
        (ONE_WAY, "exists"),
        (Reverse(), ""),
        (Reverse(trouble="the name service gives no answer (LifetimeTimeout)"), ""),
        (Reverse(GENERIC.names + NAMED.names, GENERIC.confirmed + NAMED.confirmed), "exists confirmed not-generic"),
    ],
)
def test_reverse_dns(reverse: Reverse, met: str) -> None:
    for wanted in ("exists", "confirmed", "not-generic"):
        finding = found({"reverse_dns": wanted}, FIXED, reverse=reverse)
        assert (finding.criterion, finding.passed) == (Criterion.REVERSE_DNS, wanted in met.split())


@pytest.mark.parametrize(
    ("server", "held", "address"),
    [
        (None, ["198.18.1.25/32"], "198.18.1.25"),
        (None, ["198.18.1.24/29"], None),
        (None, ["198.18.1.25/32", "2001:db8:1::/56"], None),
        ("2001:db8:1::25", ["198.18.1.25/32", "2001:db8:1::/56"], "2001:db8:1::25"),
        ("198.18.1.30", ["198.18.1.24/29"], "198.18.1.30"),
        ("198.18.1.32", ["198.18.1.24/29"], None),
    ],
)
def test_whose_reverse_dns_is_looked_at(server: str | None, held: list[str], address: str | None) -> None:
    looked = criteria.server_address(replace(TARO, server=server), map(ip_network, held))
    assert looked == (None if address is None else ip_address(address))


@pytest.mark.parametrize(
    ("name", "address", "is_generic"),
    [
        ("mail.company.example", "198.18.1.25", False),
        ("mx25.company.example", "198.18.1.25", False),
        ("ns1.v18.company.example", "198.18.1.25", False),
        ("host-198-18-1-25.toy.example", "198.18.1.25", True),
        ("25.1.18.198.in.toy.example", "198.18.1.25", True),
        ("p198018001025.toy.example", "198.18.1.25", True),
        ("c6120119.ip.toy.example", "198.18.1.25", True),
        ("x7.adsl.toy.example", "198.18.1.25", True),
        ("addsleeves.example", "198.18.1.25", False),
        ("mail.company.example", "2001:db8::25", False),
        ("2001-db8--25.toy.example", "2001:db8::25", True),
        ("20010db8000000000000000000000025.toy.example", "2001:db8::25", True),
        ("5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.v6.toy.example", "2001:db8::25", True),
    ],
)
def test_names_made_from_an_address(name: str, address: str, is_generic: bool) -> None:
    assert generic(name, ip_address(address)) is is_generic


@pytest.mark.parametrize(("days", "passed"), [(400, True), (401, False)])
def test_duration(days: int, passed: bool) -> None:
    terms = ExemptionTerms(longest_days=400)
    span = Span(START, START, START + days * DAY)
    (finding,) = criteria.of_duration(terms, span, START - DAY)
    assert (finding.criterion, finding.passed) == (Criterion.DURATION, passed)
    assert criteria.of_duration(ExemptionTerms(), span, START) == []


def test_quotas() -> None:
    terms = ExemptionTerms(most=3, most_per_subscriber=1)
    for in_force, mine, passed in ((2, 0, [True, True]), (3, 1, [False, False])):
        findings = criteria.of_quotas(terms, TARO, in_force, mine, START)
        assert [finding.passed for finding in findings] == passed
    (only,) = criteria.of_quotas(terms, FIXED, 2, 5, START)
    assert only.criterion is Criterion.QUOTA
    assert criteria.of_quotas(ExemptionTerms(), TARO, 10**6, 10**6, START) == []


@pytest.mark.parametrize(
    ("limit", "prefix", "persons"),
    [
        (None, "198.18.0.0/17", 1), (16, "198.18.1.0/28", 1), (16, "198.18.1.0/27", 2), (0, None, 2), (1, None, 1),
        (16, "2001:db8:1::/60", 1), (16, "2001:db8:1::/56", 2), (1, "2001:db8:1::25/128", 1),
    ],
)  # fmt: skip
def test_how_many_persons(limit: int | None, prefix: str | None, persons: int) -> None:
    asked = replace(TARO, kind=Kind.SUBSCRIBER if prefix is None else Kind.PREFIX, prefix=prefix)
    assert criteria.persons(ExemptionTerms(second_person_above=limit), asked) == persons


INSTANTS = st.none() | st.integers(-900, 900).map(lambda hours: START + timedelta(hours=hours))


@given(INSTANTS, INSTANTS, INSTANTS)
def test_whatever_is_asked_has_a_review_and_an_end(from_at: Any, review_at: Any, until_at: Any) -> None:
    asked = replace(TARO, from_at=from_at, review_at=review_at, until_at=until_at)
    found = criteria.span(ExemptionTerms(), asked, START)
    assert found.from_at == max(from_at or START, START)
    assert found.review_at >= found.from_at
    if until_at is not None:
        assert found.until_at == until_at
    elif review_at is not None:
        assert found.until_at == review_at + 30 * DAY
    else:
        assert found == Span(found.from_at, found.from_at + 365 * DAY, found.from_at + 395 * DAY)


def test_what_is_asked_for_is_what_is_found() -> None:
    """Every criterion that the terms ask for has a finding, and no other."""
    full = {
        "contracts": ["corporate"],
        "static_address": True,
        "own_domain": True,
        "reverse_dns": "exists",
        "fee": True,
    }
    some = {"own_domain": True, "fee": True}
    said = policy({"subscriber": full, "prefix": full, "destination": some, "longest_days": 900, "most": 9})
    for asked in (TARO, FIXED, Asked(Kind.DESTINATION, "taro", "203.0.113.1/32", "x")):
        terms = said.exemption_terms
        findings = [
            *criteria.of_request(said, asked, [STATIC], NAMED, START),
            *criteria.of_duration(terms, criteria.span(terms, asked, START), START),
            *criteria.of_quotas(terms, asked, 0, 0, START),
        ]
        assert {finding.criterion for finding in findings} == criteria.asked_for(terms, asked)
