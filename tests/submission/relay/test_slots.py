"""Who may have one of the connections."""

from __future__ import annotations

import asyncio

import pytest

from op25b.submission.relay.slots import Slot, Slots, Standing

FAILING, UNTRIED, WORKING = Standing


def taken(slots: Slots, standing: Standing) -> list[Slot]:
    """As many as there are to be had."""
    found = []
    while (slot := slots.take(standing)) is not None:
        found.append(slot)
    return found


def test_those_that_never_answer_leave_places_to_those_that_do() -> None:
    slots = Slots(16)
    assert len(taken(slots, FAILING)) == 4
    assert len(taken(slots, UNTRIED)) == 8
    assert len(taken(slots, WORKING)) == 4
    assert slots.taken == 16


def test_those_that_work_may_have_all() -> None:
    slots = Slots(16)
    assert len(taken(slots, WORKING)) == 16
    assert slots.take(UNTRIED) is None


def test_a_promotion_makes_room() -> None:
    slots = Slots(4)
    first = taken(slots, UNTRIED)[0]
    assert slots.take(UNTRIED) is None
    slots.promote(first)
    assert slots.take(UNTRIED) is not None


def test_a_relay_with_too_few() -> None:
    with pytest.raises(ValueError, match="four"):
        Slots(3)


def test_who_comes_first_is_served_first_unless_his_kind_has_enough() -> None:
    async def play() -> list[str]:
        slots, served = Slots(4), []

        async def wait(name: str, standing: Standing) -> None:
            await slots.wait(standing)
            served.append(name)

        held = taken(slots, WORKING)
        names = [
            ("new-1", UNTRIED),
            ("failing-1", FAILING),
            ("new-2", UNTRIED),
            ("failing-2", FAILING),
            ("good", WORKING),
        ]
        tasks = [asyncio.create_task(wait(*each)) for each in names]
        await asyncio.sleep(0)
        assert slots.wanted
        tasks[2].cancel()
        await asyncio.gather(tasks[2], return_exceptions=True)
        for slot in held:
            slots.give_back(slot)
        for _ in range(3):
            await asyncio.sleep(0)
        assert slots.taken == 3
        assert slots.wanted, "failing-2: one of four is all that its kind gets"
        for task in tasks:
            task.cancel()
        return served

    assert asyncio.run(play()) == ["new-1", "failing-1", "good"]


def test_a_place_that_comes_too_late_is_given_back() -> None:
    async def play() -> None:
        slots = Slots(4)
        held = taken(slots, WORKING)
        task = asyncio.create_task(slots.wait(WORKING))
        await asyncio.sleep(0)
        slots.give_back(held[0])
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert slots.taken == 3

    asyncio.run(play())
