"""The reader of message text against a slow one that goes octet by octet."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from op25b.submission.protocol import replies, text
from op25b.submission.protocol.replies import Reply
from op25b.submission.protocol.text import ChunkText, DotText

MAX_SIZE = 60
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


@pytest.fixture(autouse=True, scope="module")
def short_parts() -> Iterator[None]:
    """Lines are handed on in parts soon, so that dots and line ends meet the seams."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "PART", 5)
        yield


texts = st.lists(st.sampled_from(PIECES), max_size=20).map(b"".join)
mostly_sound = st.lists(st.sampled_from(SOUND_PIECES), max_size=12).map(b"".join)
cuts = st.lists(st.integers(0, 80), max_size=12)

Outcome = tuple[bytes | None, Reply | None, bytes | None]


def split(octets: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, *(cut for cut in cuts if cut < len(octets)), len(octets)})
    return [octets[start:end] for start, end in pairwise(places)]


def judge(text: bytes) -> Reply | None:
    """The first fault of a text, unstuffed; its size is counted as it goes."""
    for i, octet in enumerate(text):
        pair = text[i : i + 2] == b"\r\n" or text[max(i - 1, 0) : i + 1] == b"\r\n"
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
    fault = judge(text)
    return (None if fault else text), fault, rest


def fast_data(parts: list[bytes]) -> Outcome:
    reader, out = DotText(MAX_SIZE), b""
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


def slow_chunks(octets: bytes) -> tuple[bytes | None, Reply | None]:
    text = octets if not octets or octets.endswith(b"\r\n") else octets + b"\r\n"
    fault = judge(text)
    return (None if fault else text), fault


def fast_chunks(parts: list[bytes]) -> tuple[bytes | None, Reply | None]:
    reader = ChunkText(MAX_SIZE)
    out = b"".join(reader.feed(part) for part in parts) + reader.finish()
    return (None if reader.fault else out), reader.fault


@settings(max_examples=600)
@given(texts | mostly_sound, cuts)
@example(b"abc\r", [3])
@example(b"\r\n", [1])
def test_chunks_are_read_as_octet_by_octet(octets: bytes, cuts: list[int]) -> None:
    expected = slow_chunks(octets)
    assert fast_chunks([octets]) == expected
    assert fast_chunks(split(octets, cuts)) == expected
    assert fast_chunks([octets[i : i + 1] for i in range(len(octets))]) == expected


@pytest.mark.parametrize("place", [0, 1, 65_534, 65_535, 65_536, 65_537, 131_071, 131_072, 199_997])
@pytest.mark.parametrize("bad", [b"\0", b"\r", b"\n"])
def test_a_single_bad_octet_is_found_anywhere_in_a_large_block(place: int, bad: bytes) -> None:
    sound = (b"x" * 77 + b"\r\n") * 2532
    block = sound[:place] + bad + sound[place:]
    reader = DotText(1 << 20)
    assert reader.feed(block + b".\r\n") == (b"", b"")
    assert reader.fault is replies.BARE_IN_TEXT


def test_of_a_line_without_end_little_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "PART", 1000)
    reader, taken = DotText(1 << 20), 0
    for _ in range(5000):
        out, rest = reader.feed(b"." * 17)
        taken += len(out)
        assert rest is None
        assert 17 * 5000 >= taken >= reader.size > 0 or len(reader._carry) <= 1001
    assert len(reader._carry) <= 1001
    assert taken + len(reader._carry) == 17 * 5000 - 1  # the dot that was stuffed
