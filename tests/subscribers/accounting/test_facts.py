"""When a report was true, and whom it is about; the rest of the rules stand in tests/golden/accounting."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from op25b.subscribers.accounting import packets
from op25b.subscribers.accounting.facts import EARLY, LATE, Attribute, fact
from op25b.subscribers.leases import Claim, Release, Restart
from tests.support.accounting import INTERIM, SECRET, START, STOP, packet

STAMP = 1_700_000_000
NOW = datetime.fromtimestamp(STAMP, UTC)


def said(received: float = STAMP, subscriber: Attribute = Attribute.USER_NAME, **attributes: Any) -> Any:
    request = packets.read(packet(**attributes), SECRET, must_be_signed=False)
    return fact(request.attributes, subscriber, received, "192.0.2.254")


@pytest.mark.parametrize(
    ("received", "delay", "stamped", "at"),
    [
        (0.25, None, False, 0.25),
        (30.25, 30, False, 0.25),
        (30, 30, True, 0),
        (0.5, None, True, 0),
        (-EARLY, None, True, 0),
        (-EARLY - 0.5, None, True, -EARLY - 0.5),
        (LATE, None, True, 0),
        (LATE + 1, None, True, LATE + 1),
        # a day and more on its way, and it says so
        (LATE + 1, LATE, True, 0),
        (2 * LATE, 2 * LATE, True, 0),
        (3 * LATE, 10, True, 3 * LATE - 10),
    ],
)
def test_the_time_of_a_report(received: float, delay: int | None, stamped: bool, at: float) -> None:
    found = said(STAMP + received, Acct_Delay_Time=delay, Event_Timestamp=STAMP if stamped else None)
    assert found.at - NOW == timedelta(seconds=at)


def test_a_retransmission_says_the_same() -> None:
    first = said(STAMP + 1, Event_Timestamp=STAMP, Acct_Delay_Time=0)
    assert said(STAMP + 9, Event_Timestamp=STAMP, Acct_Delay_Time=8) == first


@pytest.mark.parametrize(("status", "kind"), [(START, Claim), (INTERIM, Claim), (STOP, Release)])
def test_a_session_began_when_it_says(status: int, kind: type) -> None:
    found = said(status=status, Acct_Session_Time=60)
    assert type(found) is kind
    assert found.started == NOW - timedelta(seconds=60)


@pytest.mark.parametrize("status", [7, 8])
def test_a_restart_is_the_access_server_s(status: int) -> None:
    assert said(status=status) == Restart("bng1", NOW)
    assert said(status=status, NAS_Identifier=None, NAS_IP_Address="192.0.2.9") == Restart("192.0.2.9", NOW)
    assert said(status=status, NAS_Identifier=None) == Restart("192.0.2.254", NOW)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ([b"customer-7", b"\x00"], "customer-7"),
        (["顧客7".encode()], "顧客7"),
        ([b"\x01\x02\xff"], "0x0102ff"),
        ([b"a\nb"], "0x610a62"),
    ],
)
def test_a_subscriber_named_by_class(values: list[bytes], name: str) -> None:
    assert said(subscriber=Attribute.CLASS, Class=values).subscriber == name


def test_a_subscriber_named_by_the_line() -> None:
    assert (
        said(subscriber=Attribute.CALLING_STATION_ID, Calling_Station_Id="eth 1/2/3:100").subscriber == "eth 1/2/3:100"
    )
