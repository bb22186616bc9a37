"""The one table."""

from __future__ import annotations

import pytest

from op25b.subscribers.exemptions.transitions import LIVE, OVER, TRANSITIONS, State, Step, at_time
from tests.subscribers.exemptions.conftest import DAY, START


def test_every_state_has_a_row_and_can_be_reached() -> None:
    assert set(TRANSITIONS) == set(State)
    reached = {State.REQUESTED}
    while found := {target for state in reached for target in TRANSITIONS[state].values()} - reached:
        reached |= found
    assert reached == set(State)


def test_every_state_leads_to_an_end() -> None:
    assert {State.REFUSED, State.WITHDRAWN, State.REVOKED, State.ENDED} == OVER
    ending = set(OVER)
    while found := {state for state, row in TRANSITIONS.items() if ending & set(row.values())} - ending:
        ending |= found
    assert ending == set(State)


def test_only_a_grant_leads_into_force() -> None:
    into = {
        (state, step)
        for state, row in TRANSITIONS.items()
        for step, target in row.items()
        if target in LIVE and state not in LIVE
    }
    assert into == {(State.UNDER_REVIEW, Step.GRANT)}


@pytest.mark.parametrize("state", State)
def test_time_moves_only_what_is_live(state: State) -> None:
    review, until = START + DAY, START + 2 * DAY
    moved = [at_time(state, review, until, START + days * DAY) for days in (0, 1, 2)]
    if state in LIVE:
        assert moved == [state, State.EXPIRING, State.ENDED]
    else:
        assert moved == [state] * 3
