"""The fate of a packet is the verdict, by one and by many, with leases and exemptions in the store; afterwards too."""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import numpy as np
import pytest

from op25b.cli.columns import Addresses
from op25b.cli.live import Judges
from op25b.enforcement.generations import Records
from op25b.enforcement.netlink import Netlink
from op25b.policy.batch import microseconds
from op25b.policy.reasons import Decision
from op25b.policy.verdict import Flow, Judge
from op25b.subscribers.exemptions import as_policy
from op25b.subscribers.exemptions.records import Exemption
from op25b.subscribers.exemptions.transitions import Kind
from tests.support.columns import batch_outcomes
from tests.support.enforced import POOLS, Edge, loaded
from tests.support.following import POLICY, Site, now, prefixes, until
from tests.support.traffic import FLOWS, SERVER, Traffic
from tests.support.traffic import Flow as Probe

pytestmark = pytest.mark.root
SUBSCRIBERS = ("taro", "jiro", "hanako")
STEPS = 25


def flow(probe: Probe) -> Flow:
    pool, version = probe
    source = ip_address(prefixes(pool)[version == 6].partition("/")[0]) + (0 if version == 4 else 7)
    return Flow(source, SERVER[version])


def column(values: list[int]) -> Addresses:
    """IPv4 addresses of flows."""
    return Addresses(np.full(len(values), 4, np.uint8), np.array(values, np.uint32), np.empty(0), np.empty(0))


def verdicts(site: Site, at: datetime) -> dict[Probe, Decision]:
    """Of each probe at an instant, asked one by one; and by file the same."""
    policy = loaded(POLICY)
    found = {}
    with site.store.read() as connection:
        for probe in FLOWS:
            asked = flow(probe)
            extended = as_policy.at_instant(connection, policy, asked.src, [asked.dst], at)
            found[probe] = Judge(extended).verdict(asked, at).decision
    four = [flow(probe) for probe in FLOWS if probe[1] == 4]
    src, dst = (column([int(getattr(each, end)) for each in four]) for end in ("src", "dst"))
    instants, good = np.full(len(four), microseconds(at), np.int64), np.ones(len(four), np.bool_)
    judge = Judges(policy, site.store).of(src, dst, instants, good)
    by_file = batch_outcomes(judge, [(each, at) for each in four])
    assert [each.decision for each in by_file] == [found[probe] for probe in FLOWS if probe[1] == 4]
    return found


def fates(traffic: Traffic) -> dict[Probe, Decision]:
    return {probe: Decision.PASS if fate == "arrived" else Decision.BLOCK for probe, fate in traffic.probe().items()}


def test_the_fate_of_a_packet_is_the_verdict(link: Netlink, url: str, tmp_path: Path) -> None:
    choose = random.Random(25)
    granted: list[Exemption] = []
    where = dict.fromkeys(SUBSCRIBERS)
    seen: Counter[Decision] = Counter()
    then: dict[datetime, dict[Probe, Decision]] = {}
    with Site(Edge(link, Records(tmp_path / "state")), url, tmp_path) as site, Traffic() as traffic:
        for _ in range(STEPS):
            match choose.choice(["move", "move", "grant", "grant", "revoke"]):
                case "move":
                    who = choose.choice(SUBSCRIBERS)
                    pool = choose.choice([*POOLS, None])
                    site.moves(who, where[who], pool)
                    where[who] = pool
                case "grant":
                    kind = choose.choice([Kind.SUBSCRIBER, Kind.SUBSCRIBER, Kind.PREFIX, Kind.DESTINATION])
                    pool, server = choose.choice([*POOLS]), choose.choice([*SERVER.values()])
                    subject = {
                        Kind.SUBSCRIBER: choose.choice(SUBSCRIBERS),
                        Kind.PREFIX: choose.choice(prefixes(pool)),
                        Kind.DESTINATION: f"{server}/{server.max_prefixlen}",
                    }[kind]
                    if all(subject not in (each.asked.subscriber, each.asked.prefix) for each in granted):
                        granted.append(site.grant(kind, subject, lasts=timedelta(days=1)))
                case "revoke" if granted:
                    site.revoke(granted.pop(choose.randrange(len(granted))))
            at = now()
            expected = then[at] = verdicts(site, at)
            until(lambda expected=expected: fates(traffic) == expected, f"{expected}")
            seen.update(expected.values())
        assert {at: verdicts(site, at) for at in then} == then
    assert seen[Decision.PASS] > 20, seen
    assert seen[Decision.BLOCK] > 20, seen
