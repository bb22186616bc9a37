"""What FreeRADIUS' rlm_rest writes, and what else might come to its port."""

from __future__ import annotations

import json
from typing import Any

import pytest

from op25b.subscribers.accounting import packets, rest
from op25b.subscribers.accounting.facts import SUBSCRIBER, Attributes, fact
from op25b.subscribers.accounting.faults import Discarded, Fault
from tests.support.accounting import INTERIM, SECRET, packet

FREERADIUS = (
    r'{"User-Name":{"type":"string","value":["bob\"\u00E6\u0097\u00A5\u00E6\u009C\u00AC@example.jp"]},'
    r'"NAS-IP-Address":{"type":"ipaddr","value":["192.0.2.9"]},'
    r'"Framed-IP-Address":{"type":"ipaddr","value":["198.51.100.7"]},'
    r'"Class":{"type":"octets","value":["0x0102ff","0x616263"]},'
    r'"Calling-Station-Id":{"type":"string","value":["aa:bb"]},'
    r'"NAS-Identifier":{"type":"string","value":["bng1"]},'
    r'"Acct-Status-Type":{"type":"integer","value":["Interim-Update"]},'
    r'"Acct-Delay-Time":{"type":"integer","value":[3]},'
    r'"Acct-Session-Id":{"type":"string","value":["0001"]},'
    r'"Acct-Session-Time":{"type":"integer","value":[70]},'
    r'"Event-Timestamp":{"type":"date","value":["Nov 15 2023 07:13:20 JST"]},'
    r'"Message-Authenticator":{"type":"octets","value":["0x93c4fcb97a0e154b42590939418e6a42"]},'
    r'"NAS-IPv6-Address":{"type":"ipv6addr","value":["2001:db8::9"]},'
    r'"Framed-IPv6-Prefix":{"type":"ipv6prefix","value":["2001:db8:1::/64"]},'
    r'"Delegated-IPv6-Prefix":{"type":"ipv6prefix","value":["2001:db8:2::/56"]},'
    r'"Framed-IPv6-Address":{"type":"ipv6addr","value":["2001:db8:1::5"]},'
    r'"Tmp-Integer-0":{"type":"integer","value":[1700000000]}}'
)
"""As FreeRADIUS 3.2.1 wrote it."""
RECEIVED = 1_700_000_004.0


def of_packet(**attributes: Any) -> Attributes:
    return packets.read(packet(**attributes), SECRET, must_be_signed=False).attributes


@pytest.mark.parametrize("subscriber", SUBSCRIBER.values(), ids=SUBSCRIBER)
def test_what_freeradius_posts_says_the_same_as_the_packet_it_had(subscriber: Any) -> None:
    had = of_packet(
        status=INTERIM,
        User_Name='bob"日本@example.jp',
        NAS_IP_Address="192.0.2.9",
        Framed_IP_Address="198.51.100.7",
        Class=[b"\x01\x02\xff", b"abc"],
        Calling_Station_Id="aa:bb",
        Acct_Delay_Time=3,
        Acct_Session_Id="0001",
        Acct_Session_Time=70,
        Event_Timestamp=1_700_000_000,
        NAS_IPv6_Address="2001:db8::9",
        Framed_IPv6_Prefix="2001:db8:1::/64",
        Delegated_IPv6_Prefix="2001:db8:2::/56",
        Framed_IPv6_Address="2001:db8:1::5",
    )
    posted = fact(rest.attributes(FREERADIUS.encode()), subscriber, RECEIVED, None)
    assert posted == fact(had, subscriber, RECEIVED, None)


@pytest.mark.parametrize(("said", "number"), [("Start", 1), (2, 2), ("Alive", 3), ("Accounting-On", 7), ("Failed", 0)])
def test_the_status_by_name_or_number(said: object, number: int) -> None:
    body = json.dumps({"Acct-Status-Type": {"type": "integer", "value": [said]}})
    assert rest.attributes(body.encode()) == {40: [number.to_bytes(4)]}


@pytest.mark.parametrize("text", ["tanaka", "田中", "é"])
def test_names_in_the_usual_json_are_read_as_well(text: str) -> None:
    body = json.dumps({"User-Name": {"type": "string", "value": [text]}})
    assert rest.attributes(body.encode()) == {1: [text.encode()]}


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "null",
        '{"User-Name": "u1"}',
        '{"User-Name": {"value": "u1"}}',
        '{"User-Name": {"value": []}}',
        '{"User-Name": {"value": [1]}}',
        '{"Acct-Delay-Time": {"value": ["1"]}}',
        '{"Acct-Delay-Time": {"value": [true]}}',
        '{"Acct-Delay-Time": {"value": [-1]}}',
        '{"Acct-Delay-Time": {"value": [4294967296]}}',
        '{"Acct-Delay-Time": {"value": [1.5]}}',
        '{"Acct-Delay-Time": {"value": [NaN]}}',
        '{"Framed-IP-Address": {"value": ["192.0.2"]}}',
        '{"Framed-IP-Address": {"value": [3221225985]}}',
        '{"Framed-IPv6-Prefix": {"value": ["2001:db8::/129"]}}',
        '{"Class": {"value": ["0x0"]}}',
        "[" * 100_000,
        '{"Acct-Delay-Time": {"value": [' + "9" * 10_000 + "]}}",
        "\x80",
    ],
    ids=lambda body: body[:40],
)
def test_what_is_no_report(body: str) -> None:
    with pytest.raises(Discarded) as raised:
        rest.attributes(body.encode("latin-1"))
    assert raised.value.fault == Fault.MALFORMED


def test_an_access_server_must_be_named() -> None:
    """The sender is FreeRADIUS, whichever access server it speaks for."""
    body = json.dumps({"Acct-Status-Type": {"value": ["Accounting-On"]}})
    with pytest.raises(Discarded) as raised:
        fact(rest.attributes(body.encode()), SUBSCRIBER["User-Name"], RECEIVED, None)
    assert raised.value.fault == Fault.MISSING
