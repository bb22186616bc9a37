"""Marks: the last one wins, half a line counts for nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from op25b.submission.spool import Envelope, Mark, RecipientStatus, State, Status
from op25b.submission.spool.disk import REAL
from op25b.submission.spool.marks import RECIPIENT_STATES, MarksFile, decode, encode


def test_a_state_goes_with_a_recipient_or_with_the_message(now: datetime) -> None:
    with pytest.raises(ValueError, match="delivered"):
        Mark("1-1", None, State.DELIVERED, now)
    with pytest.raises(ValueError, match="dropped"):
        Mark("1-1", "b@example.org", State.DROPPED, now)


def test_the_course_of_a_message(envelope: Callable[..., Envelope], now: datetime) -> None:
    status = Status.of(envelope("b@example.org", "c@example.org", held="burst"))
    assert status.held == "burst"
    status.apply(Mark("1-1", None, State.RELEASED, now), 0)
    status.apply(Mark("1-1", "b@example.org", State.DELIVERED, now, "250 2.0.0 ok"), 0)
    status.apply(Mark("1-1", "c@example.org", State.DEFERRED, now, "451", until=now), 1)
    assert (status.held, status.done, status.recipients["c@example.org"].attempts) == (None, False, 1)
    status.apply(Mark("1-1", None, State.RETRY, now), 0)
    assert status.recipients["c@example.org"].until is None
    status.apply(Mark("1-1", "c@example.org", State.FAILED, now, "550"), 1)
    assert status.done


@given(
    states=st.lists(st.sampled_from(State), max_size=8),
    again=st.integers(0, 8),
)
def test_reading_a_line_twice_does_no_harm(states: list[State], again: int) -> None:
    now = datetime.fromisoformat("2026-03-01T12:00:00+00:00")
    lines = []
    for count, state in enumerate(states):
        to = "b@example.org" if state in RECIPIENT_STATES else None
        lines.append(encode(Mark("1-1", to, state, now, str(count)), count))

    def fold(data: bytes) -> Status:
        status = Status({"b@example.org": RecipientStatus()})
        for mark, attempts in decode(data):
            status.apply(mark, attempts)
        return status

    assert fold(b"".join(lines)) == fold(b"".join([*lines[:again], *lines]))


def test_half_a_line_is_passed_over_and_the_next_stands_alone(tmp_path: Path, now: datetime) -> None:
    log = tmp_path / "1.000001.log"
    log.touch()
    first, second = (encode(Mark(f"1-{n}", "b@example.org", State.DELIVERED, now), 0) for n in (1, 2))
    log.with_suffix(".marks").write_bytes(first + second[:-7])
    mine, other = MarksFile(REAL, log), MarksFile(REAL, log)
    assert mine.news() == first
    assert mine.append([second]) == b""
    assert [mark.queue_id for mark, _ in decode(other.news())] == ["1-1", "1-2"]
    assert other.append([first]) == b""
    assert mine.append([second]) == first
