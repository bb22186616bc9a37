"""What is said over the enforcer's socket: frames of a version, a type and a bounded length. Pure.

A frame is a header (version, type, octets of payload; big-endian) and its payload. Members go as blocks of one kind:
its number, how many, and the rows, so that a burst of thousands is one request and no text is parsed. Each request is
answered by one frame, by several where an answer is long (the last of them DONE), or by REFUSED.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from op25b.enforcement.members import OCTETS, Delta, Members, Rows, row_octets
from op25b.ruleset.live import KINDS, SEEN_SETS

VERSION = 1
HEADER = struct.Struct(">BBI")
MOST = 1 << 20
"""Octets of payload at most."""

GROUP = struct.Struct(">H")
"""The content of NFLOG: the group."""

_COUNT = struct.Struct(">B")
_BLOCK = struct.Struct(">BI")
_STATE = struct.Struct(">IIIB")
_NAMES = tuple(SEEN_SETS)
_LONGEST_TEXT = 500


class Type(IntEnum):
    """Requests, and answers from 128 on."""

    HELLO = 1
    CHANGE = 2
    """Members to add, members to remove: one transaction."""
    BEGIN = 3
    """What the sets are to hold follows, in any number of CHUNKs; ends with COMMIT or ABORT."""
    CHUNK = 4
    COMMIT = 5
    ABORT = 6
    READ = 7
    SEEN = 8
    """The counters of sources, read and zeroed."""
    SEEN_KEPT = 9
    """What SEEN answered is safe: without this, the next answer holds it again."""
    NFLOG = 10
    """A descriptor of an NFLOG group comes with the answer."""
    REPORT = 11
    """What is in force, and what its rules have counted."""

    DONE = 128
    MEMBERS = 129
    ATTEMPTS = 130
    REPORTED = 131
    REFUSED = 255


REQUESTS = frozenset(kind for kind in Type if kind < 128)


class Code(IntEnum):
    """Why a request was refused; nothing was changed by it."""

    MALFORMED = 1
    VERSION = 2
    TOO_MANY = 3
    TOO_WIDE = 4
    NO_LIVE_SETS = 5
    FULL = 6
    OVERLAP = 7
    BUSY = 8
    OUT_OF_TURN = 9
    KERNEL = 10
    NOT_ALLOWED = 11


class Refused(Exception):
    """A request that is not granted; `code` says why to a program, the text to a person."""

    def __init__(self, code: Code, what: str) -> None:
        super().__init__(what)
        self.code = code


@dataclass(frozen=True)
class State:
    """With each DONE. `epoch`: another number when the sets may hold what was not asked for; `replace` helps then.

    missing, extra: what a COMMIT repaired. `sizes`: as declared; none when the ruleset in force has no live sets.
    """

    epoch: int
    sizes: tuple[int, ...] = ()
    missing: int = 0
    extra: int = 0


@dataclass(frozen=True)
class Attempts:
    """By source, columns of one length n: (n, 4) or (n, 16) octets (IPv6: the /64), packets and octets since zeroed."""

    sources: Rows
    packets: NDArray[np.uint64]
    octets: NDArray[np.uint64]


@dataclass(frozen=True)
class Kernel:
    """What the kernel holds. `generation` None: nothing is in force; `chains`: fingerprints of its rules, by name."""

    generation: int | None
    pending_ms: int | None
    counters: dict[str, int]
    chains: dict[str, str]


Seen = dict[str, Attempts]
"""By name of the set (ruleset.live.SEEN_SETS); sources without a packet are left out."""


@dataclass
class Blocks:
    """Reads a payload from its start; Refused where it does not hold what it should."""

    payload: bytes | bytearray | memoryview
    at: int = field(default=0)

    def unpack(self, layout: struct.Struct) -> tuple[int, ...]:
        if self.at + layout.size > len(self.payload):
            raise Refused(Code.MALFORMED, "the request ends before its time")
        self.at += layout.size
        return layout.unpack_from(self.payload, self.at - layout.size)

    def rows(self, count: int, width: int) -> Rows:
        size = count * width
        if self.at + size > len(self.payload):
            raise Refused(Code.MALFORMED, "the request ends before its time")
        self.at += size
        return np.frombuffer(self.payload, np.uint8, size, self.at - size).reshape(count, width)

    def members(self, blocks: int) -> Members:
        found = Members()
        for _ in range(blocks):
            number, count = self.unpack(_BLOCK)
            if number >= len(KINDS) or KINDS[number] in found:
                raise Refused(Code.MALFORMED, "a kind of set that there is not, or twice")
            found[KINDS[number]] = self.rows(count, row_octets(KINDS[number]))
        return found

    def end(self) -> None:
        if self.at != len(self.payload):
            raise Refused(Code.MALFORMED, "the request goes on after its end")


def frame(kind: Type, payload: bytes = b"") -> bytes:
    """ValueError: more than a frame takes."""
    if len(payload) > MOST:
        raise ValueError(f"{len(payload)} octets in one frame")
    return HEADER.pack(VERSION, kind, len(payload)) + payload


def header(data: bytes) -> tuple[Type, int]:
    """(type, octets of payload). Refused: what follows cannot be read either."""
    version, number, size = HEADER.unpack(data)
    if version != VERSION:
        raise Refused(Code.VERSION, f"this speaks version {VERSION}; let both ends be of one release")
    if number not in Type.__members__.values():
        raise Refused(Code.MALFORMED, f"there is no request {number}")
    if size > MOST:
        raise Refused(Code.TOO_MANY, f"at most {MOST} octets a request")
    return Type(number), size


def pack_members(members: Members) -> bytes:
    """As blocks, after how many."""
    blocks = [(KINDS.index(kind), rows) for kind, rows in members.items() if len(rows)]
    packed = (_BLOCK.pack(number, len(rows)) + np.ascontiguousarray(rows).tobytes() for number, rows in blocks)
    return _COUNT.pack(len(blocks)) + b"".join(packed)


def unpack_members(payload: bytes | bytearray) -> Members:
    """The rows are views of the payload. Refused."""
    found = Blocks(payload)
    members = found.members(*found.unpack(_COUNT))
    found.end()
    return members


def pack_delta(delta: Delta) -> bytes:
    """What is added, then what is removed."""
    return pack_members(delta.add) + pack_members(delta.remove)


def unpack_delta(payload: bytes | bytearray) -> Delta:
    """Refused."""
    found = Blocks(payload)
    delta = Delta(found.members(*found.unpack(_COUNT)), found.members(*found.unpack(_COUNT)))
    found.end()
    return delta


def parts(members: Members, most: int = MOST) -> Iterator[Members]:
    """The same members in as many parts as frames of `most` octets take, one kind each."""
    for kind, rows in members.items():
        step = (most - _COUNT.size - _BLOCK.size) // row_octets(kind)
        for start in range(0, len(rows), step):
            yield {kind: rows[start : start + step]}


def pack_state(state: State) -> bytes:
    """The content of DONE."""
    head = _STATE.pack(state.epoch & 0xFFFFFFFF, state.missing, state.extra, len(state.sizes))
    return head + struct.pack(f">{len(state.sizes)}I", *state.sizes)


def unpack_state(payload: bytes) -> State:
    """Refused."""
    found = Blocks(payload)
    epoch, missing, extra, count = found.unpack(_STATE)
    sizes = found.unpack(struct.Struct(f">{count}I"))
    found.end()
    return State(epoch, sizes, missing, extra)


def pack_seen(seen: Seen) -> Iterator[bytes]:
    """The contents of ATTEMPTS frames."""
    for name, found in seen.items():
        width = found.sources.shape[1]
        step = (MOST - _BLOCK.size) // (width + 16)
        for start in range(0, len(found.sources), step):
            part = slice(start, start + step)
            counts = np.stack([found.packets[part], found.octets[part]], axis=1).astype(">u8")
            rows = np.hstack([found.sources[part], counts.view(np.uint8).reshape(-1, 16)])
            yield _BLOCK.pack(_NAMES.index(name), len(rows)) + rows.tobytes()


def unpack_seen(payload: bytes) -> tuple[str, Attempts]:
    """One frame's. Refused."""
    found = Blocks(payload)
    number, count = found.unpack(_BLOCK)
    if number >= len(_NAMES):
        raise Refused(Code.MALFORMED, "a set that there is not")
    width = OCTETS[SEEN_SETS[_NAMES[number]]]
    rows = found.rows(count, width + 16)
    found.end()
    counts = np.ascontiguousarray(rows[:, width:]).view(">u8").astype(np.uint64)
    return _NAMES[number], Attempts(rows[:, :width], counts[:, 0], counts[:, 1])


def pack_report(report: Kernel) -> bytes:
    """The content of REPORTED: JSON. Refused: it is too long."""
    packed = json.dumps(asdict(report)).encode()
    if len(packed) > MOST:
        raise Refused(Code.TOO_MANY, f"at most {MOST} octets an answer")
    return packed


def unpack_report(payload: bytes) -> Kernel:
    """Refused."""
    try:
        return Kernel(**json.loads(payload))
    except (ValueError, TypeError):
        raise Refused(Code.MALFORMED, "the report is none") from None


def pack_refusal(refused: Refused) -> bytes:
    """The content of REFUSED."""
    return _COUNT.pack(refused.code) + str(refused).encode(errors="replace")[:_LONGEST_TEXT]


def unpack_refusal(payload: bytes) -> Refused:
    """What to raise."""
    code = payload[0] if payload and payload[0] in Code.__members__.values() else Code.MALFORMED
    return Refused(Code(code), payload[1:].decode(errors="replace"))
