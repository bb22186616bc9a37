"""Everything that a router runs, under one supervisor, by real packets."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.cli.service.conftest import Host
from tests.support.running import eventually
from tests.support.streets import CUSTOMERS

pytestmark = pytest.mark.root
NET_ADMIN = 1 << 12


def _status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _capabilities(host: Host) -> dict[str, set[int]]:
    """Of each job, those that it has in any way."""
    kinds = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
    return {name: {int(_status(pid)[kind], 16) for kind in kinds} for name, pid in host.processes().items()}


def _metric(host: Host, name: str) -> float:
    found = dict(line.split() for line in host.get("/metrics").splitlines() if line[0] != "#")
    return float(found[f"op25b_{name}"])


def test_an_exemption_follows_its_subscriber_from_address_to_address(host: Host) -> None:
    with host:
        eventually(lambda: _metric(host, "follower_in_step") == 1)
        number = host.grant("taro")
        for session in range(12):
            address, before = CUSTOMERS[session % 8], CUSTOMERS[(session - 1) % 8]
            host.radius("Start", "taro", address, session=f"s{session}")
            # acknowledged after store and filter: nothing has to be waited for
            assert host.streets.tries(address) == "passes"
            assert host.streets.tries(before) == "is refused"
            if session < 11:
                host.radius("Stop", "taro", address, session=f"s{session}")
                assert host.streets.tries(address) == "is refused"
        host.revoke(number)
        eventually(lambda: host.streets.tries(address) == "is refused")
        assert (_metric(host, "leases_reports_total"), _metric(host, "leases_filter_failed_total")) == (23, 0)
        assert _metric(host, "follower_readings_total") == 1
    # whoever needs the enforcer ended before it did
    assert [line for line in host.log() if line["level"] != "info"] == []


def test_who_keeps_trying_gets_a_case_and_the_counters_are_the_kernel_s(host: Host) -> None:
    with host:
        host.radius("Start", "jiro", CUSTOMERS[2])
        for _ in range(5):
            assert host.streets.tries(CUSTOMERS[2]) == "is refused"
        eventually(lambda: _metric(host, "watch_cases") == 1, 40)
    (case,) = json.loads(host.op25b("watch", "list", "--store", host.store, "--json"))
    assert (case["subscriber"], case["attempts"]) == ("jiro", 5)


@pytest.mark.parametrize("killed", ["enforcer", "leases"])
def test_a_process_that_is_killed_under_load_comes_back_and_nothing_is_lost(host: Host, killed: str) -> None:
    with host:
        eventually(lambda: _metric(host, "follower_in_step") == 1)
        host.grant("taro")
        host.radius("Start", "taro", CUSTOMERS[0])
        with host.reports_of_others(200) as answered:
            eventually(lambda: _metric(host, "leases_reports_total") > 20)
            os.kill(host.processes()[killed], signal.SIGKILL)
            assert host.streets.tries(CUSTOMERS[0]) == "passes"
            assert host.streets.tries(CUSTOMERS[1]) == "is refused"
        assert answered() == 200
        eventually(lambda: _metric(host, "follower_in_step") == 1 and _metric(host, "follower_readings_total") == 2)
        assert host.holders("198.18.0.") == 201
        host.radius("Start", "taro", CUSTOMERS[1], session="s2")
        eventually(lambda: host.streets.tries(CUSTOMERS[1]) == "passes")
        eventually(lambda: host.states()["ok"])
        # exit status 0: no differences
        host.op25b("verify", f"{host.folder}/policy.toml", "--state", f"{host.folder}/state", "--store", host.store)


def test_a_reload_takes_over_clients_and_their_secrets(host: Host) -> None:
    with host:
        host.radius("Start", "taro", CUSTOMERS[0])
        (host.folder / "secret").write_text("another secret")
        host.signal(signal.SIGHUP)
        host.await_notice("RELOADING=1")
        host.await_notice("READY=1")
        eventually(lambda: host.asks("Stop", "taro", CUSTOMERS[0], secret="another secret"))
        assert not host.asks("Start", "taro", CUSTOMERS[0], session="s2")


def test_a_reload_of_an_address_changes_nothing(host: Host) -> None:
    with host:
        host.config.write_text(host.config.read_text().replace('socket = "enforcer"', 'socket = "elsewhere"'))
        host.signal(signal.SIGHUP)
        host.await_notice("RELOADING=1")
        host.await_notice("READY=1")
        host.radius("Start", "taro", CUSTOMERS[0])
    (said,) = [line["reason"] for line in host.log() if line["level"] == "error"]
    assert said.endswith("enforcer changes at a restart only; put it back, or restart the service")


def test_each_process_has_the_privilege_that_it_needs_and_no_other(host: Host) -> None:
    with host:
        found = _capabilities(host)
        assert found.pop("enforcer") == {0, NET_ADMIN}
        assert set(found) == {"leases", "watch", "api", "upkeep", "health"}
        assert set.union(*found.values()) == {0}
        assert {_status(pid)["NoNewPrivs"] for pid in host.processes().values()} == {"1"}
