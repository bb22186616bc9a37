"""Dovecot's lines: what is written is read again, whatever is in it and however it is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from op25b.subscribers.dovecot_wire import Lines, Malformed, fields, line, parameters

TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\0\1\t\r\n01trn"))


@given(st.lists(st.lists(TEXTS, min_size=1)), st.integers(1, 50))
def test_what_is_written_is_read_again(written: list[list[str]], step: int) -> None:
    octets = b"".join(line(*each) for each in written)
    reading, found = Lines(1 << 20), []
    for start in range(0, len(octets), step):
        found += reading.feed(octets[start : start + step])
    assert found == written


def test_no_field_ends_its_line_or_passes_for_two() -> None:
    assert line("AUTH", "1\t2\nFAIL\r\0\1") == b"AUTH\t1\x01t2\x01nFAIL\x01r\x010\x011\n"


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"", [""]),
        (b"OK\t1\tuser=taro", ["OK", "1", "user=taro"]),
        (b"OK\t\t", ["OK", "", ""]),
        (b"a\x01xb\x01", ["axb"]),
        (b"a\xff", ["a\ufffd"]),
    ],
)
def test_lines_of_others(octets: bytes, expected: list[str]) -> None:
    assert fields(octets) == expected


def test_parameters() -> None:
    assert parameters(["secured", "rip=::1", "resp=AGE=", ""]) == {"secured": "", "rip": "::1", "resp": "AGE=", "": ""}


@pytest.mark.parametrize("data", [b"x" * 11, b"x" * 11 + b"\n", b"OK\n" + b"x" * 11])
def test_a_line_without_an_end_is_not_kept(data: bytes) -> None:
    lines = Lines(10)
    assert lines.feed(b"x" * 10 + b"\n") == [["x" * 10]]
    with pytest.raises(Malformed):
        lines.feed(data)
