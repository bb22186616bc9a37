"""What a packet that is not for port 25 costs on its way through the router: no rules, op25b's, one rule per customer.

op25b's ruleset is made from a policy with 1,000 prefixes and 100,000 exempt addresses. Every ruleset is in the kernel
all the time, dormant but for the one that is measured, so that nothing else differs. The figure is processor time,
from the system call that sends to the packet's end behind the router; see netns.Flood. It is the lower quartile of
many short runs, as what else the machine does only ever adds; a ratio is the median of those of single rounds. The
sending itself is about half of it. "chain without rules" is what any use of nftables costs.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from functools import partial
from ipaddress import IPv4Address, IPv4Network

import numpy as np
from figures import Row, Sample, interleaved, main, needs
from netns import Flood, Router, packet4, packet6

from op25b.enforcement import kernel
from op25b.enforcement.inventory import NFT_MSG_NEWTABLE, NFT_TABLE_F_DORMANT, NFTA_TABLE_FLAGS, NFTA_TABLE_NAME
from op25b.enforcement.netlink import Message, Netlink, attribute, text
from op25b.policy.model import Policy
from op25b.ruleset.lower import lower
from op25b.ruleset.nftables import table

AT = datetime(2010, 1, 1, tzinfo=UTC)
BASE = "type filter hook forward priority filter - 5; policy accept;"
SOURCES = 1024
KINDS = {"TCP/443, IPv4": (4, 6), "UDP/443, IPv4": (4, 17), "TCP/443, IPv6": (6, 6), "UDP/443, IPv6": (6, 17)}


def policy(exempt: int) -> Policy:
    """1,000 prefixes of each family, and so many exempt addresses among them."""
    four = [str(IPv4Network(((10 << 24) + (number << 14), 19))) for number in range(1000)]
    six = [f"2001:db8:{number:x}::/48" for number in range(1000)]
    hosts = [str(IPv4Address((10 << 24) + (number % 1000 << 14) + number // 1000 * 2)) for number in range(exempt)]
    return Policy.model_validate(
        {
            "provider": {"name": "bench", "display": {"ja": "b", "en": "b"}, "time_zone": "Asia/Tokyo"},
            "own_servers": [
                {"name": "mail", "hosts": ["m.example"], "addresses": ["203.0.113.25"], "ports": [25, 587]}
            ],
            "pools": [{"name": "all", "prefixes": four + six}],
            "phases": [{"name": "everyone", "mode": "enforce", "scope": {}}],
            "exemptions": [{"name": "many", "reason": "measurement", "prefixes": hosts}],
        }
    )


def packets(version: int, protocol: int) -> list[bytes]:
    """From covered sources to many destinations, port 443."""
    if version == 4:
        return [packet4((10 << 24) + (n % 1000 << 14) + 1, (203 << 24) + n * 99, protocol, 443) for n in range(SOURCES)]
    prefix = 0x20010DB8 << 96
    return [packet6(prefix + (n % 1000 << 80) + 1, (0xFD01 << 112) + n, protocol, 443) for n in range(SOURCES)]


def per_customer(count: int) -> str:
    """What is written without a set: a rule for each."""
    rules = "\n".join(f"tcp dport 25 ip saddr {IPv4Address((10 << 24) + n * 16)} drop" for n in range(count))
    return f"table inet rules{count} {{\nchain forward {{ {BASE}\n{rules}\n}}\n}}\n"


def set_dormant(link: Netlink, name: str, dormant: bool) -> None:
    """Hook a table's chains in or out."""
    flags = attribute(NFTA_TABLE_FLAGS, (NFT_TABLE_F_DORMANT * dormant).to_bytes(4, "big"))
    link.commit([Message(NFT_MSG_NEWTABLE, text(NFTA_TABLE_NAME, name) + flags, f"changing table {name}")])


def cost(link: Netlink, flood: Flood, name: str, count: int) -> float:
    """Processor seconds for a packet with the table `name` in force; none when it is empty."""
    if name:
        set_dormant(link, name, False)
    flood.send(SOURCES // 2)
    start = time.thread_time()
    flood.send(count)
    took = time.thread_time() - start
    if name:
        set_dormant(link, name, True)
    return took / count


def rulesets(router: Router, link: Netlink, exempt: int) -> None:
    """Everything that is compared, dormant."""
    router.router.run("nft", f"table inet empty {{ chain forward {{ {BASE} }}; }}")
    with router.router.entered():
        kernel.stage(link, table(lower(policy(exempt), AT), kernel.prefix(1)))
        kernel.switch(link, 1)
    for count in (1000, 10_000):
        router.router.run("nft", per_customer(count))
    for name in ("empty", "op25b", "rules1000", "rules10000"):
        set_dormant(link, name, True)


def measure(link: Netlink, flood: Flood, version: int, rounds: int) -> dict[str, Sample]:
    """Processor seconds a packet by ruleset."""
    names = {"no rules": "", "chain without rules": "empty", "op25b": "op25b"}
    if version == 4:
        names |= {"1,000 rules": "rules1000"}
    found = interleaved({key: partial(cost, link, flood, name, 4000) for key, name in names.items()}, rounds)
    if version == 4:
        slow = {"10,000 rules": partial(cost, link, flood, "rules10000", 1000)}
        found |= interleaved(slow, min(rounds, 5))
    return found


def low(sample: Sample) -> float:
    """The lower quartile, in nanoseconds."""
    return float(np.percentile(sample.values, 25)) * 1e9


def times(one: Sample, other: Sample) -> tuple[float, float, float]:
    """(quartile, median, quartile) of how many times `other` the cost `one` is, of runs of one round."""
    rounds = min(len(one.values), len(other.values))
    ratios = np.array(one.values[:rounds]) / np.array(other.values[:rounds])
    lower, middle, upper = np.percentile(ratios, (25, 50, 75))
    return float(lower), float(middle), float(upper)


def rows_for(kind: str, found: dict[str, Sample]) -> list[Row]:
    """Each other ruleset beside op25b's; the ratio is the peer's cost by op25b's, as everywhere."""
    rows = []
    for name, sample in found.items():
        if name != "op25b":
            lower, middle, upper = times(found["op25b"], sample)
            note = f"op25b costs {middle:.3f} times as much, quartiles {lower:.3f} and {upper:.3f}"
            target = "cost <= 1.08 times" if name == "no rules" else ""
            figures = (f"{low(found['op25b']):,.0f} ns", f"{name}: {low(sample):,.0f} ns")
            rows.append(Row(f"a packet of {kind}, routed", *figures, 1 / middle, note, target))
    return rows


def run(quick: bool = False) -> list[Row]:
    """Rows for TCP and UDP of both families."""
    needs("nft", "ip")
    rows = []
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})  # on the other one a packet's way would be someone else's time
    try:
        with Router() as router:
            with router.router.entered():
                link = Netlink()
            with link:
                rulesets(router, link, 1000 if quick else 100_000)
                for kind, (version, protocol) in KINDS.items():
                    flood = Flood(router, packets(version, protocol))
                    before = router.went_out()
                    rows += rows_for(kind, measure(link, flood, version, 5 if quick else 60))
                    assert router.went_out() > before, "no packet got through the router"
                    flood.close()
    finally:
        os.sched_setaffinity(0, allowed)
    return rows


if __name__ == "__main__":
    main(run)
