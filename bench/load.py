"""Filling sets: 100,000 and 1,000,000 addresses or disjoint prefixes, against `nft -f` and `ipset restore`.

op25b is timed twice. "arrays": the declarations and `enforcement.elements.load`, from NumPy arrays that are there
already. "ruleset": `ruleset.nftables.table` and `enforcement.kernel.stage`, from Python tuples, which is what `apply`
does, chains and rules included. A peer is given a file that is there already. Each run is a fresh process.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Address

import numpy as np
from figures import Row, in_fresh_process, interleaved, main, needs, peak_of_self, run_measured, seconds
from netns import Namespace, integers
from numpy.typing import NDArray

from op25b.enforcement import nft
from op25b.enforcement.elements import Addresses4, Elements, load
from op25b.enforcement.netlink import Netlink

Spans = tuple[NDArray[np.uint32], NDArray[np.uint32]]


def spans(kind: str, count: int) -> Spans:
    """(first, last) of disjoint, sorted members that do not touch: single addresses, or prefixes of /24 to /32."""
    first = integers(25, 1 << 22, 100 << 22, count) << 1
    if kind == "addresses":
        return first.astype(np.uint32), first.astype(np.uint32)
    first = integers(25, 1 << 15, 200 << 15, count) << 9
    size = 1 << np.random.default_rng(26).integers(0, 9, count)
    return first.astype(np.uint32), (first + size - 1).astype(np.uint32)


def hashed(first: NDArray[np.uint32], last: NDArray[np.uint32]) -> list[tuple[str, Elements]]:
    """Sets as a large ruleset has them: a hash of network addresses for each prefix length that occurs."""
    found = lengths(first, last)
    return [(f"v4_{each}", Addresses4(first[found == each])) for each in np.unique(found)]


def lengths(first: NDArray[np.uint32], last: NDArray[np.uint32]) -> NDArray[np.int64]:
    """The prefix length of each."""
    sizes: NDArray[np.int64] = last.astype(np.int64) - first + 1
    return 32 - np.round(np.log2(sizes)).astype(np.int64)


def declarations(sets: list[tuple[str, Elements]]) -> str:
    """The table with these sets, empty."""
    lines = [f"set {name} {{ type ipv4_addr; size {each.declared_size(len(each))}; }}" for name, each in sets]
    return "\n".join(["table inet op25b {", *lines, "}"])


def from_arrays(kind: str, count: int) -> tuple[float, float]:
    """(seconds, peak MiB): in a fresh process."""
    first, last = spans(kind, count)

    def work() -> None:
        sets = hashed(first, last)
        nft.run(declarations(sets))
        with Netlink() as link:
            load(link, "op25b", sets)

    with Namespace().entered():
        took = seconds(work)
    return took, peak_of_self()


def from_ruleset(kind: str, count: int) -> tuple[float, float]:
    """(seconds, peak MiB): in a fresh process."""
    # imported here: the loader alone needs none of it, and its memory is measured too
    from rulesets import ruleset

    from op25b.enforcement import kernel
    from op25b.ruleset.nftables import table

    rules = ruleset(*spans(kind, count))

    def work() -> None:
        with Netlink() as link:
            kernel.stage(link, table(rules, "g1_"))

    with Namespace().entered():
        took = seconds(work)
    return took, peak_of_self()


def write_nft(path: str, kind: str, first: NDArray[np.uint32], last: NDArray[np.uint32]) -> None:
    """A file for `nft -f`: one set, its size declared."""
    flags, size = ("", len(first)) if kind == "addresses" else ("flags interval; ", 2 * len(first) + 2)
    with open(path, "w") as file:
        file.write(f"table inet op25b {{ set s {{ type ipv4_addr; {flags}size {size}; elements = {{\n")
        file.write(",\n".join(texts(first, last)))
        file.write("\n}; }; }\n")


def write_ipset(path: str, kind: str, first: NDArray[np.uint32], last: NDArray[np.uint32]) -> None:
    """A file for `ipset restore`: a hash of addresses, or of prefixes."""
    with open(path, "w") as file:
        file.write(f"create s hash:{'ip' if kind == 'addresses' else 'net'} family inet maxelem {len(first)} ")
        file.write(f"hashsize {1 << (len(first) - 1).bit_length()}\n")
        file.writelines(f"add s {text}\n" for text in texts(first, last))


def texts(first: NDArray[np.uint32], last: NDArray[np.uint32]) -> list[str]:
    """As prefixes are written."""
    return [
        str(IPv4Address(start)) if length == 32 else f"{IPv4Address(start)}/{length}"
        for start, length in zip(first.tolist(), lengths(first, last).tolist(), strict=True)
    ]


def rows_for(kind: str, count: int, rounds: int, folder: str) -> list[Row]:
    """Both ways of op25b beside both peers."""
    members = spans(kind, count)
    files = {"nft": f"{folder}/set.nft", "ipset": f"{folder}/set.ipset"}
    write_nft(files["nft"], kind, *members)
    write_ipset(files["ipset"], kind, *members)
    memory: dict[str, float] = {}

    def noted(name: str, work: Callable[[], tuple[float, float]]) -> float:
        took, memory[name] = work()
        return took

    def program(*command: str, stdin: str | None = None) -> tuple[float, float]:
        with Namespace().entered():
            return run_measured(command, stdin)

    contestants: dict[str, Callable[[], tuple[float, float]]] = {
        "arrays": partial(in_fresh_process, from_arrays, kind, count),
        "nft -f": partial(program, "nft", "-f", files["nft"]),
        "ruleset": partial(in_fresh_process, from_ruleset, kind, count),
        "ipset restore": partial(program, "ipset", "restore", stdin=files["ipset"]),
    }
    found = interleaved({name: partial(noted, name, work) for name, work in contestants.items()}, rounds)
    figure = {name: f"{sample.median:.2f} s, {memory[name]:.0f} MiB" for name, sample in found.items()}
    rows = []
    for ours in ("arrays", "ruleset"):
        for peer in ("nft -f", "ipset restore"):
            ratio = found[peer].median / found[ours].median
            less = memory[peer] / memory[ours]
            note = f"{found[ours].spread()} s against {found[peer].spread()} s; memory 1/{less:.1f}"
            target = ">= 4x, memory <= 1/5" if count == 1_000_000 and peer == "nft -f" else ""
            work = f"load {count:,} {kind}, from {ours}"
            rows.append(Row(work, figure[ours], f"{peer}: {figure[peer]}", ratio, note, target))
    return rows


def run(quick: bool = False) -> list[Row]:
    """Rows for each size and kind."""
    needs("nft", "ipset")
    rows = []
    with tempfile.TemporaryDirectory(prefix="op25b-bench-") as folder:
        for count, rounds in ((10_000, 1),) if quick else ((100_000, 3), (1_000_000, 3)):
            for kind in ("addresses", "prefixes"):
                rows += rows_for(kind, count, rounds, folder)
    return rows


if __name__ == "__main__":
    main(run)
