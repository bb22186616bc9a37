"""Set elements packed with NumPy: addresses and intervals, one or millions by the same way.

An interval set holds boundaries: a start, and one past the end marked NFT_SET_ELEM_INTERVAL_END; an interval
that reaches the top of the address space has no end (linux/netfilter/nf_tables.h, and what `nft` sends).
IPv4 addresses are uint32 in host order; IPv6 addresses are rows of 16 octets, most significant first.
"""

from __future__ import annotations

import errno
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from op25b.enforcement.inventory import NFT_SET_INTERVAL, read_set
from op25b.enforcement.members import sortable
from op25b.enforcement.netlink import (
    NLM_F_CREATE,
    Message,
    Netlink,
    NetlinkError,
    attribute,
    nested,
    text,
)

NFT_MSG_NEWSETELEM, NFT_MSG_DELSETELEM = 12, 14
NFTA_SET_ELEM_LIST_TABLE, NFTA_SET_ELEM_LIST_SET, NFTA_SET_ELEM_LIST_ELEMENTS = 1, 2, 3
NFTA_LIST_ELEM = 1
NFTA_SET_ELEM_KEY, NFTA_SET_ELEM_FLAGS = 1, 3
NFTA_DATA_VALUE = 1
NFT_SET_ELEM_INTERVAL_END = 0x1

_LARGEST_LIST = 0xFFFF - 4  # a netlink attribute's length is 16 bits wide and counts its own header

Index = slice | NDArray[np.bool_] | NDArray[np.intp]


def _element(width: int, flags: int = 0) -> bytes:
    """One set element with a key of `width` zero octets, last but for the flags."""
    key = nested(NFTA_SET_ELEM_KEY, attribute(NFTA_DATA_VALUE, bytes(width)))
    mark = attribute(NFTA_SET_ELEM_FLAGS, flags.to_bytes(4, "big")) if flags else b""
    return nested(NFTA_LIST_ELEM, mark + key)


def octets(array: NDArray[Any]) -> NDArray[np.uint8]:
    """Addresses of either family as rows of octets, most significant first: (n, 4) or (n, 16)."""
    if array.dtype == np.uint32:
        return array.astype(">u4").view(np.uint8).reshape(-1, 4)
    return np.ascontiguousarray(array)


def addresses(rows: NDArray[np.uint8]) -> NDArray[Any]:
    """The inverse of `octets`: (n, 4) becomes (n,) uint32, (n, 16) stays."""
    rows = np.ascontiguousarray(rows)
    return rows.view(">u4").ravel().astype(np.uint32) if rows.shape[1] == 4 else rows


def step(rows: NDArray[np.uint8], by: int) -> NDArray[np.uint8]:
    """Addresses as rows of octets, plus `by` (1 or -1), modulo the size of the address space."""
    if rows.shape[1] == 4:
        stepped = rows.view(">u4").astype(np.uint32) + np.uint32(by & 0xFFFFFFFF)
        return stepped.astype(">u4").view(np.uint8).reshape(-1, 4)
    halves = np.ascontiguousarray(rows).view(">u8").astype(np.uint64)
    halves[:, 1] += np.uint64(by & 0xFFFFFFFFFFFFFFFF)
    carried = halves[:, 1] == (0 if by > 0 else 0xFFFFFFFFFFFFFFFF)
    halves[carried, 0] += np.uint64(by & 0xFFFFFFFFFFFFFFFF)
    return halves.astype(">u8").view(np.uint8).reshape(-1, 16)


class Elements(ABC):
    """Members of one set. Equal when they are of one kind and hold the same members in the same order."""

    width: ClassVar[int]
    interval: ClassVar[bool]
    stride: ClassVar[int]

    def columns(self) -> tuple[NDArray[Any], ...]:
        """The arrays that the members are made of."""
        return tuple(vars(self).values())

    def __post_init__(self) -> None:
        shape = (len(self),) if self.width == 4 else (len(self), 16)
        kind = np.uint32 if self.width == 4 else np.uint8
        for column in self.columns():
            if column.dtype != kind or column.shape != shape:
                raise ValueError(f"{type(self).__name__} takes {kind.__name__}, shape {shape}")

    def __len__(self) -> int:
        return len(self.columns()[0])

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and all(
            np.array_equal(mine, theirs) for mine, theirs in zip(self.columns(), other.columns(), strict=True)
        )

    __hash__ = None  # type: ignore[assignment]

    def take(self, index: Index) -> Self:
        """The members at `index`."""
        return type(self)(*(column[index] for column in self.columns()))

    def keys(self) -> NDArray[Any]:
        """One sortable value a member; two members are the same exactly when these are equal."""
        return sortable(np.hstack([octets(column) for column in self.columns()]))

    def pairs(self) -> list[tuple[int, int]]:
        """(first, last) of each member as Python integers."""
        numbers = [[int.from_bytes(row, "big") for row in octets(column)] for column in self.columns()]
        return list(zip(numbers[0], numbers[-1], strict=True))

    @classmethod
    @abstractmethod
    def declared_size(cls, members: int) -> int:
        """The `size` with which to declare a set that is to hold so many members."""

    @abstractmethod
    def pack(self) -> bytes:
        """The members as the content of NFTA_SET_ELEM_LIST_ELEMENTS, `stride` octets a member.

        The last member may be shorter. The whole may be longer than one attribute can hold.
        """


class _Addresses(Elements):
    interval = False

    @classmethod
    def declared_size(cls, members: int) -> int:
        return max(members, 1)

    def pack(self) -> bytes:
        words = np.empty((len(self), self.stride // 4), np.uint32)
        words[:] = np.frombuffer(_element(self.width), np.uint32)
        words[:, -self.width // 4 :] = octets(self.columns()[0]).view(np.uint32)
        return words.tobytes()


class _Intervals(Elements):
    interval = True

    def __post_init__(self) -> None:
        super().__post_init__()
        first, last = (sortable(octets(column)) for column in self.columns())
        if (last < first).any() or (first[1:] <= last[:-1]).any():
            raise ValueError(f"{type(self).__name__} takes intervals that are sorted and disjoint")

    @classmethod
    def declared_size(cls, members: int) -> int:
        # Until Linux 6.13 the kernel counts both boundaries of an interval; `nft` may add one at address 0.
        return 2 * members + 1

    def pack(self) -> bytes:
        first, last = (octets(column) for column in self.columns())
        start, end = _element(self.width), _element(self.width, NFT_SET_ELEM_INTERVAL_END)
        words = np.empty((len(self), self.stride // 4), np.uint32)
        words[:] = np.frombuffer(start + end, np.uint32)
        key = self.width // 4
        words[:, len(start) // 4 - key : len(start) // 4] = first.view(np.uint32)
        words[:, -key:] = step(last, 1).view(np.uint32)
        packed = words.tobytes()
        reaches_top = len(self) > 0 and bool((last[-1] == 0xFF).all())
        return packed[: -len(end)] if reaches_top else packed


@dataclass(frozen=True, eq=False)
class Addresses4(_Addresses):
    """IPv4 addresses: (n,) uint32."""

    array: NDArray[np.uint32]
    width, stride = 4, len(_element(4))

    @classmethod
    def of(cls, numbers: Sequence[int]) -> Self:
        """From Python integers."""
        return cls(_array4(numbers))


@dataclass(frozen=True, eq=False)
class Addresses6(_Addresses):
    """IPv6 addresses: (n, 16) uint8."""

    array: NDArray[np.uint8]
    width, stride = 16, len(_element(16))

    @classmethod
    def of(cls, numbers: Sequence[int]) -> Self:
        """From Python integers."""
        return cls(_array6(numbers))


@dataclass(frozen=True, eq=False)
class Intervals4(_Intervals):
    """IPv4 intervals, both ends included: two (n,) uint32. ValueError unless sorted and disjoint."""

    first: NDArray[np.uint32]
    last: NDArray[np.uint32]
    width, stride = 4, len(_element(4) + _element(4, NFT_SET_ELEM_INTERVAL_END))

    @classmethod
    def of(cls, pairs: Sequence[tuple[int, int]]) -> Self:
        """From (first, last) as Python integers."""
        return cls(_array4([first for first, _ in pairs]), _array4([last for _, last in pairs]))


@dataclass(frozen=True, eq=False)
class Intervals6(_Intervals):
    """IPv6 intervals, both ends included: two (n, 16) uint8. ValueError unless sorted and disjoint."""

    first: NDArray[np.uint8]
    last: NDArray[np.uint8]
    width, stride = 16, len(_element(16) + _element(16, NFT_SET_ELEM_INTERVAL_END))

    @classmethod
    def of(cls, pairs: Sequence[tuple[int, int]]) -> Self:
        """From (first, last) as Python integers."""
        return cls(_array6([first for first, _ in pairs]), _array6([last for _, last in pairs]))


def _array4(numbers: Sequence[int]) -> NDArray[np.uint32]:
    return np.array(numbers, dtype=np.uint32)


def _array6(numbers: Sequence[int]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(number.to_bytes(16, "big") for number in numbers), np.uint8).reshape(-1, 16)


def addition(table: str, set_name: str, elements: Elements) -> Iterator[Message]:
    """The messages that add `elements`; members that are there already are left alone.

    They must be of the set's kind, as what read_members gave is: only add_elements and load ask the kernel.
    """
    return _messages(NFT_MSG_NEWSETELEM, NLM_F_CREATE, f"adding to set {set_name}", table, set_name, elements)


def deletion(table: str, set_name: str, elements: Elements) -> Iterator[Message]:
    """The messages that delete `elements`; one that is not there fails its transaction with ENOENT."""
    return _messages(NFT_MSG_DELSETELEM, 0, f"deleting from set {set_name}", table, set_name, elements)


def flush(table: str, set_name: str) -> Message:
    """The message that deletes all members of a set, `*` included."""
    names = text(NFTA_SET_ELEM_LIST_TABLE, table) + text(NFTA_SET_ELEM_LIST_SET, set_name)
    return Message(NFT_MSG_DELSETELEM, names, f"emptying set {set_name}")


def _messages(kind: int, flags: int, what: str, table: str, set_name: str, elements: Elements) -> Iterator[Message]:
    names = text(NFTA_SET_ELEM_LIST_TABLE, table) + text(NFTA_SET_ELEM_LIST_SET, set_name)
    most = _LARGEST_LIST // elements.stride
    for start in range(0, len(elements), most):
        packed = elements.take(slice(start, start + most)).pack()
        yield Message(kind, names + nested(NFTA_SET_ELEM_LIST_ELEMENTS, packed), what, flags)


def add_elements(link: Netlink, table: str, set_name: str, elements: Elements) -> None:
    """Add `elements`, in several transactions when one cannot hold them: see Netlink.commit_in_parts.

    NetlinkError: ENOENT no such set; ENFILE it is full; EINVAL its keys are of another length or kind;
    EEXIST or ENOTEMPTY an interval overlaps one that is there.
    """
    load(link, table, [(set_name, elements)])


def delete_elements(link: Netlink, table: str, set_name: str, elements: Elements) -> None:
    """Delete `elements`, likewise. NetlinkError ENOENT: no such set, or one of them is not in it."""
    _check_kind(link, table, set_name, elements)
    link.commit_in_parts(deletion(table, set_name, elements))


def load(link: Netlink, table: str, sets: Iterable[tuple[str, Elements]]) -> None:
    """Fill many sets that nothing refers to yet, in as few transactions as they fit into."""

    def messages() -> Iterator[Message]:
        for name, elements in sets:
            _check_kind(link, table, name, elements)
            yield from addition(table, name, elements)

    link.commit_in_parts(messages())


def _check_kind(link: Netlink, table: str, set_name: str, elements: Elements) -> None:
    # The kernel would take an address into an interval set as a start without an end: all above it matches.
    info = read_set(link, table, set_name)
    if info is None:
        raise NetlinkError(errno.ENOENT, f"reading set {set_name}")
    if (bool(info.flags & NFT_SET_INTERVAL), info.key_length) != (elements.interval, elements.width):
        raise NetlinkError(errno.EINVAL, f"putting {type(elements).__name__} into set {set_name}")
