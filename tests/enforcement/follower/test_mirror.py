"""The mirror holds what it was told, however much of it is still beside its arrays."""

from __future__ import annotations

import random
from collections.abc import Iterable
from ipaddress import ip_network

import pytest

from op25b.enforcement.follower import mirror as module
from op25b.enforcement.follower.mirror import Mirror
from op25b.enforcement.members import Members, normal
from op25b.enforcement.prefix_texts import members, texts

HOSTS = [f"192.0.2.{number}/32" for number in range(60)]
NETWORKS = [str(ip_network((0x20010DB8 << 96 | number << 72, 56))) for number in range(60)]
NESTED = ["198.51.100.0/24", "198.51.100.0/25", "198.51.100.128/26", "198.51.100.130/31", "203.0.113.0/30"]
ALL = [*HOSTS, *NETWORKS, *NESTED]


def written(found: Members) -> list[str]:
    return sorted(text for kind, rows in found.items() for text in texts(kind, rows))


def kernel(held: Iterable[str]) -> list[str]:
    """What of these prefixes the kernel has: none that is within another."""
    return written(normal(members(held)))


@pytest.mark.parametrize("fold", [1, 7, 4096])
def test_it_holds_what_it_was_told(monkeypatch: pytest.MonkeyPatch, fold: int) -> None:
    monkeypatch.setattr(module, "FOLD", fold)
    choose = random.Random(4)
    held = set(choose.sample(ALL, 50))
    mirror, in_kernel = Mirror(members(held)), set(kernel(held))
    for _ in range(200):
        looked = choose.sample(ALL, choose.randrange(1, 6))
        wanted = [prefix for prefix in looked if choose.random() < 0.5]
        change = mirror.delta(members(looked), members(wanted))
        told = mirror.in_kernel(change)
        gone, come = set(written(told.remove)), set(written(told.add))
        assert gone <= in_kernel
        assert not come & (in_kernel - gone)
        in_kernel = in_kernel - gone | come
        mirror.change(change)
        held = held - set(looked) | set(wanted)
        assert written(mirror.members()) == sorted(held)
        assert len(mirror) == len(held)
        assert sorted(in_kernel) == kernel(held)


def test_what_is_so_already_is_no_change() -> None:
    mirror = Mirror(members(ALL))
    assert not mirror.delta(members(ALL), members(ALL))
    assert not mirror.delta(members(["192.0.2.200/32"]), {})


def test_a_destination_is_not_a_source() -> None:
    mirror = Mirror(members(HOSTS[:1]))
    to_it = members(HOSTS[:1], destination=True)
    change = mirror.delta(to_it, to_it)
    assert list(change.add) == list(to_it)
    assert not change.remove
