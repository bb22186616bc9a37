"""Which pools a phase is for, how near the others came, and the state of a phase."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from op25b.policy.model import Exemption, Mode, Phase, Policy, Pool, Scope
from op25b.policy.reasons import Reason
from op25b.policy.scope import first_miss, in_force, moments, nearest_miss, state, strongest

POOL = {
    "name": "home",
    "prefixes": ["198.18.0.0/24"],
    "line": "b-flets",
    "region": "osaka",
    "assignment": "dynamic",
    "contract": "basic",
}
SILENT = {"name": "silent", "prefixes": ["198.18.1.0/24"]}
START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)


def miss(scope: dict[str, Any], pool: dict[str, Any]) -> Reason | None:
    found = first_miss(Scope.model_validate(scope), Pool.model_validate(pool))
    return found[1] if found else None


@pytest.mark.parametrize(
    ("scope", "home", "silent"),
    [
        # no key at all means everyone
        ({}, None, None),
        # what a pool does not say matches no scope that asks for it
        ({"contracts": ["basic"]}, None, "contract-not-covered"),
        ({"contracts": ["other"]}, "contract-not-covered", "contract-not-covered"),
        ({"pools": ["home"]}, None, "line-not-covered"),
        ({"lines": ["b-flets", "dial-up"]}, None, "line-not-covered"),
        ({"regions": ["osaka"]}, None, "region-not-covered"),
        ({"assignments": ["dynamic"]}, None, "static-address"),
        ({"assignments": ["static"]}, "static-address", "static-address"),
        # ... and is not in anything excluded
        ({"not_contracts": ["basic"]}, "contract-not-covered", None),
        ({"not_pools": ["home"]}, "line-not-covered", None),
        ({"not_lines": ["b-flets"]}, "line-not-covered", None),
        ({"not_regions": ["osaka"]}, "region-not-covered", None),
        # every key must hold, and the first that does not is the reason
        ({"lines": ["b-flets"], "regions": ["tokyo"]}, "region-not-covered", "line-not-covered"),
        ({"lines": ["dial-up"], "regions": ["tokyo"]}, "line-not-covered", "line-not-covered"),
        ({"regions": ["tokyo"], "not_contracts": ["basic"]}, "contract-not-covered", "region-not-covered"),
        # an empty list holds nobody
        ({"lines": []}, "line-not-covered", "line-not-covered"),
    ],
)
def test_scope(scope: dict[str, Any], home: str | None, silent: str | None) -> None:
    assert (miss(scope, POOL), miss(scope, SILENT)) == (home, silent)


def phase(name: str = "phase", mode: str = "enforce", scope: dict[str, Any] | None = None, **more: Any) -> Phase:
    return Phase.model_validate({"name": name, "mode": mode, "scope": scope or {}, **more})


def test_nearest_miss_is_that_of_the_phase_that_gets_furthest() -> None:
    contract = phase("contract", scope={"contracts": ["other"]})
    region, other_region = (phase(name, scope={"regions": ["tokyo"]}) for name in ("region", "other-region"))
    pool = Pool.model_validate(POOL)
    assert nearest_miss([contract, region, other_region], pool) == (Reason.REGION_NOT_COVERED, region)
    assert nearest_miss([contract], pool) == (Reason.CONTRACT_NOT_COVERED, contract)
    assert nearest_miss([], pool) == (Reason.LINE_NOT_COVERED, None)


@pytest.mark.parametrize(
    ("made", "states"),
    [
        # just before the start, at the start, just before the end, at the end
        (phase(**{"from": START, "until": END}), "not-yet covered covered ended"),
        (phase(mode="monitor", **{"from": START, "until": END}), "not-yet monitored monitored ended"),
        (phase(mode="announce", **{"from": START, "until": END}), "not-yet announced announced ended"),
        (phase(tentative=True, **{"from": START}), "announced announced announced announced"),
        (phase(), "covered covered covered covered"),
        (phase(until=END), "covered covered covered ended"),
    ],
)
def test_state(made: Phase, states: str) -> None:
    assert " ".join(state(made, at) for at in (START - TICK, START, END - TICK, END)) == states


def test_strongest_of_equals_is_the_first_in_the_file() -> None:
    first, second = phase("first"), phase("second")
    assert strongest([first, second], START) == (Reason.COVERED, first)
    assert strongest([phase("third", mode="announce"), second], START) == (Reason.COVERED, second)


def test_exemption_is_in_force_from_its_start_until_before_its_end() -> None:
    made = Exemption.model_validate(
        {"name": "e", "prefixes": ["198.18.0.1"], "reason": "x", "from": START, "until": END}
    )
    assert [in_force(made, at) for at in (START - TICK, START, END - TICK, END)] == [False, True, True, False]


def test_moments_are_all_instants_at_which_something_changes() -> None:
    provider = {"name": "p", "display": {"ja": "P", "en": "P"}, "time_zone": "UTC"}
    exemption = {"name": "e", "prefixes": ["198.18.0.1"], "reason": "x", "until": END + TICK}
    made = Policy.model_validate(
        {
            "provider": provider,
            "phases": [{"name": "a", "mode": "enforce", "scope": {}, "from": START, "until": END}],
            "exemptions": [exemption],
        }
    )
    assert moments(made) == {START, END, END + TICK}


def test_of_several_phases_that_start_later_the_soonest_is_named() -> None:
    later, sooner = (
        Phase(name=name, scope=Scope(), mode=Mode.ENFORCE, from_=datetime(2011, month, 1, tzinfo=UTC))
        for name, month in (("later", 5), ("sooner", 2))
    )
    assert strongest([later, sooner], datetime(2010, 1, 1, tzinfo=UTC)) == (Reason.NOT_YET, sooner)
