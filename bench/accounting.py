"""From an Accounting-Start to the packet: sessions written down and addresses let through, acknowledged after both.

Events a second, with as many packets in flight as a few access servers have after an outage; and at 2,000 a second,
whatever comes back, the time from the packet's sending until a SYN for port 25 of that very address has passed the
router. For each event real SYNs are sent until one passes, at distances of 0.2 ms or a tenth of the time since. After
each run whoever was acknowledged must be written down, and in the filter if exempt. Who takes part: see
accounters and freeradius.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from accounters import Accounter, Op25b
from figures import Row, Sample, interleaved, main, needs
from freeradius import PEERS
from mailrun import BASE, Lost, disk
from netns import Router
from radiusload import Prober, Rate, Sender, Times, each_second, in_flight, start_packet, subscriber

IN_FLIGHT = 256
OFFERED = 2000
EVERYONE, FEW = 1, 100
"""One in so many subscribers is exempt."""
CONTESTANTS: tuple[type[Accounter], ...] = (Op25b, *PEERS)


@dataclass(frozen=True)
class Size:
    """Of a run: packets that are there to be sent, seconds before the window and of it; packets sent at OFFERED."""

    packets: int
    warm: float
    seconds: float
    offered: int
    rounds: int


def flood(router: Router, kind: type[Accounter], size: Size, share: int) -> Rate:
    """As fast as they are answered."""
    with tempfile.TemporaryDirectory(prefix="op25b-bench-", dir=BASE) as folder:
        made = kind(router, Path(folder), [subscriber(number) for number in range(0, size.packets, share)])
        packets = [start_packet(number) for number in range(size.packets)]
        with made:
            sender = Sender(router, packets)
            found = in_flight(sender, size.packets, IN_FLIGHT, size.warm, size.seconds)
            sender.close()
            _require(made, found.answered, share)
    return found


def _require(made: Accounter, answered: int, share: int) -> None:
    """Raises Lost. Packets are sent in order, and not all that were sent are answered."""
    if (sessions := made.sessions()) < answered:
        raise Lost(f"{made.name} acknowledged {answered} sessions and has {sessions}")
    if (members := made.members()) < answered // share:
        raise Lost(f"{made.name} acknowledged {answered // share} that are exempt, and {members} are in the filter")


def steady(router: Router, kind: type[Accounter], size: Size) -> Times:
    """At OFFERED a second, everyone exempt."""
    with tempfile.TemporaryDirectory(prefix="op25b-bench-", dir=BASE) as folder:
        made = kind(router, Path(folder), [subscriber(number) for number in range(size.offered)])
        packets = [start_packet(number) for number in range(size.offered)]
        with made:
            sender, prober = Sender(router, packets), Prober(router, size.offered)
            found = each_second(sender, prober, OFFERED, size.offered, 10.0)
            sender.close()
            prober.close()
    return found


def events(router: Router, size: Size, share: int) -> list[Row]:
    """A row for each peer."""
    contestants = {each.name: partial(_rate, router, each, size, share) for each in CONTESTANTS}
    found = interleaved(contestants, size.rounds)
    ours = found.pop(Op25b.name)
    who = "everyone" if share == EVERYONE else f"1 in {share}"
    rows = []
    for name, theirs in found.items():
        note = f"{ours.spread(1, 0)} against {theirs.spread(1, 0)}"
        target = ">= 10x" if share == EVERYONE and name.startswith("nft script") else ""
        figures = f"{ours.median:,.0f}", f"FreeRADIUS, {name}: {theirs.median:,.0f}"
        work = f"accounting events a second, {who} exempt"
        rows.append(Row(work, *figures, ours.median / theirs.median, note, target))
    return rows


def _rate(router: Router, kind: type[Accounter], size: Size, share: int) -> float:
    return flood(router, kind, size, share).rate


def delays(router: Router, size: Size) -> list[Row]:
    """Percentiles over all runs of one kind."""
    found: dict[str, list[Times]] = {each.name: [] for each in CONTESTANTS}
    interleaved({each.name: partial(_noted, found, router, each, size) for each in CONTESTANTS}, size.rounds)
    percentiles = {name: _percentiles([each.passed for each in times]) for name, times in found.items()}
    (half, tail), answered = percentiles[Op25b.name], _percentiles([each.answer for each in found[Op25b.name]])
    worst = Sample(tuple(_percentiles([each.passed])[1] for each in found[Op25b.name]))
    note = f"answered after {_ms(*answered)}; p99 of each run {worst.spread(1000, 1)} ms"
    work = f"Accounting-Start to the packet that passes, {OFFERED:,} a second, p50 and p99"
    rows = []
    for each in PEERS:
        their_half, their_tail = percentiles[each.name]
        never = 1 - np.isfinite(np.concatenate([times.passed for times in found[each.name]])).mean()
        theirs = f"FreeRADIUS, {each.name}: {_ms(their_half, their_tail)}"
        more = f"; {never:.0%} of theirs not within 10 s of the last" if never else ""
        ratio = their_tail / tail if np.isfinite(their_tail) else None
        rows.append(Row(work, _ms(half, tail), theirs, ratio, note + more, "p99 < 10 ms"))
    return rows


def _noted(found: dict[str, list[Times]], router: Router, kind: type[Accounter], size: Size) -> float:
    times = steady(router, kind, size)
    found[kind.name].append(times)
    return float(np.median(times.passed))


def _percentiles(times: Sequence[np.ndarray]) -> tuple[float, float]:
    half, tail = np.percentile(np.concatenate(times), (50, 99), method="higher")
    return float(half), float(tail)


def _ms(*seconds: float) -> str:
    return " and ".join("never" if not np.isfinite(each) else f"{each * 1000:,.1f} ms" for each in seconds)


def run(quick: bool) -> list[Row]:
    """The figures."""
    needs("nft", "ip", "freeradius")
    disk()
    size = Size(20_000, 0.5, 1.0, 2000, 1) if quick else Size(60_000, 1.0, 4.0, 12_000, 2)
    with Router() as router:
        return [*events(router, size, EVERYONE), *events(router, size, FEW), *delays(router, size)]


if __name__ == "__main__":
    main(run)
