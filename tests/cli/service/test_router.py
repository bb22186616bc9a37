"""Everything that a router runs, under one supervisor, by real packets."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.service.conftest import Host

pytestmark = pytest.mark.root
NET_ADMIN = 1 << 12


def _status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _capabilities(host: Host) -> dict[str, set[int]]:
    """Of each job, those that it has in any way."""
    kinds = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
    return {name: {int(_status(pid)[kind], 16) for kind in kinds} for name, pid in host.processes().items()}


def test_each_process_has_the_privilege_that_it_needs(host: Host) -> None:
    with host:
        found = _capabilities(host)
        assert found.pop("enforcer") == {0, NET_ADMIN}
        assert set(found) >= {"leases", "watch", "upkeep", "health"}
        assert set.union(*found.values()) == {0}
        assert {_status(pid)["NoNewPrivs"] for pid in host.processes().values()} == {"1"}
