"""The verdict over columns of flows, against one look-up a flow with pytricia and a loop over `ipaddress` networks.

The policy: 1,000 prefixes of each family in 50 pools, 200 exemptions of which half begin and end, 10 own servers.
Half of the sources are customers. "mixed": as many IPv4 flows as IPv6. "instants": each row has an instant of its own.
The peers answer less than op25b does: whether source and destination are in the policy, no dates, no reasons; and
their flows are Python objects that are there already.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Any

import numpy as np
import pytricia
from figures import Row, interleaved, main, seconds
from numpy.typing import NDArray

from op25b.policy.batch import BatchJudge, Column4, Column6, Int32, microseconds
from op25b.policy.model import Policy
from op25b.policy.verdict import SMTP, Judge

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
PEER_FLOWS, LOOP_FLOWS = 20_000, 100
LOW = 2**64 - 1

Networks = list[IPv4Network | IPv6Network]
Work = Callable[[], object]


def policy(random: np.random.Generator) -> tuple[Policy, Networks]:
    """The policy and its pools' prefixes, IPv4 first."""
    v4 = random.choice(1 << 12, 1000, replace=False).tolist()
    prefixes: Networks = [ip_network((10 << 24 | n << 12, 20 + n % 9)) for n in v4]
    prefixes += [ip_network((0x20010DB8 << 96 | n << 80, 48 + n % 3 * 8)) for n in v4]
    exempt = random.choice(len(prefixes), 200, replace=False).tolist()
    dates = [{"from": START + n * DAY, "until": START + (n + 30) * DAY} for n in range(100)] + [{}] * 100
    return Policy.model_validate(
        {
            "provider": {"name": "bench", "display": {"ja": "測定", "en": "Bench"}, "time_zone": "Asia/Tokyo"},
            "own_servers": [
                {"name": f"mail-{n}", "hosts": ["m.example"], "addresses": [f"192.0.2.{n}"], "ports": [25, 587]}
                for n in range(10)
            ],
            "pools": [
                {"name": f"pool-{n}", "prefixes": [str(net) for net in prefixes[n::50]], "line": f"line-{n % 5}"}
                for n in range(50)
            ],
            "phases": [
                {"name": "block", "scope": {"lines": ["line-0", "line-1", "line-2"]}, "mode": "enforce"},
                {"name": "count", "scope": {"lines": ["line-3"]}, "mode": "monitor", "from": START + 50 * DAY},
            ],
            "exemptions": [
                {"name": f"exempt-{n}", "prefixes": [str(prefixes[at][n % 8])], "reason": "own server", **dates[n]}
                for n, at in enumerate(exempt)
            ],
        }
    ), prefixes


class Flows:
    """Columns of random flows: `v4` and `v6` rows; a share of them to port 25; one instant, or one for each row."""

    def __init__(
        self, random: np.random.Generator, prefixes: Networks, v4: int, v6: int, to_25: float, instants: bool
    ) -> None:
        self.sources = self._addresses(random, prefixes, v4, v6)
        self.targets = self._addresses(random, [ip_network("192.0.0.0/16"), ip_network("2a00::/16")], v4, v6)
        self.dport = np.where(random.random(v4 + v6) < to_25, SMTP, 443).astype(np.uint16)
        spread = random.integers(0, 200 * 86_400_000_000, v4 + v6 if instants else 1)
        self.at = microseconds(START) + spread
        self.v4, self.v6 = v4, v6

    def _addresses(self, random: np.random.Generator, prefixes: Networks, v4: int, v6: int) -> tuple[Column4, Column6]:
        """Half of them anywhere, half in the prefixes."""
        first = [int(net.network_address) for net in prefixes if net.version == 6]
        high = np.array([value >> 64 for value in first], np.uint64)[random.integers(0, len(first), v6)]
        high = np.where(random.random(v6) < 0.5, high, high ^ np.uint64(1 << 47))
        low = random.integers(0, 2**64, v6, np.uint64)
        first = [int(net.network_address) for net in prefixes if net.version == 4]
        known = np.array(first, np.uint32)[random.integers(0, len(first), v4)] + random.integers(0, 16, v4, np.uint32)
        column: NDArray[Any] = np.where(random.random(v4) < 0.5, known, random.integers(0, 2**32, v4, np.uint32))
        return column, (high, low)

    def judged(self, judge: BatchJudge) -> tuple[Int32, Int32]:
        """What op25b is timed at: the outcomes of all rows."""
        at4, at6 = (self.at[: self.v4], self.at[self.v4 :]) if len(self.at) > 1 else (self.at, self.at)
        return (
            judge.v4(self.sources[0], self.targets[0], self.dport[: self.v4], at4),
            judge.v6(self.sources[1], self.targets[1], self.dport[self.v4 :], at6),
        )

    def objects(self, count: int) -> list[tuple[Any, Any, int]]:
        """Some rows as (source, destination, port) with address objects, both families in their shares."""
        v4 = count * self.v4 // (self.v4 + self.v6)
        v6 = count - v4
        ends = []
        for column, (high, low) in (self.sources, self.targets):
            six = [int(h) << 64 | int(w) for h, w in zip(high[:v6], low[:v6], strict=True)]
            ends.append([*map(IPv4Address, column[:v4].tolist()), *map(IPv6Address, six)])
        ports = [*self.dport[:v4].tolist(), *self.dport[self.v4 :][:v6].tolist()]
        return list(zip(*ends, ports, strict=True))


def with_pytricia(policy: Policy, flows: list[tuple[Any, Any, int]]) -> Work:
    """Two look-ups for each flow to port 25, in tries that hold all that the policy names. Addresses are bytes."""
    tries = []
    for named in _named(policy):
        found = {4: pytricia.PyTricia(32), 6: pytricia.PyTricia(128, socket.AF_INET6)}
        for net in named:
            found[net.version].insert(str(net), True)
        tries.append({4: found[4], 16: found[6]})
    packed = [(src.packed, dst.packed, port) for src, dst, port in flows]
    sources, targets = tries

    def work() -> list[bool]:
        return [
            port == SMTP and sources[len(src)].get(src) is not None and targets[len(dst)].get(dst) is None
            for src, dst, port in packed
        ]

    return work


def with_ipaddress(policy: Policy, flows: list[tuple[Any, Any, int]]) -> Work:
    """`address in network` down the lists of all that the policy names."""
    sources, targets = _named(policy)
    by_family = {
        version: tuple([net for net in named if net.version == version] for named in (sources, targets))
        for version in (4, 6)
    }

    def work() -> list[bool]:
        found = []
        for src, dst, port in flows:
            inside, allowed = by_family[src.version]
            found.append(port == SMTP and any(src in net for net in inside) and not any(dst in net for net in allowed))
        return found

    return work


def _named(policy: Policy) -> tuple[Networks, Networks]:
    sources = [net for table in (*policy.pools, *policy.exemptions) for net in table.prefixes]
    return sources, [ip_network(address) for server in policy.own_servers for address in server.addresses]


CASES = (
    # work, IPv4 rows and IPv6 rows in a million, share to port 25, an instant for each row, flows/s to reach
    ("IPv4, all to port 25", 4, 0, 1.0, False, 10e6),
    ("IPv4, all to port 25, instants", 4, 0, 1.0, True, 10e6),
    ("IPv4, 1% to port 25, instants", 4, 0, 0.01, True, 10e6),
    ("mixed, all to port 25", 2, 2, 1.0, False, 5e6),
    ("mixed, all to port 25, instants", 2, 2, 1.0, True, 5e6),
    ("mixed, 1% to port 25, instants", 2, 2, 0.01, True, 5e6),
)


def run(quick: bool) -> list[Row]:
    """Two rows for each case, one a peer. Flows a second, one core."""
    random = np.random.default_rng(25)
    scale, rounds = (50_000, 2) if quick else (1_000_000, 5)
    made, prefixes = policy(random)
    judge = BatchJudge(Judge(made))
    rows = []
    for work, v4, v6, to_25, instants, target in CASES:
        flows = Flows(random, prefixes, v4 * scale, v6 * scale, to_25, instants)
        contestants = {
            "op25b": (partial(flows.judged, judge), (v4 + v6) * scale),
            "pytricia": (with_pytricia(made, flows.objects(PEER_FLOWS)), PEER_FLOWS),
            "ipaddress": (with_ipaddress(made, flows.objects(LOOP_FLOWS)), LOOP_FLOWS),
        }
        took = interleaved({name: partial(seconds, call) for name, (call, _) in contestants.items()}, rounds)
        rate = {name: contestants[name][1] / sample.median for name, sample in took.items()}
        for peer in ("pytricia", "ipaddress"):
            rows.append(
                Row(
                    f"verdicts a second: {work}",
                    f"{rate['op25b'] / 1e6:.1f}M",
                    f"{peer} loop {rate[peer] / 1e6:.3g}M",
                    rate["op25b"] / rate[peer],
                    note=f"op25b {took['op25b'].spread(1e3, 0)} ms for {(v4 + v6) * scale:,}",
                    target=f">= {target / 1e6:.0f}M",
                )
            )
    return rows


if __name__ == "__main__":
    main(run)
