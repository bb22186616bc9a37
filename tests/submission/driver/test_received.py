"""The fields that are added, read back by the standard library."""

from __future__ import annotations

import email
from datetime import datetime
from email.policy import SMTP
from zoneinfo import ZoneInfo

import pytest

from op25b.submission.driver.received import Trace, missing, protocol, received

AT = datetime(2026, 4, 1, 9, 0, tzinfo=ZoneInfo("Asia/Tokyo"))
TRACE = Trace("pc.home.example", "192.0.2.7", "ESMTPSA", "TLS_AES_256_GCM_SHA384", "x@b.example")


def _text(trace: Trace, hide: bool = False) -> str:
    field = received(trace, "mail.a.example", "1K-1", AT, hide)
    return " ".join(email.message_from_bytes(field + b"\r\n", policy=SMTP)["Received"].split())


def test_everything_in_the_order_of_rfc_5321() -> None:
    assert _text(TRACE) == (
        "from pc.home.example ([192.0.2.7]) by mail.a.example with ESMTPSA id 1K-1 for <x@b.example> "
        "tls TLS_AES_256_GCM_SHA384; Wed, 01 Apr 2026 09:00:00 +0900"
    )


def test_ipv6_is_a_literal() -> None:
    trace = Trace("[IPv6:2001:db8::7]", "2001:db8::7", "ESMTP", "", "")
    assert _text(trace).startswith("from [IPv6:2001:db8::7] ([IPv6:2001:db8::7]) by mail.a.example with ESMTP id 1K-1;")


def test_a_hidden_customer_is_nowhere() -> None:
    text = _text(TRACE, hide=True)
    assert "192.0.2.7" not in text
    assert "home" not in text


@pytest.mark.parametrize("name", ["a b", "x) by evil (", "<script>", "", "é", "_x;"])
def test_a_name_that_is_none_is_not_repeated(name: str) -> None:
    assert _text(Trace(name, "192.0.2.7", "ESMTP", "", "")).startswith("from unknown ([192.0.2.7]) by")


@pytest.mark.parametrize(
    ("word", "facts"),
    [
        ("SMTP", (False, False, False, False)),
        ("ESMTP", (True, False, False, False)),
        ("ESMTPS", (True, False, True, False)),
        ("ESMTPA", (True, False, False, True)),
        ("ESMTPSA", (True, False, True, True)),
        ("UTF8SMTPSA", (True, True, True, True)),
    ],
)
def test_the_protocol_is_a_word_of_rfc_3848_or_6531(word: str, facts: tuple[bool, bool, bool, bool]) -> None:
    assert protocol(*facts) == word


def test_only_what_is_missing_is_added() -> None:
    assert missing(True, True, "mail.a.example", "1K-1", AT) == b""
    added = missing(False, False, "mail.a.example", "1K-1", AT)
    assert added == b"Date: Wed, 01 Apr 2026 09:00:00 +0900\r\nMessage-ID: <1K-1@mail.a.example>\r\n"
