"""Postfix's policy delegation, octet by octet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from op25b.submission.postfix.policy_wire import REQUEST_OCTETS, Malformed, Requests, action

REQUEST = (
    b"request=smtpd_access_policy\nprotocol_state=RCPT\nhelo_name=pc\nsender=a=b@netlaputa.example\nsender=other\n"
    b"recipient=x@elsewhere.example\nrecipient_count=0\nccert_subject=\n\n"
)


def test_attributes() -> None:
    (asked,) = Requests().feed(REQUEST)
    assert asked["protocol_state"] == "RCPT"
    assert asked["sender"] == "a=b@netlaputa.example", "the first counts"
    assert asked["ccert_subject"] == ""


@pytest.mark.parametrize(
    "data",
    [b"\n\n", b"request=junk\n\n", b"GET / HTTP/1.1\n\n", b"protocol_state=RCPT\n\n", b"x" * (REQUEST_OCTETS + 1)],
)
def test_what_nobody_says(data: bytes) -> None:
    with pytest.raises(Malformed):
        Requests().feed(data)


def test_an_action_is_one_line() -> None:
    assert action("HOLD because\naction=OK\n\n") == b"action=HOLD because action=OK\n\n"


@given(st.lists(st.integers(0, 500)))
def test_split_anyhow_it_is_the_same(cuts: list[int]) -> None:
    whole = REQUEST * 2
    requests, found, start = Requests(), [], 0
    for end in [*sorted(min(cut, len(whole)) for cut in cuts), len(whole)]:
        found += requests.feed(whole[start:end])
        start = end
    assert found == Requests().feed(REQUEST) * 2
