"""What happened on the wire: packets recorded at a host's interfaces, and the outcome of an attempt in them.

Recorded at a router, a packet that goes through is seen twice, coming in and going out. One that is seen
going out only was made by the router itself: that tells a filter's refusal from a distant server's, though
both carry the server's address.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from op25b.lab.addresses import Address
from op25b.lab.packets import ACK, RST, SYN, Datagram, IcmpError, Packet, Segment, parse
from op25b.lab.ring import Ring

_SO_TIMESTAMPNS = 35  # not in Python's socket module
_ETH_P_ALL = 3

# Run inside the host: opens the socket there and hands it out over the socket that it was given.
OPEN_SOCKET = f"""
import socket, sys
tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons({_ETH_P_ALL}))
tap.setsockopt(socket.SOL_SOCKET, {_SO_TIMESTAMPNS}, 1)
socket.send_fds(socket.socket(fileno=int(sys.argv[1])), [b"x"], [tap.fileno()])
"""


class Kind(StrEnum):
    CONNECTED = "connected"  # SYN, SYN+ACK, ACK
    RESET = "reset"  # a RST answered the SYN
    PROHIBITED = "icmp-prohibited"  # an ICMP error said that a filter refused it
    UNREACHABLE = "icmp-unreachable"  # another ICMP error
    SILENT = "silent"  # SYNs, and nothing came back
    NONE = "no-attempt"  # not one SYN


@dataclass(frozen=True)
class Seen:
    """A packet at an interface: when (seconds since the epoch), whether it left the host or came to it."""

    at: float
    interface: str
    leaving: bool
    packet: Packet


@dataclass(frozen=True)
class Outcome:
    """How a connection attempt ended, from the first SYN to the first answer.

    milliseconds: to that answer, None where there was none.
    forwarded: the SYN was seen to leave the recording router.
    here: the answer was made by the recording router itself, not by anyone beyond it.
    source, target: the addresses on the SYN, None where there was none.
    """

    kind: Kind
    milliseconds: float | None = None
    forwarded: bool = False
    here: bool = False
    source: Address | None = None
    target: Address | None = None

    @property
    def refused(self) -> bool:
        return self.kind not in (Kind.CONNECTED, Kind.NONE)


def classify(seen: Iterable[Seen], port: int, target: Address | None = None, source: Address | None = None) -> Outcome:
    """The outcome of the attempt to reach `port` (at `target`, from `source`, where they are given).

    Where a client tried several times, a connection counts before a refusal, a refusal before silence,
    and the first of its kind is the one told.
    """
    packets = sorted(seen, key=lambda s: s.at)
    tries: dict[Segment, Seen] = {}
    for one in _syns(packets, port, target, source):
        tries.setdefault(one.packet, one)
    outcomes = [_outcome(syn, packets) for syn in tries.values()]
    order = [Kind.CONNECTED, Kind.RESET, Kind.PROHIBITED, Kind.UNREACHABLE, Kind.SILENT]
    return min(outcomes, key=lambda o: order.index(o.kind), default=Outcome(Kind.NONE))


@dataclass(frozen=True)
class Spread:
    """How many targets a source tried, and to how many of them the recording router sent anything on."""

    tried: int
    passed: int


ONE = Spread(1, 0)
"""Of an attempt at one target; whether it passed is in its outcome."""


def spread(seen: Iterable[Seen], port: int, source: Address | None = None) -> Spread:
    """Of all attempts at a port."""
    syns = list(_syns(seen, port, None, source))
    return Spread(*(len({each.packet.target for each in some}) for some in (syns, [s for s in syns if s.leaving])))


def settled(seen: Iterable[Seen], port: int, target: Address, source: Address, passes: bool) -> float | None:
    """From which SYN on all of them pass the recording router, or are kept: the time at which the first of these left
    it, or came. None where the last one was not treated so, or there was none."""
    syns: dict[Segment, tuple[float, float | None]] = {}
    for each in _syns(sorted(seen, key=lambda s: s.at), port, target, source):
        came, left = syns.get(each.packet, (each.at, None))
        syns[each.packet] = came, (left or each.at) if each.leaving else left
    since = None
    # of the last attempt it may not be known yet what becomes of it
    for came, left in list(syns.values())[:-1]:
        if (left is not None) is not passes:
            since = None
        elif since is None:
            since = left or came
    return since


def first_datagram(seen: Iterable[Seen], port: int) -> float | None:
    """When the first UDP packet to a port was seen."""
    return min((s.at for s in seen if isinstance(s.packet, Datagram) and s.packet.dport == port), default=None)


@dataclass(frozen=True)
class _Syn(Seen):
    packet: Segment


def _syns(seen: Iterable[Seen], port: int, target: Address | None, source: Address | None) -> Iterator[_Syn]:
    for one in seen:
        segment = one.packet
        if (
            isinstance(segment, Segment)
            and segment.flags & (SYN | ACK) == SYN
            and segment.dport == port
            and target in (None, segment.target)
            and source in (None, segment.source)
        ):
            yield _Syn(one.at, one.interface, one.leaving, segment)


def _outcome(syn: Seen, packets: Sequence[Seen]) -> Outcome:
    ours = syn.packet
    assert isinstance(ours, Segment)
    forwarded = any(s.leaving and s.packet == ours for s in packets)
    for index, one in enumerate(packets):
        kind = _answer(ours, one.packet)
        if kind is None:
            continue
        if kind is Kind.CONNECTED and not _acknowledged(ours, packets[index:]):
            continue
        came_in = any(not s.leaving and s.packet == one.packet for s in packets)
        elapsed = (one.at - syn.at) * 1000
        return Outcome(kind, elapsed, forwarded, not came_in, ours.source, ours.target)
    return Outcome(Kind.SILENT, None, forwarded, False, ours.source, ours.target)


def _answer(syn: Segment, packet: Packet) -> Kind | None:
    if isinstance(packet, IcmpError):
        if packet.about.is_reply_to(_reverse(syn)):
            return Kind.PROHIBITED if packet.prohibited else Kind.UNREACHABLE
        return None
    if isinstance(packet, Datagram) or not packet.is_reply_to(syn):
        return None
    if packet.flags & RST:
        return Kind.RESET
    return Kind.CONNECTED if packet.flags & (SYN | ACK) == SYN | ACK else None


def _acknowledged(syn: Segment, later: Iterable[Seen]) -> bool:
    return any(
        isinstance(s.packet, Segment)
        and s.packet.is_reply_to(_reverse(syn))
        and s.packet.flags & (SYN | RST | ACK) == ACK
        for s in later
    )


def _reverse(segment: Segment) -> Segment:
    return Segment(segment.target, segment.dport, segment.source, segment.sport, segment.flags)


class Recording:
    """Packets that passed a host's interfaces since it was opened."""

    def __init__(self, tap: socket.socket) -> None:
        """`tap` is a packet socket (packet(7)) of the host's namespace, of type SOCK_DGRAM."""
        self._tap, self._ring = tap, Ring(tap)
        self._seen: list[Seen] = []

    def read(self) -> list[Seen]:
        """Everything recorded so far. Raises OverflowError when packets were lost: no outcome can be
        told then."""
        for at, interface, leaving, data in self._ring.frames():
            if (packet := parse(data)) is not None:
                self._seen.append(Seen(at, interface, leaving, packet))
        if self._ring.lost():
            raise OverflowError("packets were lost while recording")
        return list(self._seen)

    def restart(self) -> None:
        """Forget everything so far, what was lost of it too."""
        with suppress(OverflowError):
            self.read()
        self._seen.clear()

    def close(self) -> None:
        self._ring.close()
        self._tap.close()
