"""Settings that hold for every test."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# How fast a machine is, and what else it does, is no fault of a test. A failure prints how to repeat it.
settings.register_profile(
    "op25b",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
    derandomize="CI" in os.environ,
)
settings.load_profile("op25b")


LONGEST = ("lab/", "test_how_to", "cli/service/", "enforcement/", "portal/", "rollout/", "submission/")
"""Beneath this folder: whole services and networks. They begin first, so that none runs alone at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order them; skip tests marked `root` where they cannot work (root of a user namespace will do)."""
    items.sort(key=_turn)
    if os.geteuid() == 0:
        return
    skip = pytest.mark.skip(reason="needs root; `unshare --map-root-user --net --mount` will do")
    for item in items:
        if item.get_closest_marker("root"):
            item.add_marker(skip)


def _turn(item: pytest.Item) -> int:
    name = item.nodeid.removeprefix("tests/")
    return next((turn for turn, start in enumerate(LONGEST) if name.startswith(start)), len(LONGEST))
