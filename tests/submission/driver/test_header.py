"""Headers as they come, and as they should not."""

from __future__ import annotations

import email
from email.policy import SMTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from op25b.submission.driver.header import read, split


@pytest.mark.parametrize(
    ("value", "authors"),
    [
        (b"taro@a.example", ("taro@a.example",)),
        (b"Taro <taro@a.example>", ("taro@a.example",)),
        (b'"Yamada, Taro" <taro@a.example>', ("taro@a.example",)),
        (b"=?utf-8?b?5aSq6YOO?= <taro@a.example>", ("taro@a.example",)),
        ("太郎 <taro@a.example>".encode(), ("taro@a.example",)),
        (b"Taro\r\n\t<taro@a.example>", ("taro@a.example",)),
        (b"Taro <taro@a.example>, Hanako <hanako@b.example>", ("taro@a.example", "hanako@b.example")),
        (b"Taro (at home) <taro@a.example>", ("taro@a.example",)),
        (b"Us: taro@a.example, hanako@b.example;", ("taro@a.example", "hanako@b.example")),
        (b"", ()),
        (b"Taro", ()),
        (b"<>", ()),
        (b"taro@a.example <hanako@b.example", ()),
        (b"x" * 9000, ()),
    ],
)
def test_the_authors_are_whom_the_from_field_names(value: bytes, authors: tuple[str, ...]) -> None:
    assert read(b"Subject: x\r\nFrom: " + value + b"\r\nTo: y@c.example\r\n").authors == authors


def test_two_from_fields_name_nobody() -> None:
    assert read(b"From: taro@a.example\r\nfrom : hanako@b.example\r\n").authors == ()


def test_an_address_in_the_name_is_not_the_author() -> None:
    assert read(b'From: "hanako@b.example" <taro@a.example>\r\n').authors == ("taro@a.example",)


def test_what_is_missing_is_seen_whatever_the_case() -> None:
    found = read(b"DATE: now\r\nmessage-id : <x@y>\r\nReceived: a\r\nX-Received: b\r\nreceived: c\r\n\td\r\n")
    assert (found.has_date, found.has_message_id, found.hops, found.well_formed) == (True, True, 2, True)


def test_a_continued_line_is_no_field() -> None:
    assert read(b"Subject: x\r\n Date: not one\r\n").has_date is False


@pytest.mark.parametrize("header", [b"hello\r\n", b"Subject: x\r\nhello there\r\n", b": x\r\n"])
def test_text_without_a_header_is_not_well_formed(header: bytes) -> None:
    assert not read(header).well_formed


@given(st.binary(max_size=40), st.integers(0, 44))
def test_the_end_of_the_header_is_found_however_it_is_cut(body: bytes, cut: int) -> None:
    text = b"A: 1\r\nB: 2\r\n\r\n" + body
    seen = text[:cut]
    first = split(seen, 0)
    assert (first if first >= 0 else split(text, len(seen))) == 12


@given(st.lists(st.sampled_from(["a@b.example", "<c@d.example>", "(x)", '"q"', ",", ";", ":", " ", "Us", "@", "\\"])))
def test_never_fewer_authors_than_the_full_parser_sees(parts: list[str]) -> None:
    value = "".join(parts)
    found = read(f"From: {value}\r\n".encode()).authors
    try:
        parsed = email.message_from_string(f"From: {value}\r\n\r\n", policy=SMTP)["From"]
    except (IndexError, AttributeError):  # the parser's own fault
        assert found == ()
        return
    seen = {each.addr_spec for each in parsed.addresses if each.username and each.domain}
    assert found == () or set(found) >= seen
