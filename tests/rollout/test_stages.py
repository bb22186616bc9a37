"""Which notice is due when, for phases of every kind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from op25b.policy.model import Phase
from op25b.rollout.stages import Stage, calendar, due, of_stage

JAPAN = timezone(timedelta(hours=9))
START = datetime(2008, 4, 1, tzinfo=JAPAN)
NAME = "2008-03-31T15:00Z"


def phase(**keys: Any) -> Phase:
    return Phase.model_validate({"name": "all", "mode": "enforce", "scope": {}, **keys})


DATED = phase(**{"from": START})
PERIOD = {"from": datetime(2008, 1, 15, tzinfo=JAPAN), "until": datetime(2008, 3, 25, tzinfo=JAPAN)}


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (timedelta(days=300), f"date@{NAME}"),
        (timedelta(days=14, microseconds=1), f"date@{NAME}"),
        (timedelta(days=14), f"reminder-14@{NAME}"),
        (timedelta(microseconds=1), f"reminder-14@{NAME}"),
        (timedelta(0), f"in-force@{NAME}"),
        (timedelta(days=-3000), f"in-force@{NAME}"),
    ],
)
def test_of_a_phase_with_a_date(before: timedelta, expected: str) -> None:
    found = due(DATED, START - before)
    assert found is not None
    assert found.name == expected


def test_reminders_are_counted_from_the_end_of_the_settings_period() -> None:
    found = calendar(phase(**{"from": START, "settings_period": PERIOD, "remind_days": [3, 30]}))
    assert [(each.notice.name, each.from_) for each in found] == [
        (f"date@{NAME}", None),
        (f"reminder-30@{NAME}", datetime(2008, 2, 24, tzinfo=JAPAN)),
        (f"reminder-3@{NAME}", datetime(2008, 3, 22, tzinfo=JAPAN)),
        (f"in-force@{NAME}", START),
    ]


def test_a_tentative_phase_promises_another_notice_and_nothing_else() -> None:
    tentative = phase(tentative=True, settings_period=PERIOD)
    assert [each.notice.name for each in calendar(tentative)] == ["tentative"]
    assert of_stage(tentative, Stage.DATE, START) is None


def test_another_date_is_another_notice() -> None:
    first, second = (due(phase(**{"from": START + timedelta(days=days)}), PERIOD["from"]) for days in (0, 7))
    assert first is not None
    assert second is not None
    assert first.name != second.name


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, "in-force"),
        ({"mode": "monitor"}, None),
        ({"mode": "announce"}, "tentative"),
        ({"until": START}, None),
        ({"from": START - timedelta(days=9), "until": START}, None),
    ],
)
def test_of_others(keys: dict[str, Any], expected: str | None) -> None:
    found = due(phase(**keys), START.astimezone(UTC))
    assert (found and found.name) == expected


def test_a_stage_may_be_asked_for_out_of_its_time() -> None:
    early = START - timedelta(days=100)
    found = [of_stage(DATED, stage, early) for stage in (Stage.DATE, Stage.REMINDER, Stage.IN_FORCE)]
    assert [each and each.stage for each in found] == [Stage.DATE, Stage.REMINDER, Stage.IN_FORCE]
    assert of_stage(DATED, Stage.TENTATIVE, early) is None
