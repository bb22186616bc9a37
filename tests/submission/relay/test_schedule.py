"""When it is tried again."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from op25b.submission.relay.content import MAX_LINE, headers, loops, normalised, split
from op25b.submission.relay.schedule import Schedule

DAY = 86400.0


@given(st.floats(0, 10 * DAY), st.floats(0, 1, exclude_max=True))
def test_a_delay_grows_with_age_within_its_bounds(age: float, chance: float) -> None:
    schedule = Schedule()
    delay = schedule.delay(age, chance)
    assert 0.8 * schedule.first <= delay <= 1.2 * schedule.longest
    assert schedule.delay(age + 60, chance) >= delay


def test_the_intervals_double() -> None:
    schedule, age, seen = Schedule(), 0.0, []
    while not schedule.expired(age):
        seen.append(schedule.delay(age, 0.5))
        age += seen[-1]
    assert seen[:7] == [300, 300, 600, 1200, 2400, 4800, 9600]
    assert set(seen[7:]) == {10800.0}
    assert age >= 5 * DAY


@pytest.mark.parametrize(
    "settings", [{"give_up": 3 * DAY}, {"first": 0}, {"first": 20000.0}, {"jitter": 1.0}, {"jitter": -0.1}]
)
def test_what_is_no_schedule(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"four days|retry schedule"):
        Schedule(**settings)


@given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b" ", b"."]), max_size=20).map(b"".join))
def test_normalised_has_crlf_only_and_stays(message: bytes) -> None:
    once = normalised(message)
    assert b"\r" not in once.replace(b"\r\n", b"")
    assert b"\n" not in once.replace(b"\r\n", b"")
    assert once.endswith(b"\r\n") or not message
    assert normalised(once) == once
    assert [part for part in once.split(b"\r\n") if part] == [
        part for part in message.replace(b"\r", b"\n").split(b"\n") if part
    ]


WORDS = st.sampled_from(
    ["x" * 600, "x" * 3000, "ア" * 500, "🛩" * 400, "y", " ", "\t", "\r\n", ": ", "\r\n " + " " * 1200]
)


@given(st.lists(WORDS, max_size=12).map("".join))
@example("X: " + "y" * 995 + "\r\n")
@example("X: " + "y" * 996 + "\r\n")
def test_long_lines_are_folded_and_no_word_or_character_is_lost(text: str) -> None:
    message = normalised(text.encode())
    lines = message.decode().split("\r\n")
    assert all(len(line.encode()) <= MAX_LINE for line in lines)
    assert "".join(message.decode().split()) == "".join(text.split())
    long = [line for line in text.split("\r\n") if len(line.encode()) > MAX_LINE]
    assert [line for line in lines if line] == [line for line in text.split("\r\n") if line] or long
    assert normalised(message) == message


def test_where_a_long_line_is_folded() -> None:
    def folded(line: bytes) -> list[bytes]:
        return normalised(line + b"\r\n").split(b"\r\n")[:-1]

    assert folded(b"To: " + b"<a@example.net>, " * 100) == [
        b"To: " + (b"<a@example.net>, " * 58)[:-1],
        (b" " + b"<a@example.net>, " * 42),
    ]
    assert folded(b"z" * 2000) == [b"z" * 998, b" " + b"z" * 997, b" " + b"z" * 5]
    assert folded(b"  " + b"z" * 997) == [b"  " + b"z" * 996, b" z"]
    assert folded(b"z" + "ア".encode() * 333) == [b"z" + "ア".encode() * 332, b" " + "ア".encode()]
    assert folded(b"\x80" * 1000) == [b"\x80" * 998, b" \x80\x80"]


@given(st.binary(max_size=200))
def test_no_header_breaks_the_reader(message: bytes) -> None:
    head, body = split(normalised(message))
    assert len(head) + len(body) <= len(normalised(message))
    loops(headers(head), frozenset({"mail.example.net"}))


def test_fields_are_found_behind_lines_that_are_none() -> None:
    head = b"From someone Sat\r\nno field\r\nA: 1\r\n 2\r\nB :3\r\n: x\r\nC:\r\n"
    assert [(field.name, field.value) for field in headers(head)] == [(b"a", b" 1\r\n 2"), (b"b", b"3"), (b"c", b"")]
