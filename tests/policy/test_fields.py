"""Single values: what is taken, and what is refused with which words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from op25b.policy.fields import (
    aware,
    closed_day,
    country_code,
    filter_port,
    host_name,
    network,
    port,
    quoted,
    shown,
    single_address,
    slug,
    zone,
)

GOOD: tuple[tuple[Callable[[Any], object], object, str], ...] = (
    (slug, "b-flets.2", "b-flets.2"),
    (slug, "x" * 64, "x" * 64),
    (host_name, "mail.{subdomain}.sonet.example", "mail.{subdomain}.sonet.example"),
    (zone, "Asia/Tokyo", "Asia/Tokyo"),
    (country_code, "JP", "JP"),
    (network, "192.0.2.0/24", "192.0.2.0/24"),
    (network, "192.0.2.1", "192.0.2.1/32"),
    (network, "2001:DB8::/61", "2001:db8::/61"),
    (single_address, "2001:db8:0::25", "2001:db8::25"),
    (port, 65535, "65535"),
    (filter_port, 25, "25"),
    (closed_day, "02-29", "02-29"),
    (closed_day, "12-29/01-03", "12-29/01-03"),
    (aware, datetime(2008, 4, 1, tzinfo=UTC), "2008-04-01 00:00:00+00:00"),
)

BAD: tuple[tuple[Callable[[Any], object], object, str], ...] = (
    (slug, "", "such as 'pool-1'"),
    (slug, "x" * 65, "is not a name"),
    (slug, "-x", "such as 'x'"),
    (slug, "B FLET'S", "such as 'b-flet-s'"),
    (slug, "x\n", "such as 'x'"),
    (host_name, "a..b", "is not a host name"),
    (host_name, "x" * 64 + ".example", "is not a host name"),
    (host_name, ".".join(["x" * 60] * 5), "is not a host name"),
    (host_name, "-a.example", "is not a host name"),
    (host_name, "{customer}.example", "is not a host name"),
    (zone, "JST", "write one such as 'Asia/Tokyo'"),
    (zone, "../../etc/passwd", "is not a time zone"),
    (zone, "", "is not a time zone"),
    (zone, "\0", "is not a time zone"),
    (network, "192.0.2.1/24", "has host bits set; write '192.0.2.0/24'"),
    (network, "2001:db8::1/64", "write '2001:db8::/64'"),
    (network, "192.0.2.0/33", "is not a prefix"),
    (network, "::ffff:192.0.2.0/120", "write '192.0.2.0/24'"),
    (country_code, "jp", "write its code of ISO 3166-1, such as 'JP'"),
    (country_code, "JPN", "such as 'JE', 'JM', 'JO', 'JP'"),
    (country_code, "", "such as 'JP'"),
    (country_code, "日本", "such as 'JP'"),
    (network, "fe80::%eth0/64", "has a zone; write 'fe80::/64'"),
    (network, 3, "3 is not a prefix"),
    (network, True, "true is not a prefix"),
    (network, [], "a list is not a prefix"),
    (single_address, "192.0.2.0/24", "is not an address"),
    (single_address, "::ffff:192.0.2.25", "write '192.0.2.25'"),
    (single_address, "fe80::1%1", "write 'fe80::1'"),
    (port, 0, "0 is not a port"),
    (port, 10**30, "a huge number is not a port"),
    (filter_port, 587, "RFC 5068"),
    (filter_port, 465, "RFC 5068"),
    (filter_port, 26, "is not what this system blocks"),
    (closed_day, "02-30", "is not a day"),
    (closed_day, "13-01", "is not a day"),
    (closed_day, "12-29/01-00", "is not a day"),
    (closed_day, "12-29\n", "is not a day"),
    (aware, datetime(2008, 4, 1), "has no offset; write 2008-04-01T00:00:00+09:00"),  # noqa: DTZ001
    (aware, date(2008, 4, 1), "write date, time and offset without quotes, 2008-04-01T00:00:00+09:00"),
    (aware, "2010-01-01T00:00:00Z", "without quotes, 2010-01-01T00:00:00Z"),
    (aware, datetime(9999, 12, 31, tzinfo=UTC), "leave the key out"),
    (aware, 5, "5 is not an instant"),
)


@pytest.mark.parametrize(("field", "value", "result"), GOOD)
def test_taken(field: Callable[[Any], object], value: object, result: str) -> None:
    assert str(field(value)) == result


@pytest.mark.parametrize(("field", "value", "words"), BAD)
def test_refused(field: Callable[[Any], object], value: object, words: str) -> None:
    with pytest.raises(ValueError, match="; ") as caught:
        field(value)
    assert words in str(caught.value)


def refusal(field: Callable[[Any], object], value: object) -> str | None:
    try:
        field(value)
    except ValueError as error:
        return str(error)
    return None


@given(st.text())
def test_any_text_is_taken_or_refused_in_one_line(text: str) -> None:
    for field in (slug, host_name, zone, country_code, network, single_address, closed_day, aware):
        words = refusal(field, text)
        assert words is None or (words.isprintable() and "; " in words)


@given(st.text(max_size=70))
def test_a_mended_name_is_a_name(text: str) -> None:
    words = refusal(slug, text)
    if words is not None:
        mend = words.rpartition("such as ")[2].strip("'")
        assert slug(mend) == mend


def test_shown() -> None:
    values: tuple[object, ...] = (True, 5, 1.5, "x", "\x1b", date(2008, 4, 1), time(9), [1], {})
    assert [shown(value) for value in values] == [
        *("true", "5", "1.5", "'x'", "'\\x1b'", "2008-04-01", "09:00:00", "a list", "a table"),
    ]
    assert len(shown("x" * 1000)) == 80
    assert (quoted("例"), quoted('a"b'), quoted("a\\b")) == ('"例"', "'a\"b'", "'a\\\\b'")
    assert shown(10**5000) == "a huge number"
