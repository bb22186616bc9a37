"""The fate of a packet in the kernel is the verdict: random policies, random flows, both families."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from op25b.enforcement.live import LiveSets
from op25b.enforcement.members import Members, count
from op25b.enforcement.netlink import Netlink
from op25b.enforcement.prefix_texts import members
from op25b.policy import scope
from op25b.policy.batch import BatchJudge
from op25b.policy.model import Policy, Refuse
from op25b.policy.reasons import Decision
from op25b.policy.verdict import Flow, Judge
from op25b.ruleset.lower import lower
from op25b.ruleset.nftables import render
from tests.support import wire
from tests.support.columns import batch_outcomes
from tests.support.policies import flows, instants, policies
from tests.support.trio import Trio

pytestmark = pytest.mark.root
POLICIES, FLOWS = 60, 100
SIGNS = {Refuse.TCP_RESET: {"reset"}, Refuse.ICMP: {"icmp"}, Refuse.DROP: set()}


@pytest.fixture(scope="module")
def trio() -> Iterator[Trio]:
    with Trio() as found:
        yield found


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Policy, datetime, list[Flow]]:
    """A policy, one instant, and flows."""
    policy = draw(policies())
    return policy, draw(instants(policy)), draw(st.lists(flows(policy), min_size=FLOWS, max_size=FLOWS))


def packet(flow: Flow, number: int) -> bytes:
    body = wire.tcp if flow.proto == wire.TCP else wire.udp
    sport = 40000 if flow.sport is None else flow.sport
    return wire.ip(flow.src, flow.dst, flow.proto, body(flow.src, flow.dst, number, flow.dport, sport))


def test_the_fate_of_a_packet_is_the_verdict(trio: Trio) -> None:
    sent: Counter[str] = Counter()

    @settings(
        max_examples=POLICIES,
        # a policy with a hundred flows takes minutes to shrink; the first flow that differs tells as much
        phases=[Phase.reuse, Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(scenes())
    def agree(scene: tuple[Policy, datetime, list[Flow]]) -> None:
        policy, at, asked = scene
        judge = Judge(policy)
        verdicts = [judge.verdict(flow, at) for flow in asked]
        by_batch = batch_outcomes(BatchJudge(judge), [(flow, at) for flow in asked])
        assert by_batch == [(found.decision, found.reason, found.rule) for found in verdicts]
        trio.load(render(lower(policy, at)))
        numbers = [trio.number() for _ in asked]
        fates = trio.send(packet(flow, number) for flow, number in zip(asked, numbers, strict=True))
        expected = [
            SIGNS[policy.filter.refuse] if verdict.decision is Decision.BLOCK else {"arrived"} for verdict in verdicts
        ]
        assert [fates.get(number, set()) for number in numbers] == expected
        _counted(trio, [(flow, v.decision, v.rule) for flow, v in zip(asked, verdicts, strict=True)])
        sent.update(f"{flow.src.version}:{v.decision}" for flow, v in zip(asked, verdicts, strict=True))

    agree()
    assert sent.total() >= 2000
    for version in (4, 6):
        assert sent[f"{version}:block"] >= 5, sent
        assert sent[f"{version}:pass"] >= 100, sent


def _as_live(policy: Policy, at: datetime) -> tuple[Policy, Members]:
    """What exemptions in force can be live ones are taken out of the policy, and are the members of live sets."""
    current = [each for each in policy.exemptions if scope.in_force(each, at)]
    chosen = [each for each in current if not (each.prefixes and each.destinations)]
    sources = members(str(prefix) for each in chosen for prefix in each.prefixes)
    destinations = members((str(prefix) for each in chosen for prefix in each.destinations), destination=True)
    left = tuple(each for each in policy.exemptions if each not in chosen)
    return policy.model_copy(update={"exemptions": left}), sources | destinations


def test_a_live_exemption_is_an_exemption_in_the_policy(trio: Trio) -> None:
    """The fate of a packet is the verdict on the policy with all exemptions, and the kernel has them as members."""
    sent: Counter[str] = Counter()
    link = trio.edge.inside(Netlink)

    @settings(
        max_examples=POLICIES,
        phases=[Phase.reuse, Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(scenes())
    def agree(scene: tuple[Policy, datetime, list[Flow]]) -> None:
        policy, at, asked = scene
        judge = Judge(policy)
        verdicts = [judge.verdict(flow, at) for flow in asked]
        without, live = _as_live(policy, at)
        trio.load(render(lower(without, at)))
        LiveSets(link).replace(live)
        numbers = [trio.number() for _ in asked]
        fates = trio.send(packet(flow, number) for flow, number in zip(asked, numbers, strict=True))
        expected = [
            SIGNS[policy.filter.refuse] if verdict.decision is Decision.BLOCK else {"arrived"} for verdict in verdicts
        ]
        assert [fates.get(number, set()) for number in numbers] == expected
        sent.update(f"{flow.src.version}:{v.reason}" for flow, v in zip(asked, verdicts, strict=True))
        sent["live"] += count(live)

    with link:
        agree()
    assert sent["live"] >= 20, sent
    for version in (4, 6):
        assert sent[f"{version}:exempt"] >= 1, sent
        assert sent[f"{version}:covered"] >= 5, sent


def _counted(trio: Trio, judged: list[tuple[Flow, Decision, str]]) -> None:
    """The table counts every refused and monitored packet, by phase and by source."""
    listed = json.loads(trio.nft("-j", "list", "table", "inet", "op25b"))["nftables"]
    counters = {each["counter"]["name"]: each["counter"]["packets"] for each in listed if "counter" in each}
    by_rule = Counter(rule for _, decision, rule in judged if decision is not Decision.PASS)
    assert {name: count for name, count in counters.items() if name.startswith("phase/") and count} == by_rule
    for decision, kind in ((Decision.BLOCK, "refused"), (Decision.MONITORED, "monitored")):
        by_source = Counter(_counted_as(flow) for flow, found, _ in judged if found is decision)
        assert _members(listed, f"{kind}4") | _members(listed, f"{kind}6") == by_source


def _counted_as(flow: Flow) -> str:
    """IPv6 sources are counted by /64."""
    return str(flow.src if flow.src.version == 4 else ip_network((flow.src, 64), strict=False).network_address)


def _members(listed: list[dict[str, Any]], name: str) -> dict[str, int]:
    found = next(each["set"] for each in listed if each.get("set", {}).get("name") == name)
    return {each["elem"]["val"]: each["elem"]["counter"]["packets"] for each in found.get("elem", [])}
