"""The reader of message text against a slow one that goes octet by octet."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from op25b.submission.protocol import replies
from op25b.submission.protocol.replies import Reply
from op25b.submission.protocol.text import ChunkText, DotText

MAX_SIZE, MAX_LINE = 60, 12
# Short pieces of what matters, so that they meet often.
PIECES = [
    b"\r\n",
    b"\r\n.",
    b"\r\n.\r\n",
    b".",
    b"..",
    b"\r",
    b"\n",
    b"\0",
    b"a",
    b"bcd",
    b"e" * 9,
    b"f" * 10,
    b"g" * 14,
]
SOUND_PIECES = [b"\r\n", b"\r\n.", b"..", b"a", b"bcd"]
texts = st.lists(st.sampled_from(PIECES), max_size=20).map(b"".join)
mostly_sound = st.lists(st.sampled_from(SOUND_PIECES), max_size=12).map(b"".join)
cuts = st.lists(st.integers(0, 80), max_size=12)

Outcome = tuple[bytes | None, Reply | None, bytes | None]


def split(octets: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, *(cut for cut in cuts if cut < len(octets)), len(octets)})
    return [octets[start:end] for start, end in pairwise(places)]


def judge(text: bytes, ended: bool, binary: bool = False) -> Reply | None:
    """The first fault of a text, unstuffed; its size and its lines are counted as they go."""
    line = 0
    for i, octet in enumerate(text):
        pair = text[i : i + 2] == b"\r\n" or text[max(i - 1, 0) : i + 1] == b"\r\n"
        line = line + 1 if not pair else 0
        if line > MAX_LINE - 2 and not binary and (ended or i < len(text) - 1 or octet != 13):
            return replies.TEXT_LINE_TOO_LONG
        if octet in b"\r\n\0" and not pair:
            return replies.BARE_IN_TEXT
        if i >= MAX_SIZE:
            return replies.TOO_LARGE
    return None


def slow_data(octets: bytes) -> Outcome:
    """(text, fault, rest) of what comes after DATA, up to and after its end; rest None: no end."""
    end = (b"\r\n" + octets).find(b"\r\n.\r\n")
    if end < 0:
        return None, None, None
    stuffed, rest = octets[:end], octets[end + 3 :]
    lines = stuffed.split(b"\r\n")
    text = b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines)
    fault = judge(text, ended=True)
    return (None if fault else text), fault, rest


def fast_data(parts: list[bytes]) -> Outcome:
    reader, out = DotText(MAX_SIZE, MAX_LINE), b""
    for i, part in enumerate(parts):
        text, rest = reader.feed(part)
        out += text
        if rest is not None:
            assert reader.fault or reader.size == len(out)
            return (None if reader.fault else out), reader.fault, rest + b"".join(parts[i + 1 :])
    return None, None, None


@settings(max_examples=600)
@given(texts | mostly_sound, texts, cuts)
@example(b".\r\n", b"", [1, 2])
@example(b"a\r\n.\r\n", b"NOOP\r\n", [1, 2, 3, 4, 5])
def test_data_is_read_as_octet_by_octet(text: bytes, rest: bytes, cuts: list[int]) -> None:
    octets = text + b"\r\n.\r\n" + rest
    expected = slow_data(octets)
    assert fast_data([octets]) == expected
    assert fast_data(split(octets, cuts)) == expected
    assert fast_data([octets[i : i + 1] for i in range(len(octets))]) == expected


@settings(max_examples=200)
@given(texts)
def test_data_without_its_end_goes_on(text: bytes) -> None:
    if b"\r\n.\r\n" not in b"\r\n" + text:
        assert fast_data([text]) == (None, None, None)


def slow_chunks(octets: bytes, binary: bool) -> tuple[bytes | None, Reply | None]:
    text = octets if not octets or octets.endswith(b"\r\n") else octets + b"\r\n"
    fault = judge(text, ended=True, binary=binary)
    return (None if fault else text), fault


def fast_chunks(parts: list[bytes], binary: bool) -> tuple[bytes | None, Reply | None]:
    reader = ChunkText(MAX_SIZE, MAX_LINE, binary)
    out = b"".join(reader.feed(part) for part in parts) + reader.finish()
    return (None if reader.fault else out), reader.fault


@settings(max_examples=600)
@given(texts | mostly_sound, cuts, st.booleans())
@example(b"abc\r", [3], True)
@example(b"\r\n", [1], True)
def test_chunks_are_read_as_octet_by_octet(octets: bytes, cuts: list[int], binary: bool) -> None:
    expected = slow_chunks(octets, binary)
    assert fast_chunks([octets], binary) == expected
    assert fast_chunks(split(octets, cuts), binary) == expected
    assert fast_chunks([octets[i : i + 1] for i in range(len(octets))], binary) == expected


@pytest.mark.parametrize("place", [0, 1, 65_534, 65_535, 65_536, 65_537, 131_071, 131_072, 199_997])
@pytest.mark.parametrize("bad", [b"\0", b"\r", b"\n"])
def test_a_single_bad_octet_is_found_anywhere_in_a_large_block(place: int, bad: bytes) -> None:
    sound = (b"x" * 77 + b"\r\n") * 2532
    block = sound[:place] + bad + sound[place:]
    reader = DotText(1 << 20, 1000)
    assert reader.feed(block + b".\r\n") == (b"", b"")
    assert reader.fault is replies.BARE_IN_TEXT


@pytest.mark.parametrize(("length", "fault"), [(1000, None), (1001, replies.TEXT_LINE_TOO_LONG)])
def test_lines_may_be_as_long_as_said_and_no_longer(length: int, fault: Reply | None) -> None:
    reader = DotText(1 << 20, 1000)
    reader.feed((b"y" * 998 + b"\r\n") * 100 + b"z" * (length - 2) + b"\r\n.\r\n")
    assert reader.fault is fault
