"""Customers behind a router with op25b's own table: who gets a case, of which kind, and who does not."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog
from sqlalchemy import Connection

from op25b.cli.service.watch import packets
from op25b.enforcement import nflog
from op25b.enforcement.netlink import Netlink
from op25b.enforcement.seen import Counters
from op25b.policy.model import Policy
from op25b.policy.watching import SenderKind
from op25b.ruleset.lower import lower
from op25b.ruleset.nftables import render
from op25b.store import Store, upgrade
from op25b.subscribers.leases import Period
from op25b.watch import cases
from op25b.watch.following import Follower
from op25b.watch.watcher import Watcher
from tests.support.trio import Namespace

pytestmark = pytest.mark.root
GROUP = 4712
BOT, PROGRAM, SERVER, INNOCENT, MONITORED = (f"198.18.0.{number}" for number in range(1, 6))
BOT6 = "2001:db8:1::1"
NAMES = {
    f"{address}/32": name for address, name in ((BOT, "bob"), (PROGRAM, "mia"), (SERVER, "sam"), (INNOCENT, "ida"))
}

_CUSTOMERS = """
link set lo up
link set eth0 up
addr add 198.18.0.1/25 dev eth0
addr add 198.18.0.2/25 dev eth0
addr add 198.18.0.3/25 dev eth0
addr add 198.18.0.4/25 dev eth0
addr add 2001:db8:1::1/64 dev eth0 nodad
route add default via 198.18.0.126
route add default via 2001:db8:1::ffff
"""
_ROUTER = """
link set lo up
link set c0 up
link set n0 up
addr add 198.18.0.126/25 dev c0
addr add 203.0.113.254/24 dev n0
addr add 2001:db8:1::ffff/64 dev c0 nodad
addr add 2001:db8:ff::ffff/64 dev n0 nodad
route add default via 203.0.113.25
route add default via 2001:db8:ff::25
"""
_INTERNET = """
link set lo up
link set eth0 up
addr add 203.0.113.25/24 dev eth0
addr add 2001:db8:ff::25/64 dev eth0 nodad
route add default via 203.0.113.254
route add default via 2001:db8:ff::ffff
"""


def policy() -> Policy:
    return Policy.model_validate(
        {
            "provider": {"name": "p", "display": {"ja": "p", "en": "p"}, "time_zone": "Asia/Tokyo"},
            "own_servers": [{"name": "mail", "hosts": ["m.example"], "addresses": ["192.0.2.25"], "ports": [587, 465]}],
            "pools": [{"name": "cut", "prefixes": ["198.18.0.0/25", "2001:db8:1::/48"]}],
            "phases": [{"name": "all", "mode": "enforce", "scope": {}}],
            "filter": {"log_group": GROUP, "log_rate": 100_000},
            # hours of behaviour within seconds
            "watch": {"open_attempts": 6, "return_seconds": 1, "patience_seconds": 2, "night_until": 1},
        }
    )


class Router(Namespace):
    """A router between customers and the Internet, with the table of a policy in force."""

    def __init__(self) -> None:
        super().__init__()
        self.customers, self.internet = Namespace(), Namespace()
        for name, other in (("c0", self.customers), ("n0", self.internet)):
            peer = f"/proc/self/fd/{other.fd}"
            self.run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", peer, also=(other.fd,))
        for namespace, lines in ((self, _ROUTER), (self.customers, _CUSTOMERS), (self.internet, _INTERNET)):
            four = [line for line in lines.splitlines() if "route" not in line or ":" not in line]
            six = [line for line in lines.splitlines() if "route" in line and ":" in line]
            namespace.run("ip", "-batch", "-", stdin="\n".join(four) + "\n")
            namespace.run("ip", "-6", "-batch", "-", stdin="\n".join(six) + "\n")
        self.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        self.run("nft", "-f", "-", stdin=render(lower(policy(), datetime(2026, 1, 1, tzinfo=UTC))))

    def close(self) -> None:
        for namespace in (self.customers, self.internet):
            namespace.close()
        super().close()


class Kernel:
    """What the enforcer does, without its process."""

    def __init__(self, router: Router) -> None:
        self._router, self._link = router, router.inside(Netlink)
        self._counters = Counters(self._link)

    def log(self) -> socket.socket:
        return self._router.inside(lambda: nflog.opened(GROUP))

    def seen(self) -> dict[str, dict[int, int]]:
        return {name: packets(found) for name, found in self._counters.take().items()}

    def kept(self) -> None:
        self._counters.kept()

    def close(self) -> None:
        self._link.close()


@pytest.fixture
def router() -> Iterator[Router]:
    made = Router()
    yield made
    made.close()


def connect(source: str, target: str, port: int = 25) -> None:
    """As a program does; it is refused at once, or there is nobody."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as made, suppress(OSError):
        made.settimeout(2)
        made.bind((source, 0))
        made.connect((target, port))


def fire() -> None:
    """The bot: 200 targets, each once."""
    for number in range(200):
        connect(BOT, f"203.0.{number}.9")


def fire6() -> None:
    for number in range(120):
        connect(BOT6, f"2001:db8:ff:{number:x}::9")


def queue() -> None:
    """The home server: four targets, again and again after waits that grow."""
    for wait in (1.2, 1.4, 1.6, 0):
        for number in range(4):
            connect(SERVER, f"203.0.113.{100 + number}")
        time.sleep(wait)


def swaks() -> None:
    """The mail program: swaks, which sends to its one server again and again."""
    for _ in range(7):
        subprocess.run(
            ["swaks", "--server", "203.0.113.25", "--port", "25", "--local-interface", PROGRAM, "--to", "a@b.example"],
            check=False, capture_output=True,
        )  # fmt: skip


def submit() -> None:
    """The innocent customer: on 587, more often than anybody."""
    for _ in range(20):
        connect(INNOCENT, "203.0.113.25", 587)


def holders(_: Connection, asked: Sequence[tuple[str, datetime]]) -> list[Period | None]:
    names = [NAMES.get(prefix) for prefix, _ in asked]
    began = datetime(2026, 1, 1, tzinfo=UTC)
    return [name and Period("", name, "bng", "1", began, began, None) for name in names]  # type: ignore[misc]


def entered(router: Router, work: Callable[[], Any]) -> Callable[[], Any]:
    return lambda: router.customers.inside(work)


def test_who_tries_gets_a_case_of_his_kind_and_nobody_else(router: Router, tmp_path: Any) -> None:
    assert shutil.which("swaks"), "swaks is missing; to get it: sudo apt-get install swaks"
    url = f"sqlite:///{tmp_path}/op25b.db"
    upgrade(url)
    store, kernel = Store(url), Kernel(router)
    follower = Follower(
        kernel, Watcher(store, policy(), holders), lambda: datetime.now(UTC), structlog.get_logger(), look_seconds=0.3
    )

    async def watched() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(follower.run(stop))
        while follower.reader is None:
            await asyncio.sleep(0.01)
        with ThreadPoolExecutor() as pool:
            loop = asyncio.get_running_loop()
            work = [loop.run_in_executor(pool, entered(router, each)) for each in (fire, fire6, queue, swaks, submit)]
            await asyncio.gather(*work)
        # the kernel keeps records for a tenth of a second
        await asyncio.sleep(0.3)
        stop.set()
        await running

    asyncio.run(watched())
    with store.read() as connection:
        found = {case.who: case for case in cases.listed(connection)}
    assert {name: case.kind for name, case in found.items()} == {
        "bob": SenderKind.BOT,
        "2001:db8:1::/64": SenderKind.BOT,
        "sam": SenderKind.HOME_SERVER,
        "mia": SenderKind.MAIL_PROGRAM,
    }
    assert {name: (case.attempts, case.targets) for name, case in found.items()} == {
        "bob": (200, 200), "2001:db8:1::/64": (120, 120), "sam": (16, 4), "mia": (7, 1),
    }  # fmt: skip
    assert found["mia"].evidence["targets"][0]["address"] == "203.0.113.25"
    assert all(case.evidence["figures"]["packets_refused"] >= case.attempts for case in found.values())
    assert follower.reader is not None
    assert (follower.reader.counts.lost, follower.reader.counts.overruns, follower.reader.counts.unreadable) == (
        0,
        0,
        0,
    )
    kernel.close()
    store.close()
