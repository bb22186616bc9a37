"""One element in and out again: an address in a set of 100,000, a prefix among 100,000.

Peers: the program `nft`, and libnftables called in this process, as its Python binding does. op25b's prefixes are
where a large ruleset has them: in a hash for each prefix length; the peers' are in one interval set.
One figure is half of one addition and one deletion.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import subprocess
import time
from collections.abc import Callable
from ipaddress import IPv4Address

import numpy as np
from figures import Row, main, needs
from load import hashed, spans
from netns import Namespace

from op25b.enforcement import nft
from op25b.enforcement.elements import Addresses4, Intervals4, add_elements, addition, delete_elements, deletion, load
from op25b.enforcement.netlink import Netlink

BATCH = 1000


def libnftables() -> Callable[[str], None] | None:
    """Runs commands without starting a program; None where the library is not installed."""
    name = ctypes.util.find_library("nftables")
    if name is None:
        return None
    library = ctypes.CDLL(name)
    library.nft_ctx_new.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.nft_ctx_new(0))

    def run(command: str) -> None:
        if library.nft_run_cmd_from_buffer(context, command.encode()):
            raise RuntimeError(f"libnftables refused: {command}")

    return run


def program(command: str) -> None:
    """The same by the program."""
    subprocess.run(["nft", command], check=True)


def timed(pair: Callable[[int], None], rounds: int, elements: int = 1) -> np.ndarray:
    """Seconds for an element, of each of `rounds` pairs of an addition and a deletion."""
    taken = []
    for number in range(rounds):
        start = time.perf_counter()
        pair(number)
        taken.append((time.perf_counter() - start) / 2 / elements)
    return np.array(taken)


def peer_pair(run: Callable[[str], None], suffix: str) -> Callable[[int], None]:
    """Adds and deletes an element of the set s through `nft` in some form."""

    def pair(number: int) -> None:
        element = f"{IPv4Address((203 << 24) + number * 256)}{suffix}"
        run(f"add element inet op25b s {{ {element} }}")
        run(f"delete element inet op25b s {{ {element} }}")

    return pair


def raw_pair(link: Netlink, name: str, count: int, check: bool) -> Callable[[int], None]:
    """Adds and deletes `count` addresses; `check`: the set's type is asked of the kernel before."""

    def pair(number: int) -> None:
        elements = Addresses4(np.arange(count, dtype=np.uint32) * 256 + ((203 << 24) + number * 256))
        if check:
            add_elements(link, "op25b", name, elements)
            delete_elements(link, "op25b", name, elements)
        else:
            link.commit_in_parts(addition("op25b", name, elements))
            link.commit_in_parts(deletion("op25b", name, elements))

    return pair


def row(work: str, ours: np.ndarray, peer: str, theirs: np.ndarray, note: str = "") -> Row:
    """Medians, and the 99th percentiles as the note."""
    (half, tail), (their_half, their_tail) = (np.percentile(each, (50, 99)) * 1e6 for each in (ours, theirs))
    note = f"p99 {tail:.0f} us against {their_tail:,.0f} us{note}"
    return Row(work, f"{half:.1f} us", f"{peer}: {their_half:,.0f} us", their_half / half, note)


def measure(kind: str, count: int, quick: bool) -> list[Row]:
    """One addition and deletion in turn by each, in one namespace with both tables' sets."""
    first, last = spans(kind, count)
    sets = hashed(first, last)
    room = [f"set {name} {{ type ipv4_addr; size {len(each) + 2 * BATCH}; }}" for name, each in sets]
    flags, suffix = ("", "") if kind == "addresses" else ("flags interval; ", "/24")
    peer_set = f"set s {{ type ipv4_addr; {flags}size {2 * count + 2 * BATCH}; }}"
    name = "v4_32" if kind == "addresses" else "v4_24"
    with Namespace().entered(), Netlink() as link:
        nft.run("\n".join(["table inet op25b {", *room, peer_set, "}"]))
        load(link, "op25b", [*sets, ("s", Addresses4(first) if kind == "addresses" else Intervals4(first, last))])
        library = libnftables()
        peers = {"nft": program} | ({"libnftables": library} if library else {})
        # a peer takes seconds for a prefix
        rounds = 2 if quick or kind == "prefixes" else 50
        ours: list[np.ndarray] = []
        batch: list[np.ndarray] = []
        theirs: dict[str, list[np.ndarray]] = {peer: [] for peer in peers}
        for _ in range(rounds):
            ours.append(timed(raw_pair(link, name, 1, True), 200))
            batch.append(timed(raw_pair(link, name, BATCH, False), 5, BATCH))
            for peer, run in peers.items():
                theirs[peer].append(timed(peer_pair(run, suffix), 1))
        one, many = np.concatenate(ours), np.concatenate(batch)
        bare = timed(raw_pair(link, name, 1, False), 2000)
    what = "address" if kind == "addresses" else "prefix"
    note = f"; without asking the set's type {np.median(bare) * 1e6:.1f} us"
    work = f"add or delete one {what} among {count:,}"
    found = [row(work, one, peer, np.concatenate(taken), note) for peer, taken in theirs.items()]
    rate = f"{1 / np.median(many) / 1e6:.2f}M/s"
    return [*found, Row(f"the same, {BATCH:,} at once", rate, "", None, "additions or deletions a second")]


def run(quick: bool = False) -> list[Row]:
    """Rows for addresses and for prefixes."""
    needs("nft")
    count = 10_000 if quick else 100_000
    return [*measure("addresses", count, quick), *measure("prefixes", count, quick)]


if __name__ == "__main__":
    main(run)
