"""Log records of refused attempts: read, parsed and added up by source and target, with none lost.

Real: packets for port 25 from 1,024 sources of both families to as many targets are routed through op25b's own table,
which refuses them and logs each; the NFLOG group is read as the service reads it. The way of the packet itself takes
most of a sender's processor, so a table before op25b's logs each packet some more times to the same group, with the
same prefix. Sender and reader have a processor each where there are two. The sender does not wait for the reader, so
the figure by the clock is what one processor sends, as long as nothing is lost. What is lost is known by the kernel's
numbers. Recorded: the same datagrams again, without the kernel; the peer is the plain way in Python, one record after
the other, into a dictionary; there it is seconds of a processor, as others use the machine too.
"""

from __future__ import annotations

import os
import struct
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from figures import Row, Sample, interleaved, main, needs
from netns import Flood, Router, packet4, packet6

from op25b.enforcement import nflog
from op25b.policy.model import Policy
from op25b.ruleset.lower import lower
from op25b.ruleset.nftables import render
from op25b.watch.nflog import HEADERS, MESSAGE, boundaries, parse
from op25b.watch.reader import Counts, Reader
from op25b.watch.tally import Tally

AT = datetime(2010, 1, 1, tzinfo=UTC)
GROUP = 4713
SOURCES = 1024
PAUSE = 0.02
PROCESSORS = os.sched_getaffinity(0)
TIMES = 17
"""Records for each packet."""
_AGAIN = f'log prefix "op25b refused phase/everyone" group {GROUP} snaplen 128 queue-threshold 100\n'
MORE = f"""
table inet again {{ chain forward {{
type filter hook forward priority filter - 10; policy accept;
{(TIMES - 1) * _AGAIN}
}}; }}
"""


def policy() -> Policy:
    """Everybody is refused in silence, so that what is measured is the log, and each attempt is logged."""
    return Policy.model_validate(
        {
            "provider": {"name": "bench", "display": {"ja": "b", "en": "b"}, "time_zone": "Asia/Tokyo"},
            "own_servers": [{"name": "mail", "hosts": ["m.example"], "addresses": ["192.0.2.25"], "ports": [587]}],
            "pools": [{"name": "all", "prefixes": ["10.0.0.0/8", "2001:db8::/32"]}],
            "phases": [{"name": "everyone", "mode": "enforce", "scope": {}}],
            "filter": {"refuse": "drop", "log_group": GROUP, "log_rate": 1_000_000},
        }
    )


def packets() -> list[bytes]:
    """Three of four are IPv4."""
    found = []
    for number in range(SOURCES):
        if number % 4:
            found.append(packet4((10 << 24) + number * 257, (203 << 24) + number * 99, 6, 25))
        else:
            found.append(packet6((0x20010DB8 << 96) + (number << 80) + 1, (0xFD01 << 112) + number, 6, 25))
    return found


def sender(flood: Flood, seconds: float) -> int:
    """A process that sends as fast as it can, on the last of the processors."""
    child = os.fork()
    if child == 0:
        os.sched_setaffinity(0, {max(PROCESSORS)})
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            flood.send(SOURCES)
        os._exit(0)
    return child


@dataclass(frozen=True)
class Run:
    """Records a second by the clock; processor seconds of sending and of reading them; what was counted."""

    rate: float
    sending: float
    reading: float
    counts: Counts


def real(router: Router, flood: Flood, seconds: float) -> Run:
    """Send and read for so long."""
    with router.router.entered():
        log = nflog.opened(GROUP)
    reader, tally = Reader(log, lambda: 0), Tally()
    os.sched_setaffinity(0, {min(PROCESSORS)})
    child, start, busy = sender(flood, seconds), time.monotonic(), time.thread_time()
    took = sending = 0.0
    while True:
        records = reader.read()
        tally.add(records)
        if len(records):
            took = time.monotonic() - start
            continue
        if sending:
            break
        if (ended := os.wait4(child, os.WNOHANG))[0]:
            sending = ended[2].ru_utime + ended[2].ru_stime
        time.sleep(PAUSE if not sending else 0.5)
    busy = time.thread_time() - busy
    os.sched_setaffinity(0, PROCESSORS)
    log.close()
    return Run(reader.counts.records / took, sending, busy, reader.counts)


def recorded(router: Router, flood: Flood, count: int) -> list[bytes]:
    """Datagrams as the kernel sends them."""
    with router.router.entered():
        log = nflog.opened(GROUP)
    flood.send(count // TIMES)
    log.settimeout(1)
    found = []
    try:
        while True:
            found.append(log.recv(1 << 17))
    except TimeoutError:
        log.close()
        return found


def by_columns(datagrams: Sequence[bytes]) -> float:
    """Processor seconds of op25b, through a buffer as Reader fills it."""
    start = time.thread_time()
    buffer, at, spans = bytearray(sum(map(len, datagrams)) + 4 * len(datagrams)), 0, []
    for each in datagrams:
        buffer[at : at + len(each)] = each
        at += len(each) + -len(each) % 4
    view, at = memoryview(buffer), 0
    for each in datagrams:
        spans += boundaries(view, at, at + len(each))
        at += len(each) + -len(each) % 4
    tally = Tally()
    tally.add(parse(view[: len(view) & ~3], spans, 0))
    tally.take()
    return time.thread_time() - start


def one_by_one(datagrams: Sequence[bytes]) -> float:
    """Processor seconds of the plain way."""
    start = time.thread_time()
    counts: Counter[tuple[bytes, bytes, bytes]] = Counter()
    for data in datagrams:
        at = 0
        while at + HEADERS <= len(data):
            length, kind = struct.unpack_from("=IH", data, at)
            if kind == MESSAGE:
                values = dict(_attributes(data, at + HEADERS, at + length))
                packet = values[9]
                ends = (packet[12:16], packet[16:20]) if packet[0] >> 4 == 4 else (packet[8:24], packet[24:40])
                counts[(*ends, values[10])] += 1
            at += length + -length % 4
    return time.thread_time() - start


def _attributes(data: bytes, at: int, end: int):  # type: ignore[no-untyped-def]
    while at + 4 <= end:
        length, kind = struct.unpack_from("=HH", data, at)
        yield kind & 0x3FFF, data[at + 4 : at + length]
        at += length + -length % 4


def run(quick: bool) -> list[Row]:
    """The figures."""
    needs("nft", "ip")
    rounds, seconds, count = (2, 1.0, 18_000) if quick else (5, 5.0, 45_000)
    rows = []
    with Router() as router:
        router.router.run("nft", render(lower(policy(), AT)))
        router.router.run("nft", MORE)
        flood = Flood(router, packets())
        runs = [real(router, flood, seconds) for _ in range(rounds)]
        rate = Sample(tuple(each.rate for each in runs))
        able = Sample(tuple(each.counts.records / each.reading for each in runs))
        sent = Sample(tuple(each.counts.records / each.sending for each in runs))
        lost, total = sum(each.counts.lost for each in runs), sum(each.counts.records for each in runs)
        note = (
            f"{lost} lost of {total}; {rate.spread(1e-3, 0)}k by the clock; with a processor for each "
            f"{sent.median / 1e3:,.0f}k sent and {able.median / 1e3:,.0f}k read"
        )
        rows.append(
            Row("NFLOG records a second, all read", f"{rate.median / 1e3:,.0f}k", "", None, note, "500k, 0 lost")
        )
        datagrams = recorded(router, flood, count)
    found = interleaved(
        {"op25b": lambda: count / by_columns(datagrams), "peer": lambda: count / one_by_one(datagrams)}, rounds
    )
    ours, theirs = found["op25b"], found["peer"]
    note = f"{ours.spread(1e-3, 0)}k and {theirs.spread(1e-3, 0)}k"
    figures = f"{ours.median / 1e3:,.0f}k", f"one by one in Python {theirs.median / 1e3:,.0f}k"
    rows.append(Row("recorded NFLOG records a second", *figures, ours.median / theirs.median, note))
    return rows


if __name__ == "__main__":
    main(run)
