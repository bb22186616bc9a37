"""How often each source was refused or monitored since the last time that somebody asked: the kernel's own counters.

Since Linux 6.5 the kernel hands out a counter and zeroes it in one step. Before, what has been counted since the last
reading is computed here, and the first reading is where it begins. A source that a reading leaves out, as the kernel
is moving its elements, keeps its count for the next one.
"""

from __future__ import annotations

import errno

import numpy as np
from numpy.typing import NDArray

from op25b.enforcement import readback
from op25b.enforcement.elements import Addresses4, Addresses6, addresses
from op25b.enforcement.members import OCTETS, Rows, sortable
from op25b.enforcement.netlink import Netlink, NetlinkError
from op25b.enforcement.requests import Attempts, Seen
from op25b.ruleset.live import SEEN_SETS, TABLE

_NAME = TABLE.split()[1]


class Counters:
    """Reads and zeroes them. What was handed out comes again until it is `kept`."""

    def __init__(self, link: Netlink, zeroes: bool = True) -> None:
        self._link = link
        self._zeroes = zeroes
        self._handed_out = Seen()
        self._totals: dict[str, Attempts] = {}

    def take(self) -> Seen:
        """Since it was kept last; without sources of which nothing came."""
        for name, version in SEEN_SETS.items():
            before = self._handed_out.get(name, _nothing(OCTETS[version]))
            both = _summed([before, self._read(name, OCTETS[version])])
            self._handed_out[name] = _take(both, both.packets > 0)
        return {name: found for name, found in self._handed_out.items() if len(found.sources)}

    def kept(self) -> None:
        """Who took it has it."""
        self._handed_out.clear()

    def _read(self, name: str, width: int) -> Attempts:
        there = _latest(_attempts(readback.glimpse(self._link, _NAME, name), width))
        if self._zeroes:
            try:
                return self._zeroed(name, _take(there, there.packets > 0).sources)
            except NetlinkError as error:
                if error.errno != errno.EINVAL:
                    raise
            self._zeroes = False
        return self._since(name, there)

    def _zeroed(self, name: str, sources: Rows) -> Attempts:
        asked = Addresses4(addresses(sources)) if sources.shape[1] == 4 else Addresses6(sources)
        return _attempts(readback.take_counts(self._link, _NAME, name, asked), sources.shape[1])

    def _since(self, name: str, now: Attempts) -> Attempts:
        """What came on top of the totals of the last reading."""
        before = self._totals.get(name)
        self._totals[name] = now
        if before is None:
            return _take(now, slice(0, 0))
        ours, theirs = sortable(now.sources), sortable(before.sources)
        place = np.minimum(np.searchsorted(theirs, ours), max(len(theirs) - 1, 0))
        # one that is below its total had expired, and came back
        known = (theirs[place] == ours) & (before.packets[place] <= now.packets) if len(theirs) else ours != ours
        earlier = before.packets[place[known]], before.octets[place[known]]
        packets, octets = now.packets.copy(), now.octets.copy()
        packets[known] -= earlier[0]
        octets[known] -= earlier[1]
        return Attempts(now.sources, packets, octets)


def _attempts(raw: readback.RawMembers | None, width: int) -> Attempts:
    return _nothing(width) if raw is None else Attempts(raw.keys, raw.packets, raw.octets)


def _nothing(width: int) -> Attempts:
    return Attempts(np.zeros((0, width), np.uint8), np.zeros(0, np.uint64), np.zeros(0, np.uint64))


def _take(found: Attempts, index: slice | NDArray[np.bool_]) -> Attempts:
    return Attempts(found.sources[index], found.packets[index], found.octets[index])


def _summed(parts: list[Attempts]) -> Attempts:
    """Each source once, sorted."""
    sources = np.concatenate([part.sources for part in parts])
    first, group = _groups(sources)
    packets, octets = np.zeros(len(first), np.uint64), np.zeros(len(first), np.uint64)
    np.add.at(packets, group, np.concatenate([part.packets for part in parts]))
    np.add.at(octets, group, np.concatenate([part.octets for part in parts]))
    return Attempts(sources[first], packets, octets)


def _latest(found: Attempts) -> Attempts:
    """Each source once, sorted; of one that came twice, the larger count is the later one."""
    first, group = _groups(found.sources)
    packets, octets = np.zeros(len(first), np.uint64), np.zeros(len(first), np.uint64)
    np.maximum.at(packets, group, found.packets)
    np.maximum.at(octets, group, found.octets)
    return Attempts(found.sources[first], packets, octets)


def _groups(sources: Rows) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(where each source is found first, which of them each row is)."""
    _, first, group = np.unique(sortable(sources), return_index=True, return_inverse=True)
    return first, group
