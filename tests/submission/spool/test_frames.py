"""Logs are read back as they were written, and nothing else is ever read out of them."""

from __future__ import annotations

import zlib
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from op25b.submission.spool import frames
from op25b.submission.spool.frames import Bad, Frame

TOKEN = "0123456789abcdef"
BEGIN = b"\nmessage 0123456789abcdef "
bodies = st.lists(st.binary(max_size=60), min_size=1, max_size=6)


def message(number: int, body: bytes, token: str = TOKEN) -> bytes:
    return frames.encode(token, {"id": str(number), "size": len(body), "crc": f"{zlib.crc32(body):08x}"}, [body])


def read(log: bytes) -> dict[str, bytes]:
    found = [item for item in frames.scan(log, TOKEN, 0) if isinstance(item, Frame)]
    return {frame.fields["id"]: log[frame.body : frame.end - 1] for frame in found}


@given(bodies, st.integers(0, 1000))
def test_read_back_in_order(texts: list[bytes], offset: int) -> None:
    log = b"".join(message(number, body) for number, body in enumerate(texts))
    items = list(frames.scan(log, TOKEN, offset))
    assert all(isinstance(item, Frame) for item in items)
    assert list(read(log).values()) == texts
    assert items[0].start == offset
    assert items[-1].end == offset + len(log)


@given(bodies, st.data())
def test_damage_costs_only_what_it_touches(texts: list[bytes], data: st.DataObject) -> None:
    parts = [message(number, body) for number, body in enumerate(texts)]
    log = b"".join(parts)
    at = data.draw(st.integers(0, len(log) - 1))
    size = data.draw(st.integers(1, len(log) - at))
    noise = data.draw(st.one_of(st.just(bytes(size)), st.binary(min_size=size, max_size=size)))
    damaged = log[:at] + noise + log[at + size :]
    start, whole = 0, {}
    for number, part in enumerate(parts):
        if damaged[start : start + len(part)] == part:
            whole[str(number)] = texts[number]
        start += len(part)
    assert read(damaged) == whole
    items = list(frames.scan(damaged, TOKEN, 0))
    assert all(one.end == two.start for one, two in pairwise(items))
    assert (items[0].start, items[-1].end) == (0, len(log))


@given(bodies, st.data())
def test_a_cut_log_gives_a_prefix(texts: list[bytes], data: st.DataObject) -> None:
    parts = [message(number, body) for number, body in enumerate(texts)]
    log = b"".join(parts)
    cut = data.draw(st.integers(0, len(log)))
    found = read(log[:cut])
    assert list(found.values()) == texts[: len(found)]
    assert len(b"".join(parts[: len(found)])) <= cut < len(b"".join(parts[: len(found) + 1])) or cut == len(log)


def test_a_body_cannot_pass_for_a_message() -> None:
    """Not even when the message around it is damaged: its sender does not know the token."""
    forged = message(666, b"forged", token="f" * 16)
    empty = message(667, b"forged", token="")
    log = message(1, b"text\n" + forged + b"\n" + empty) + message(2, b"next")
    damaged = b"?" + log[1:]
    assert read(damaged) == {"2": b"next"}
    assert isinstance(next(frames.scan(damaged, TOKEN, 0)), Bad)


@given(st.binary(max_size=200))
def test_any_bytes_can_be_scanned(noise: bytes) -> None:
    log = noise + BEGIN + noise + message(1, noise)
    assert set(read(log)) <= {"1"}
    assert frames.token_of(frames.first_line(TOKEN) + noise) == TOKEN
    frames.token_of(noise)
