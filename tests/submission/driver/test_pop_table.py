"""Who logged in by POP: for how long it counts, at which address, and what processes see of each other."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from op25b.submission.driver.pop_table import ACCOUNTS, PopTable

AT = datetime(2026, 4, 1, tzinfo=UTC)
SPAN = timedelta(minutes=10)
HOME = ip_address("203.0.113.5")


@pytest.mark.parametrize(
    ("later", "known"),
    [
        (timedelta(0), True),
        (SPAN - timedelta(microseconds=1), True),
        (SPAN, False),
        (timedelta(days=400), False),
        (timedelta(microseconds=-1), False),
    ],
)
def test_it_counts_for_so_long_and_no_longer(later: timedelta, known: bool) -> None:
    table = PopTable(4)
    table.note(HOME, "taro", AT)
    assert list(table.names(HOME, AT + later, SPAN)) == ["taro"] * known


def test_a_further_log_in_counts_from_then() -> None:
    table = PopTable(4)
    table.note(HOME, "taro", AT)
    table.note(HOME, "taro", AT + SPAN)
    assert table.names(HOME, AT + SPAN, SPAN) == ["taro"]


@pytest.mark.parametrize("other", ["203.0.113.4", "::203.0.113.5", "2001:db8::5", "64:ff9b::203.0.113.5"])
def test_no_other_address(other: str) -> None:
    table = PopTable(1)
    table.note(HOME, "taro", AT)
    assert table.names(ip_address(other), AT, SPAN) == []


def test_ipv4_in_ipv6_is_ipv4() -> None:
    table = PopTable(4)
    table.note(ip_address("::ffff:203.0.113.5"), "taro", AT)
    assert table.names(HOME, AT, SPAN) == ["taro"]


def test_a_household_has_several() -> None:
    table = PopTable(4)
    for seconds, name in enumerate(["taro", "hanako", "jiro", "taro"]):
        table.note(HOME, name, AT + timedelta(seconds=seconds))
    assert table.names(HOME, AT + timedelta(seconds=9), SPAN) == ["taro", "jiro", "hanako"]


def test_the_oldest_makes_room() -> None:
    table = PopTable(1)
    for number in range(ACCOUNTS + 3):
        table.note(ip_address(number), f"user{number}", AT + timedelta(seconds=number))
    known = [bool(table.names(ip_address(number), AT + timedelta(minutes=1), SPAN)) for number in range(ACCOUNTS + 3)]
    assert known == [False] * 3 + [True] * ACCOUNTS


def test_a_process_that_is_forked_sees_what_is_noted() -> None:
    table = PopTable(4)
    if (child := os.fork()) == 0:
        table.note(HOME, "taro", AT)
        os._exit(0)
    os.waitpid(child, 0)
    assert table.names(HOME, AT, SPAN) == ["taro"]


def test_what_was_half_written_is_nobody() -> None:
    table = PopTable(1)
    table.note(HOME, "taro", AT)
    whole = table._records[:]
    place = whole.index(b"taro")
    table._records[place : place + 4] = b"jiro"
    assert table.names(HOME, AT, SPAN) == []
    table.note(HOME, "hanako", AT)
    assert table.names(HOME, AT, SPAN) == ["hanako"]


ADDRESSES = st.sampled_from([HOME, ip_address("203.0.113.6"), ip_address("2001:db8::5")])
LOG_INS = st.lists(st.tuples(ADDRESSES, st.sampled_from("abc"), st.integers(0, 900)), max_size=15)


@given(LOG_INS, ADDRESSES, st.integers(0, 1800))
def test_while_there_is_room_it_is_a_list(
    log_ins: list[tuple[IPv4Address | IPv6Address, str, int]], address: IPv4Address | IPv6Address, now: int
) -> None:
    table = PopTable(1)
    log_ins = sorted(log_ins, key=lambda each: each[2])
    for where, name, seconds in log_ins:
        table.note(where, name, AT + timedelta(seconds=seconds))
    last = {name: seconds for where, name, seconds in log_ins if where == address}
    expected = {name for name, seconds in last.items() if 0 <= now - seconds < 600}
    assert set(table.names(address, AT + timedelta(seconds=now), SPAN)) == expected
