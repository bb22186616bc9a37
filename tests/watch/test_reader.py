"""What comes through the socket, what is lost on the way, and how much is kept of it."""

from __future__ import annotations

import socket
import subprocess
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from op25b.enforcement import nflog
from op25b.watch import tally as tallies
from op25b.watch.activity import activities, source_of
from op25b.watch.hashing import EXACT, Distinct, mixed
from op25b.watch.reader import Reader
from op25b.watch.tally import Tally
from tests.support.attempts import DAY, RULES, SECOND, Attempt, datagram, message, packet, records
from tests.watch.test_nflog import FOUR, TARGET


def logged(numbers: range) -> bytes:
    content = packet(Attempt(0, str(FOUR), str(TARGET)))
    return datagram(message(content, RULES[0], number % (1 << 32), DAY) for number in numbers)


def test_all_that_waits_is_read_at_once_and_gaps_in_the_numbers_are_losses() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        reader = Reader(ours, lambda: 0)
        assert len(reader.read()) == 0
        start = (1 << 32) - 60  # the numbers wrap
        theirs.send(logged(range(start, start + 50)))
        theirs.send(logged(range(start + 50, start + 100)))
        assert len(reader.read()) == 100
        theirs.send(logged(range(start + 107, start + 110)))
        assert len(reader.read()) == 3
        assert (reader.counts.records, reader.counts.lost, reader.counts.overruns) == (103, 7, 0)


@pytest.mark.root
def test_what_a_full_socket_loses_is_counted(netns: None) -> None:
    table = (
        "table inet t { chain out { type filter hook output priority 0; "
        f'udp dport 25 log prefix "{RULES[0]}" group 4714 snaplen 128 queue-threshold 100; }}; }}'
    )
    subprocess.run(["nft", "-f", "-"], input=table, text=True, check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with nflog.opened(4714) as log, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        log.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 100_000)
        reader = Reader(log, lambda: 0)
        for _ in range(10_000):
            sender.sendto(b"", ("127.0.0.1", 25))
        end = time.monotonic() + 10
        while reader.counts.records + reader.counts.lost < 10_000 and time.monotonic() < end:
            # a record that comes after the loss shows it
            if not len(reader.read()):
                sender.sendto(b"", ("127.0.0.1", 25))
                time.sleep(0.15)
    assert reader.counts.overruns >= 1
    assert 0 < reader.counts.lost < 10_000
    assert 10_000 <= reader.counts.records + reader.counts.lost < 10_100


def test_a_four_tuple_within_a_minute_is_one_attempt() -> None:
    tally = Tally()
    for at in (0, 1, 3, 7, 15, 31, 63, 200):
        tally.add(
            records([Attempt(at, str(FOUR), str(TARGET), 40000), Attempt(at, str(FOUR), str(TARGET), 50000 + at)])
        )
    pairs = tally.take()
    assert (pairs.attempts.tolist(), pairs.records.tolist()) == ([2 + 8], [16])
    assert (pairs.first.tolist(), pairs.last.tolist()) == ([DAY], [DAY + 200 * SECOND])
    # what is a repetition is known beyond that
    tally.add(records([Attempt(201, str(FOUR), str(TARGET), 40000)]))
    assert tally.take().attempts.tolist() == [0]


def test_refused_and_monitored_are_told_apart_and_the_counters_are_joined() -> None:
    tally = Tally()
    tally.add(records([Attempt(0, "198.18.0.1", "203.0.113.1", 1), Attempt(0, "198.18.0.1", "203.0.113.1", 2, True)]))
    one, other = source_of(FOUR), 1 << 40
    found, left_out = activities(tally.take(), {"refused4": {one: 7}, "monitored6": {other: 9}}, DAY)
    assert left_out == 0
    assert {source: (len(each.pairs), each.refused, each.monitored) for source, each in found.items()} == {
        int(np.uint64(0xC6120001)): (2, 0, 0), one: (0, 7, 0), other: (0, 0, 9),
    }  # fmt: skip


def test_sources_are_bounded_and_the_busiest_are_looked_at() -> None:
    tally = Tally()
    tally.add(records([Attempt(0, "198.18.0.1", "203.0.113.1", port) for port in range(60)]))
    counts = {number: number for number in range(1, 50)}
    found, left_out = activities(tally.take(), {"refused4": counts}, DAY, most=4)
    assert (set(found), left_out) == ({0xC6120001, 47, 48, 49}, 46)


def test_rows_are_bounded_and_the_least_active_sources_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "ROWS", 1000)
    tally = Tally()
    busy = [Attempt(0, "198.18.9.9", "203.0.113.1", port) for port in range(50)]
    for batch in range(20):
        flood = [Attempt(0, f"198.19.{batch}.{number}", "203.0.113.1") for number in range(200)]
        tally.add(records([*flood, *busy]))
    pairs = tally.take()
    assert len(pairs) <= 1000
    assert int(pairs.records[pairs.source == 0xC6120909].sum()) == 1000
    assert tally.given_up >= 3000


@given(st.lists(st.integers(0, 2**64 - 1), max_size=400))
def test_distinct_is_exact_up_to_its_bound(values: list[int]) -> None:
    found = Distinct()
    for at in range(0, len(values), 50):
        found.add(values[at : at + 50])
    if len(set(values)) <= EXACT:
        assert (found.count, found.exact) == (len(set(values)), True)


def test_distinct_is_near_beyond_it_and_repetitions_do_not_count() -> None:
    found = Distinct()
    for _ in range(3):
        found.add(mixed(np.arange(100_000)).tolist())
    assert not found.exact
    assert abs(found.count - 100_000) < 20_000
    assert Distinct(found.smallest).count == found.count
