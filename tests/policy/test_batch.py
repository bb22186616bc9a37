"""Batch = single = the long way round = the lowered rules, for random policies and flows at their edges."""

from __future__ import annotations

from datetime import datetime, timedelta
from ipaddress import ip_address

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from op25b.policy import batch
from op25b.policy.batch import BatchJudge, SearchTime, microseconds
from op25b.policy.model import Policy
from op25b.policy.verdict import Flow, Judge
from op25b.ruleset.lower import lower
from tests.support import oracle
from tests.support.columns import batch_outcomes, halves
from tests.support.policies import INSTANTS, cases

Asked = list[tuple[Flow, datetime]]


@pytest.mark.timeout(600)  # shrinking takes time, and what it finds is the message
@settings(max_examples=150)
@given(cases())
def test_every_way_of_judging_agrees(case: tuple[Policy, Asked]) -> None:
    policy, asked = case
    judge = Judge(policy)
    expected = [oracle.answer(policy, flow, at) for flow, at in asked]
    assert [tuple(judge.outcome(flow, at)) for flow, at in asked] == expected
    assert [tuple(found) for found in batch_outcomes(BatchJudge(judge), asked)] == expected
    rules = {at: lower(policy, at) for _, at in asked}
    for (flow, at), answer in zip(asked, expected, strict=True):
        if flow.dport == 25 and flow.proto == 6:
            assert rules[at].action(flow.src, flow.dst) == oracle.action(answer)


@settings(max_examples=40)
@given(cases())
def test_pairs_of_places_that_are_too_many_for_a_table_are_sorted(case: tuple[Policy, Asked]) -> None:
    policy, asked = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch, "DENSE", 0)
        found = batch_outcomes(BatchJudge(Judge(policy)), asked)
    assert found == batch_outcomes(BatchJudge(Judge(policy)), asked)


@settings(max_examples=40)
@given(cases())
def test_chunks_are_put_together_in_order(case: tuple[Policy, Asked]) -> None:
    policy, asked = case
    judge = BatchJudge(Judge(policy))
    whole = batch_outcomes(judge, asked)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch, "CHUNK", 7)
        assert batch_outcomes(judge, asked) == whole


@settings(max_examples=40)
@given(cases())
def test_one_instant_for_all_rows(case: tuple[Policy, Asked]) -> None:
    policy, asked = case
    at = asked[0][1]
    rows = [flow for flow, _ in asked if flow.src.version == 4]
    judge = BatchJudge(Judge(policy))
    src, dst = (np.array([int(getattr(flow, end)) for flow in rows], np.uint32) for end in ("src", "dst"))
    dport = np.array([flow.dport for flow in rows], np.uint16)
    proto = np.array([flow.proto for flow in rows], np.uint8)
    numbers = judge.v4(src, dst, dport, np.array([microseconds(at)]), proto=proto)
    plain = [Flow(flow.src, flow.dst, flow.dport, None, flow.proto) for flow in rows]
    assert [tuple(judge.outcomes[n]) for n in numbers] == [oracle.answer(policy, flow, at) for flow in plain]


def test_no_rows_make_no_answers() -> None:
    judge = BatchJudge(Judge(_everyone("0.0.0.0/0", "::/0")))
    none, at = np.empty(0, np.uint32), np.empty(0, np.int64)
    assert len(judge.v4(none, none, none, at)) == 0
    assert len(judge.v6(halves([]), halves([]), none, at)) == 0


@pytest.mark.parametrize(
    ("pool", "inside", "outside"),
    [
        ("0.0.0.0/0", ("0.0.0.0", "127.255.255.255", "255.255.255.255"), ()),
        ("::/0", ("::", "7fff::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), ()),
        ("255.255.255.255/32", ("255.255.255.255",), ("255.255.255.254", "0.0.0.0")),
        ("0.0.0.0/32", ("0.0.0.0",), ("0.0.0.1", "255.255.255.255")),
        ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",), ("::",)),
        # boundaries inside one /64, and one where the lower half wraps to zero
        ("2001:db8::8/125", ("2001:db8::8", "2001:db8::f"), ("2001:db8::7", "2001:db8::10")),
        ("2001:db8:0:1:8000::/65", ("2001:db8:0:1:ffff:ffff:ffff:ffff",), ("2001:db8:0:2::", "2001:db8:0:1::")),
        ("::/127", ("::", "::1"), ("::2", "0:0:0:1::")),
    ],
)
def test_ends_of_the_address_space(pool: str, inside: tuple[str, ...], outside: tuple[str, ...]) -> None:
    judge = BatchJudge(Judge(_everyone(pool)))
    pairs = [(text, "covered") for text in inside] + [(text, "not-a-customer") for text in outside]
    for text, reason in pairs:
        address = ip_address(text)
        # an own server, so that the destination is in no pool's meaning
        flow = Flow(address, ip_address("192.0.2.25" if address.version == 4 else "2001:db8::25"))
        assert [found.reason for found in batch_outcomes(judge, [(flow, INSTANTS[0])])] == [reason], text


def test_many_boundaries_within_one_64() -> None:
    hosts = [f"2001:db8::{number:x}" for number in range(0, 512, 2)]
    judge = BatchJudge(Judge(_everyone(*hosts)))
    asked = [(Flow(ip_address(f"2001:db8::{n:x}"), ip_address("2001:db8::25")), INSTANTS[0]) for n in range(512)]
    asked = [(flow, at) for flow, at in asked if int(flow.src) & 0xFFFF != 0x25]
    reasons = [found.reason for found in batch_outcomes(judge, asked)]
    assert reasons == ["not-a-customer" if int(flow.src) % 2 else "covered" for flow, _ in asked]


def test_microseconds_are_exact_and_the_same_for_every_offset() -> None:
    assert microseconds(INSTANTS[2]) == microseconds(INSTANTS[3])
    assert microseconds(INSTANTS[0] - timedelta(microseconds=1)) == microseconds(INSTANTS[0]) - 1


def _everyone(*prefixes: str) -> Policy:
    """Everyone in one pool, blocked always; own servers closed on 25 as destinations."""
    return Policy.model_validate(
        {
            "provider": {"name": "all", "display": {"ja": "全", "en": "All"}, "time_zone": "UTC"},
            "own_servers": [
                {"name": "mail", "hosts": ["m.example"], "addresses": ["192.0.2.25", "2001:db8::25"], "ports": [587]}
            ],
            "pools": [{"name": "everyone", "prefixes": list(prefixes)}],
            "phases": [{"name": "on", "scope": {}, "mode": "enforce"}],
        }
    )


@given(st.lists(st.integers(-(2**52), 2**52), unique=True), st.lists(st.integers(-(2**53), 2**53)), st.booleans())
def test_time_is_found_as_by_a_binary_search(starts: list[int], asked: list[int], close: bool) -> None:
    """`close`: starts a microsecond to some thousands apart, so that many fall into one span of the table."""
    ends = np.array(sorted({start % 5000 for start in starts} if close else starts), np.int64)
    column = np.array([*asked, *ends, *(ends - 1), *(ends + 1)], np.int64)
    assert (SearchTime(ends)(column) == np.searchsorted(ends, column, "right")).all()
