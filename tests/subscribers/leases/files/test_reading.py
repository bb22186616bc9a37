"""Lease files as the servers write them, and as they come to grief."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from op25b.subscribers.leases import Claim, Fact, Release
from op25b.subscribers.leases.facts import FOREVER
from op25b.subscribers.leases.files.entry import Subscribers
from op25b.subscribers.leases.files.reading import Format, read

WRITTEN = datetime(2026, 4, 1, tzinfo=UTC)
KEA4 = """\
address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context
192.0.2.10,02:00:00:00:00:0A,01:02:00:00:00:00:0a,3600,1775005200,1,0,0,host&#x2ca,0,
192.0.2.11,02:00:00:00:00:0b,,3600,1775005200,1,0,0,,0,{ "comment": "a&#x2c b" }
192.0.2.10,02:00:00:00:00:0a,01:02:00:00:00:00:0a,3600,1775007000,1,0,0,host,0,
192.0.2.11,02:00:00:00:00:0b,,0,1775003000,1,0,0,,0,
192.0.2.12,02:00:00:00:00:0c,,3600,1775005200,1,0,0,,0,
192.0.2.12,02:00:00:00:00:0c,,3600,1775005200,1,0,0,,2,
192.0.2.13,02:00:00:00:00:0d,,4294967295,6069968895,1,0,0,,0,
192.0.2.14,,,86400,1775005200,1,0,0,,1,
"""
KEA6 = """\
address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,prefix_len,fqdn_fwd,fqdn_rev,hostname,hwaddr,state
2001:db8::a,00:03:00:01:02:00:00:00:00:0a,3600,1775005200,1,1800,0,7,128,0,0,,02:00:00:00:00:0a,0
2001:db8:0:100::,00:03:00:01:02:00:00:00:00:0a,3600,1775005200,1,1800,2,8,56,0,0,,,0
"""
DNSMASQ = """\
1775005200 02:00:00:00:00:0a 192.0.2.10 host 01:02:00:00:00:00:0a
0 06-02:00:00:00:00:0b 192.0.2.11 * *
duid 00:01:00:01:2b:aa:bb:cc:02:00:00:00:00:01
1775005200 7 2001:db8::a host 00:03:00:01:02:00:00:00:00:0a
"""
CSV = """\
subscriber,prefix,started,ended
taro,192.0.2.1,2026-03-01T00:00:00+09:00,
"hanako, the second",2001:db8::/56,2026-03-01T00:00:00+09:00,2026-03-02T00:00:00+09:00
"""


def facts(text: str, kind: Format, subscribers: Subscribers | None = None) -> list[Fact]:
    found = read(text.encode(), kind, "source", subscribers or Subscribers(), WRITTEN)
    assert found.faults == []
    return found.facts


def told(found: list[Fact]) -> list[tuple[str, str, str, str]]:
    """(what, subscriber, prefix, when), in the order of the file."""
    return [
        (type(fact).__name__, fact.subscriber, *fact.prefixes, f"{fact.at:%H:%M:%S}")
        for fact in found
        if isinstance(fact, Claim | Release)
    ]


def test_kea_ipv4() -> None:
    found = facts(KEA4, "kea")
    assert told(found) == [
        ("Claim", "02:00:00:00:00:0a", "192.0.2.10/32", "00:00:00"),
        ("Claim", "02:00:00:00:00:0b", "192.0.2.11/32", "00:00:00"),
        ("Claim", "02:00:00:00:00:0a", "192.0.2.10/32", "00:30:00"),
        ("Release", "02:00:00:00:00:0b", "192.0.2.11/32", "00:23:20"),
        ("Claim", "02:00:00:00:00:0c", "192.0.2.12/32", "00:00:00"),
        ("Release", "02:00:00:00:00:0c", "192.0.2.12/32", "01:00:00"),
        ("Claim", "02:00:00:00:00:0d", "192.0.2.13/32", "00:00:00"),
    ]
    first, renewal, endless = found[0], found[2], found[6]
    assert isinstance(first, Claim)
    assert isinstance(renewal, Claim)
    assert isinstance(endless, Claim)
    assert (renewal.session, renewal.started) == (first.session, first.at)
    assert (renewal.until, endless.until) == (datetime.fromtimestamp(1775007000, UTC), FOREVER)


def test_kea_ipv6_addresses_and_delegated_prefixes() -> None:
    duid = "00:03:00:01:02:00:00:00:00:0a"
    assert told(facts(KEA6, "kea")) == [
        ("Claim", duid, "2001:db8::a/128", "00:00:00"),
        ("Claim", duid, "2001:db8:0:100::/56", "00:00:00"),
    ]


def test_dnsmasq() -> None:
    found = facts(DNSMASQ, "dnsmasq")
    assert [(subscriber, prefix) for _, subscriber, prefix, _ in told(found)] == [
        ("02:00:00:00:00:0a", "192.0.2.10/32"),
        ("06-02:00:00:00:00:0b", "192.0.2.11/32"),
        ("00:03:00:01:02:00:00:00:00:0a", "2001:db8::a/128"),
    ]
    assert [fact.until for fact in found if isinstance(fact, Claim)][:2] == [
        datetime.fromtimestamp(1775005200, UTC),
        FOREVER,
    ]


def test_csv() -> None:
    assert told(facts(CSV, "csv")) == [
        ("Claim", "taro", "192.0.2.1/32", "00:00:00"),
        ("Claim", "hanako, the second", "2001:db8::/56", "00:00:00"),
        ("Release", "hanako, the second", "2001:db8::/56", "00:00:00"),
    ]


def test_who_is_who() -> None:
    names = {"01:02:00:00:00:00:0a": "taro"}
    found = facts(DNSMASQ.splitlines(keepends=True)[0], "dnsmasq", Subscribers("client-id", names))
    assert told(found)[0][1] == "taro"


@pytest.mark.parametrize(
    ("kind", "text", "line", "words"),
    [
        ("kea", KEA4[: len(KEA4) // 2], 4, "ends in the middle"),
        ("kea", "", 0, ""),
        ("kea", "address,hwaddr\n", 1, "no column valid_lifetime"),
        ("kea", KEA4 + "192.0.2.1\n", 10, "1 fields; the header has 11"),
        ("kea", KEA4 + "192.0.2.1," + "x" * 300 + ",,1,1775005200,1,0,0,,0,\n", 10, "more than 253 octets"),
        ("kea", KEA4 + "192.0.2.1,a\tb,,1,1775005200,1,0,0,,0,\n", 10, "cannot be printed"),
        ("kea", KEA4 + "192.0.2.1,a,,x,1775005200,1,0,0,,0,\n", 10, "'x' is not a number"),
        ("kea", KEA4 + "192.0.2.1,a,,1,999999999999,1,0,0,,0,\n", 10, "not a time"),
        ("kea", KEA4 + "192.0.2.300,a,,1,1775005200,1,0,0,,0,\n", 10, "not a prefix"),
        ("kea", KEA4 + "192.0.2.1,,,1,1775005200,1,0,0,,0,\n", 10, "no hw-address and no client-id"),
        ("kea", KEA4 + "x" * 70_000 + "\n", 10, "more than 65536 octets"),
        ("kea", KEA6 + "2001:d00::,a,1,1775005200,1,1,2,8,24,0,0,,,0\n", 4, "wider than /32"),
        ("dnsmasq", DNSMASQ + "1775005200 02:00:00:00:00:0c 192.0.2.12\n", 5, "3 fields"),
        ("dnsmasq", DNSMASQ + "never 02:00:00:00:00:0c 192.0.2.12 * *\n", 5, "not a time"),
        ("dnsmasq", DNSMASQ + "1775005200 02:00:00", 5, "ends in the middle"),
        ("csv", "name,prefix\n", 1, "no column subscriber"),
        ("csv", "subscriber,prefix,started,colour\n", 1, "'colour' is not known"),
        ("csv", CSV + "jiro,192.0.2.1/24,2026-03-01T00:00:00+09:00,\n", 4, "host bits"),
        ("csv", CSV + "jiro,192.0.2.1,2026-03-01T00:00:00,\n", 4, "no offset"),
        ("csv", CSV + "jiro,192.0.2.1,yesterday,\n", 4, "not a time"),
        ("csv", CSV + "jiro,192.0.2.1,2026-03-02T00:00:00Z,2026-03-01T00:00:00Z\n", 4, "is after"),
        ("csv", CSV + ",192.0.2.1,2026-03-01T00:00:00Z,\n", 4, "subscriber is empty"),
        ("csv", CSV + '"jiro,192.0.2.1,2026-03-01T00:00:00Z,\n', 4, "unexpected end"),
        ("csv", CSV + "jiro,192.0.2.1,2026-03-01T00:00:00Z\n", 4, "3 fields"),
    ],
)
def test_what_is_refused_is_named_by_its_line(kind: Format, text: str, line: int, words: str) -> None:
    found = read(text.encode(), kind, "source", Subscribers(), WRITTEN)
    if not line:
        assert (found.facts, found.faults) == ([], [])
        return
    assert [fault.number for fault in found.faults] == [line]
    assert words in found.faults[0].text


def test_octets_that_are_no_text() -> None:
    found = read(DNSMASQ.encode() + b"1775005200 \xff 192.0.2.12 * *\n", "dnsmasq", "source", Subscribers(), WRITTEN)
    assert [(fault.number, fault.text) for fault in found.faults] == [(5, "it is not UTF-8")]
