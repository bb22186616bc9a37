"""A restart with a million subscribers: from the start of `op25b serve` until the live sets hold what the store says.

Everyone has an address and an exemption. Before: empty sets, or sets in which 1 % are missing and as many are too much.
Peer: the same list by the program sqlite3, made into a file by awk, then `nft -f`, which flushes the set and fills it.
Which addresses are in the kernel is read back and compared after each run, outside the time.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
from accounters import Op25b, grant
from figures import Row, Sample, interleaved, main, needs, seconds
from mailrun import BASE, Lost, disk
from netns import Router
from processes import memory_mib, peak_mib
from radiusload import FIRST, address, subscriber

from op25b.enforcement.live import LiveSets
from op25b.enforcement.members import Members, difference
from op25b.enforcement.netlink import Netlink
from op25b.ruleset.live import SetKind
from op25b.subscribers.leases import Claim, Leases

KIND = SetKind.of(4, 32)
BATCH = 20_000
EXPORT = """
SELECT n.prefix FROM newest_claims n JOIN sessions s ON s.id = n.session
JOIN exemptions e ON e.subscriber = s.subscriber
WHERE s.stopped_at IS NULL AND (s.expires_at IS NULL OR s.expires_at > {now})
AND e.kind = 'subscriber' AND e.granted_at IS NOT NULL AND e.from_at <= {now} AND e.until_at > {now}
"""
PEER = """
(echo 'flush set ip peer s'; echo 'add element ip peer s {{'
sqlite3 -readonly {store} "{query}" | awk '{{ sub("/32", ""); print $0 "," }}'
echo '}}') >{file}
nft -f {file}
"""


class Million(Op25b):
    """With sets that large, and a store that is filled once."""

    size = 1 << 20

    def followed(self) -> float:
        """Seconds that the follower took until it was in step, as it says."""
        lines = (self.folder / "log").read_text().splitlines()
        return next(float(json.loads(line)["seconds"]) for line in lines if '"following the store"' in line)

    def fill(self, count: int) -> float:
        """Everyone gets an address; leases a second."""
        leases, now = Leases(self.store, None), datetime.now(UTC)
        began = time.monotonic()
        for start in range(0, count, BATCH):
            numbers = range(start, min(start + BATCH, count))
            leases.merge(
                [
                    Claim("bng1", f"{each:08x}", subscriber(each), (f"{address(each)}/32",), now, now)
                    for each in numbers
                ],
                now,
            )
        took = time.monotonic() - began
        grant(self.store, map(subscriber, range(count)))
        return count / took


def _claim(number: int, now: datetime) -> Claim:
    return Claim("bng1", f"{number:08x}", subscriber(number), (f"{address(number)}/32",), now, now)


def members(numbers: np.ndarray) -> Members:
    """Their addresses, as live sets hold them."""
    return {KIND: (numbers + FIRST).astype(">u4").view(np.uint8).reshape(-1, 4)}


class Bench:
    """A store, a router, and the state in which each run finds the sets."""

    def __init__(self, router: Router, folder: Path, count: int) -> None:
        self.router, self.folder, self.count = router, folder, count
        self.host = Million(router, folder, [])
        self.rate = self.host.fill(count)
        self.memory: dict[str, tuple[float, float]] = {}
        self.alone: dict[float, list[float]] = {}
        """By share, seconds of reading the store and repairing the sets, without the start of the processes."""
        router.router.run("nft", f"table ip peer {{ set s {{ type ipv4_addr; size {self.host.size}; }}; }}\n")

    def found(self, share: float) -> None:
        """`share` of the members are missing, and as many are there that should not be; 1: none is there."""
        wrong = 0 if share == 1 else int(self.count * share)
        kept = members(np.arange(self.count if share < 1 else 0)[wrong:])
        extra = members(np.arange(self.count, self.count + wrong))
        with self.router.router.entered(), Netlink() as link:
            LiveSets(link).replace({KIND: np.concatenate([kept[KIND], extra[KIND]])})

    def op25b(self, share: float) -> float:
        self.found(share)
        began = time.monotonic()
        with self.host:
            took = time.monotonic() - began
            self.alone.setdefault(share, []).append(self.host.followed())
            with self.router.router.entered(), Netlink() as link:
                held = LiveSets(link).read()
            if difference(held, members(np.arange(self.count))):
                raise Lost("the live sets do not hold what the store says")
            jobs = {name.removeprefix("op25b "): pid for name, pid in self.host.jobs().items()}
            for name in ("leases", "enforcer"):
                self.memory[name] = memory_mib(jobs[name]), peak_mib(jobs[name])
        return took

    def peer(self) -> float:
        now = int(time.time() * 1e6)
        query = " ".join(EXPORT.format(now=now).split())
        script = PEER.format(store=self.folder / "op25b.db", query=query, file=self.folder / "peer.nft")
        with self.router.router.entered():
            return seconds(partial(subprocess.run, ["sh", "-ec", script], check=True))


def run(quick: bool) -> list[Row]:
    """The figures."""
    needs("nft", "ip", "sqlite3")
    disk()
    count, rounds = (50_000, 1) if quick else (1_000_000, 3)
    with Router() as router, tempfile.TemporaryDirectory(prefix="op25b-bench-", dir=BASE) as name:
        bench = Bench(router, Path(name), count)
        contestants: dict[str, Callable[[], float]] = {
            "empty": partial(bench.op25b, 1),
            "peer": bench.peer,
            "differs": partial(bench.op25b, 0.01),
        }
        found = interleaved(contestants, rounds)
    theirs = found["peer"]
    rows = [
        _row(f"restart with {count:,} exempt subscribers, empty sets", found["empty"], theirs, bench.alone[1]),
        _row("the same, sets that differ in 1 %", found["differs"], theirs, bench.alone[0.01]),
    ]
    for name, (now, peak) in bench.memory.items():
        work = f"memory with {count:,} leases, {WHAT[name]}"
        rows.append(Row(work, f"{now:,.0f} MiB", "", None, f"at most {peak:,.0f} MiB, at the start"))
    return [*rows, Row("leases into an empty store, a second", f"{bench.rate:,.0f}", "", None, f"{BATCH:,} at a time")]


WHAT = {"leases": "lease server with its follower", "enforcer": "enforcer"}


def _row(work: str, ours: Sample, theirs: Sample, alone: list[float]) -> Row:
    least = f"without the start of processes {statistics.median(alone):.1f} s"
    note = f"{ours.spread(1, 1)} s against {theirs.spread(1, 1)} s; {least}"
    figures = f"{ours.median:.1f} s", f"sqlite3, awk, `nft -f`: {theirs.median:.1f} s"
    return Row(work, *figures, theirs.median / ours.median, note, "<= 10 s")


if __name__ == "__main__":
    main(run)
