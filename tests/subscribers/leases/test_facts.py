"""What may be a fact."""

from __future__ import annotations

from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest

from op25b.subscribers.leases.facts import Claim, Restart, canonical
from tests.subscribers.conftest import START

GOOD: dict[str, Any] = {
    "source": "bng",
    "session": "1",
    "subscriber": "taro@example.jp",
    "prefixes": ("192.0.2.1/32",),
    "at": START,
    "started": START,
}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"subscriber": "山田" * 42},
        {"prefixes": ()},
        {"prefixes": ("2001:db8::/32", "10.0.0.0/16")},
        {"until": START},
    ],
)
def test_good(change: dict[str, Any]) -> None:
    Claim(**GOOD | change)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"subscriber": "x" * 254}, "more than 253 octets"),
        ({"subscriber": "山田" * 43}, "more than 253 octets"),
        ({"subscriber": "\ud800" * 100}, "more than 253|cannot be printed"),
        ({"subscriber": ""}, "empty"),
        ({"subscriber": "a\nb"}, "cannot be printed"),
        ({"session": "a\0b"}, "cannot be printed"),
        ({"source": "\u202e"}, "cannot be printed"),
        ({"prefixes": ("192.0.2.1",)}, "not written as '192.0.2.1/32'"),
        ({"prefixes": ("192.0.2.1/24",)}, "host bits"),
        ({"prefixes": ("10.0.0.0/8",)}, "wider than /16"),
        ({"prefixes": ("2001:d00::/24",)}, "wider than /32"),
        ({"prefixes": ("::ffff:192.0.2.1/128",)}, "no prefix that a packet"),
        ({"prefixes": ("fe80::1%eth0/128",)}, "no prefix"),
        ({"prefixes": ("192.0.2.1/32",) * 65}, "64 are the most"),
        ({"started": START + timedelta(seconds=1)}, "is after"),
        ({"at": datetime(2026, 4, 1)}, "no offset"),  # noqa: DTZ001
        ({"at": START.replace(year=9999)}, "out of range"),
        ({"until": START.replace(year=3000)}, "out of range"),
    ],
)
def test_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Claim(**GOOD | change)


def test_a_restart_has_a_name_and_a_time() -> None:
    with pytest.raises(ValueError, match="empty"):
        Restart("", START)


@pytest.mark.parametrize(
    "text", ["0.0.0.0/32", "255.249.199.99/32", "10.0.0.255/32", "192.0.2.01/32", "256.0.0.1/32", "1.2.3/32",
             "1.2.3.4/32\n", "1.2.3.4/320", "\u0661.2.3.4/32", "1.2.3.4.5/32", "1.2.3.4/31", "1.2.3.4/24"],
)  # fmt: skip
def test_an_address_is_taken_as_ipaddress_takes_it(text: str) -> None:
    try:
        expected = str(ip_network(text))
    except ValueError:
        with pytest.raises(ValueError, match="is not a prefix"):
            canonical(text)
    else:
        assert canonical(text) == expected


def test_canonical() -> None:
    assert [canonical(text) for text in ("192.0.2.1", "2001:DB8:0::/56")] == ["192.0.2.1/32", "2001:db8::/56"]
