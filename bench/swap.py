"""All 100,000 sources replaced under traffic, every one of them covered before and after: what got through leaked.

op25b stages a generation and switches, as `apply` does. Peers: one `nft -f` that flushes and fills the set in one
transaction, and the same as two calls. TCP SYNs to port 25 from covered sources go through a router all the while;
a packet that comes out of it is a leak. The filter drops, so that no answers disturb the count.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.synchronize import Event

from figures import Row, Sample, interleaved, main, needs, run_measured, seconds
from load import spans, texts
from netns import Flood, Router, packet4
from rulesets import ruleset

from op25b.enforcement import kernel
from op25b.enforcement.netlink import Netlink
from op25b.policy.model import Filter, Refuse
from op25b.ruleset.nftables import Table, table
from op25b.ruleset.rules import Ruleset

PACE = 0.001
BURST = 20
KEPT = 1000  # sources that both the old and the new set hold


def dropping(rules: Ruleset) -> Ruleset:
    """The same, in silence and without a log."""
    return Ruleset(rules.provider, rules.at, rules.passes, rules.phases, Filter(refuse=Refuse.DROP, log_group=None))


def flood(router: Router, sources: list[int], stop: Event) -> None:
    """Sends BURST packets every PACE seconds."""
    sender = Flood(router, [packet4(source, (203 << 24) + 1, 6, 25) for source in sources])
    while not stop.wait(PACE):
        sender.send(BURST)


@contextmanager
def traffic(router: Router, sources: list[int]) -> Iterator[None]:
    """Packets go through the router while this lasts."""
    context = multiprocessing.get_context("fork")  # it inherits the handles of the namespaces
    stop = context.Event()
    sender = context.Process(target=flood, args=(router, sources, stop), daemon=True)
    sender.start()
    try:
        while router.came_in() < BURST:
            time.sleep(PACE)
        yield
    finally:
        stop.set()
        sender.join()


class Op25b:
    """Generations of the same sources; `replace` puts the next one in force."""

    def __init__(self, rules: Ruleset) -> None:
        self.rules, self.number = rules, 0

    def write(self) -> Table:
        """The next generation's table."""
        self.number += 1
        return table(self.rules, kernel.prefix(self.number))

    def replace(self) -> None:
        with Netlink() as link:
            kernel.stage(link, self.write())
            kernel.switch(link, self.number)
            kernel.clean(link, {self.number})


def start_of_peer(members: str, size: int) -> str:
    """A table that drops port 25 from the members of one set."""
    return (
        f"table inet peer {{ set s {{ type ipv4_addr; size {size}; elements = {{ {members} }}; }}\n"
        "chain forward { type filter hook forward priority filter; policy accept; tcp dport 25 ip saddr @s drop; }; }\n"
    )


def measured(
    router: Router, work: Callable[[], object], sources: list[int], leaks: list[int], seen: list[int]
) -> float:
    """Seconds that `work` takes under traffic; notes what came in and what got through meanwhile."""
    with traffic(router, sources):
        came, went = router.came_in(), router.smtp_out()
        with router.router.entered():
            took = seconds(work)
        # what is on its way when the work is done is counted a moment later
        time.sleep(5 * PACE)
        seen.append(router.came_in() - came)
        leaks.append(router.smtp_out() - went)
    return took


def run(quick: bool = False) -> list[Row]:
    """One row for each peer."""
    needs("nft", "ip")
    count, rounds = (10_000, 2) if quick else (100_000, 7)
    first, last = spans("addresses", count)
    sources = first[:: count // KEPT].tolist()
    members = ",\n".join(texts(first, last))
    ours = Op25b(dropping(ruleset(first, last)))
    leaks: dict[str, list[int]] = {"op25b": [], "one": [], "two": []}
    seen: dict[str, list[int]] = {name: [] for name in leaks}
    with tempfile.TemporaryDirectory(prefix="op25b-bench-") as folder, Router() as mine, Router() as theirs:
        files = {name: f"{folder}/{name}.nft" for name in ("one", "flush", "fill")}
        flush, fill = "flush set inet peer s\n", f"add element inet peer s {{ {members} }}\n"
        for name, text in {"one": flush + fill, "flush": flush, "fill": fill}.items():
            with open(files[name], "w") as file:
                file.write(text)
        with mine.router.entered():
            ours.replace()
        theirs.router.run("nft", start_of_peer(members, count))
        works: dict[str, tuple[Router, Callable[[], object]]] = {
            "op25b": (mine, ours.replace),
            "one": (theirs, lambda: run_measured(["nft", "-f", files["one"]])),
            "two": (theirs, lambda: [run_measured(["nft", "-f", files[name]]) for name in ("flush", "fill")]),
        }
        found = interleaved(
            {
                name: partial(measured, router, work, sources, leaks[name], seen[name])
                for name, (router, work) in works.items()
            },
            rounds,
        )

    def figure(name: str) -> str:
        return f"{found[name].median * 1000:.0f} ms, {sum(leaks[name]):,} of {sum(seen[name]):,} packets leaked"

    def described(name: str, sample: Sample) -> str:
        return f"{found['op25b'].spread(1000, 0)} ms against {sample.spread(1000, 0)} ms"

    return [
        Row(
            f"replace {count:,} addresses under traffic",
            figure("op25b"),
            f"{what}: {figure(name)}",
            found[name].median / found["op25b"].median,
            described(name, found[name]),
            "0 leaked",
        )
        for name, what in (("one", "nft -f, one transaction"), ("two", "nft -f, flush and fill"))
    ]


if __name__ == "__main__":
    main(run)
