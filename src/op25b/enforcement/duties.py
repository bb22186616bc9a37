"""What the enforcer does when it is asked, one request at a time: checked first, then done, then answered."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from op25b.enforcement import inventory, kernel, nflog, requests
from op25b.enforcement.enforcer_metrics import Enforced
from op25b.enforcement.live import Full, LiveSets, NoLiveSets, Repaired
from op25b.enforcement.members import Members, bounds, count, lengths
from op25b.enforcement.netlink import Netlink, NetlinkError
from op25b.enforcement.requests import Code, Refused, State, Type
from op25b.enforcement.seen import Counters
from op25b.errors import Missing
from op25b.policy.intervals import Version
from op25b.processes.board import Meters

_OVERLAPS = (errno.EEXIST, errno.ENOTEMPTY)

Answer = bytes | tuple[bytes, socket.socket]
"""A frame; or one with a descriptor to go along, which is closed here when it has gone."""


@dataclass
class Session:
    """One connection's. `replacing`: what the sets are to hold, as far as it has come; None: nothing has begun."""

    replacing: list[Members] | None = None


@dataclass
class Duties:
    """`widest`: the shortest prefix that is taken, by family: a wider one would exempt a whole network."""

    link: Netlink
    widest: dict[Version, int]
    meters: Meters

    def __post_init__(self) -> None:
        self._sets = LiveSets(self.link)
        self._counters = Counters(self.link)
        self._replacing: Session | None = None
        self._duties: dict[Type, Callable[[Session, bytearray], Iterator[Answer]]] = {
            Type.HELLO: self._hello,
            Type.CHANGE: self._change,
            Type.BEGIN: self._begin,
            Type.CHUNK: self._chunk,
            Type.COMMIT: self._commit,
            Type.ABORT: self._abort,
            Type.READ: self._read,
            Type.SEEN: self._seen,
            Type.SEEN_KEPT: self._seen_kept,
            Type.NFLOG: self._nflog,
            Type.REPORT: self._report,
        }

    def do(self, session: Session, kind: Type, payload: bytearray) -> list[Answer]:
        """The answers to a request. Refused: it was not done, or the kernel did not take it."""
        if kind not in self._duties:
            raise Refused(Code.MALFORMED, f"{kind.name} is an answer")
        try:
            return list(self._duties[kind](session, payload))
        except NoLiveSets:
            raise Refused(Code.NO_LIVE_SETS, "the ruleset in force has no live sets") from None
        except Full:
            raise Refused(Code.FULL, "more members than the policy's exempt_size leaves room for") from None
        except Missing as error:
            raise Refused(Code.KERNEL, str(error)) from None
        except NetlinkError as error:
            raise Refused(_code(error), str(error)) from None

    def end(self, session: Session) -> None:
        """The connection has gone: what it had begun is given up."""
        session.replacing = None
        if self._replacing is session:
            self._replacing = None

    def _hello(self, session: Session, payload: bytearray) -> Iterator[Answer]:
        _empty(payload)
        yield self._done()

    def _change(self, session: Session, payload: bytearray) -> Iterator[Answer]:
        delta = requests.unpack_delta(payload)
        self._check(delta.add)
        self._check(delta.remove)
        try:
            self._sets.change(delta)
        except ValueError:
            raise Refused(Code.OVERLAP, "a prefix is within another of the same request") from None
        self.meters.add(Enforced.CHANGED, count(delta.add) + count(delta.remove))
        yield self._done()

    def _begin(self, session: Session, payload: bytearray) -> Iterator[Answer]:
        _empty(payload)
        if self._replacing not in (None, session):
            raise Refused(Code.BUSY, "another replace is under way")
        if not self._sets.sizes():
            raise NoLiveSets
        self._replacing, session.replacing = session, []
        yield self._done()

    def _chunk(self, session: Session, payload: bytearray) -> Iterator[Answer]:
        found = requests.unpack_members(payload)
        if session.replacing is None:
            raise Refused(Code.OUT_OF_TURN, "no replace has begun")
        self._check(found)
        session.replacing.append(found)
        most = max(self._sets.sizes(), default=0)
        for kind in found:
            if sum(len(part.get(kind, ())) for part in session.replacing) > most:
                self.end(session)
                raise Full
        yield self._done()

    def _commit(self, session: Session, payload: bytearray) -> Iterator[Answer]:
        _empty(payload)
        if session.replacing is None:
            raise Refused(Code.OUT_OF_TURN, "no replace has begun")
        parts = session.replacing
        self.end(session)
        kinds = {kind for part in parts for kind in part}
        wanted = {kind: np.concatenate([part[kind] for part in parts if kind in part]) for kind in kinds}
        repaired = self._sets.replace(wanted)
        self.meters.add(Enforced.REPAIRED, sum(repaired))
        yield self._done(repaired)

    def _abort(self, session: Session, payload: bytearray) -> Iterator[Answer]:
        _empty(payload)
        self.end(session)
        yield self._done()

    def _read(self, session: Session, payload: bytearray) -> Iterator[Answer]:
        _empty(payload)
        for part in requests.parts(self._sets.read()):
            yield requests.frame(Type.MEMBERS, requests.pack_members(part))
        yield self._done()

    def _seen(self, session: Session, payload: bytearray) -> Iterator[Answer]:
        _empty(payload)
        for part in requests.pack_seen(self._counters.take()):
            yield requests.frame(Type.ATTEMPTS, part)
        yield self._done()

    def _seen_kept(self, session: Session, payload: bytearray) -> Iterator[Answer]:
        _empty(payload)
        self._counters.kept()
        yield self._done()

    def _nflog(self, session: Session, payload: bytearray) -> Iterator[Answer]:
        if len(payload) != requests.GROUP.size:
            raise Refused(Code.MALFORMED, "a group is two octets")
        (group,) = requests.GROUP.unpack(payload)
        yield self._done(), nflog.opened(group)

    def _report(self, session: Session, payload: bytearray) -> Iterator[Answer]:
        _empty(payload)
        report = kernel.steady(self.link, self._looked)
        yield requests.frame(Type.REPORTED, requests.pack_report(report))
        yield self._done()

    def _looked(self) -> requests.Kernel:
        state = kernel.in_force(self.link)
        counters = inventory.read_counters(self.link, kernel.NAME) if state.current is not None else {}
        chains = kernel.fingerprints(self.link, state.current) if state.current is not None else {}
        packets = {name: counter.packets for name, counter in counters.items()}
        return requests.Kernel(state.current, state.pending_ms, packets, chains)

    def _done(self, repaired: Repaired | None = None) -> bytes:
        sizes = self._sets.sizes()  # first: it may find that the sets were made anew
        state = State(self._sets.epoch, sizes, *(repaired or (0, 0)))
        return requests.frame(Type.DONE, requests.pack_state(state))

    def _check(self, members: Members) -> None:
        for kind, rows in members.items():
            try:
                bounds(kind, rows)
            except ValueError as error:
                raise Refused(Code.MALFORMED, str(error)) from None
            if (lengths(kind, rows) < self.widest[kind.version]).any():
                raise Refused(Code.TOO_WIDE, f"a prefix is wider than /{self.widest[kind.version]}")


def _empty(payload: bytearray) -> None:
    if payload:
        raise Refused(Code.MALFORMED, "the request goes on after its end")


def _code(error: NetlinkError) -> Code:
    if error.errno in _OVERLAPS:
        return Code.OVERLAP
    return {errno.EMSGSIZE: Code.TOO_MANY, errno.EBUSY: Code.BUSY}.get(error.errno or 0, Code.KERNEL)
