"""The live sets in the kernel: what they hold, and how that is changed. Needs CAP_NET_ADMIN, and no policy.

While a switch to another size is under way there are two sizes of each set; what is written goes to both. Each
transaction is tied to the state of the ruleset in which the sets were looked up: when someone else has changed it,
the kernel refuses (ERESTART), and they are looked up anew. So no change can miss a set that has just been made.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple, TypeVar

from op25b.enforcement import inventory, live_members
from op25b.enforcement.live_members import Repair, addition, removal, removal_of_those_there, repairs
from op25b.enforcement.members import Delta, Members, normal
from op25b.enforcement.netlink import NLM_F_ECHO, Message, Netlink, NetlinkError, text
from op25b.enforcement.readback import TYPE_IP6ADDR, TYPE_IPADDR
from op25b.errors import UserError
from op25b.ruleset import live
from op25b.ruleset.live import KINDS

NAME = live.TABLE.split()[1]
_TOUCH = Message(inventory.NFT_MSG_NEWTABLE, text(inventory.NFTA_TABLE_NAME, NAME), "touching the table", NLM_F_ECHO)
"""Changes nothing in a table that is there; the kernel says for it what state the transaction has led to."""
_ATTEMPTS = 20
_KEY_TYPE = {4: TYPE_IPADDR, 6: TYPE_IP6ADDR}

T = TypeVar("T")


class NoLiveSets(Exception):
    """The ruleset in force has none: nothing was applied, or `exempt_size` is 0."""


class Full(Exception):
    """More members than the policy's `exempt_size` leaves room for; nothing was changed."""


class Repaired(NamedTuple):
    """Members that were not there, and members that should not have been, over all sets."""

    missing: int
    extra: int


@dataclass(frozen=True)
class Found:
    """The live sets that are in the kernel at one state of its ruleset; handles by name, of whole sizes only."""

    ruleset_id: int
    sizes: tuple[int, ...]
    handles: dict[str, int]

    @classmethod
    def of(cls, link: Netlink) -> Found:
        ruleset_id = inventory.ruleset_id(link)
        there = {each.name: each for each in inventory.read_sets(link, NAME)}
        named = {found[1] for name in there if (found := live.parse(name))}
        sizes = tuple(sorted(size for size in named if not any(faults(there, size))))
        handles = {name: there[name].handle for size in sizes for name in live.all_names(size)}
        return cls(ruleset_id, sizes, handles)

    def same(self, size: int, before: Found | None) -> bool:
        """Whether the sets of this size are those that were there before, and not made anew."""
        return before is not None and all(
            self.handles[name] == before.handles.get(name) for name in live.all_names(size)
        )


def faults(there: dict[str, inventory.SetInfo], size: int) -> Iterator[tuple[str, str]]:
    """(name, what is wrong) of each live set of this size that is not there as declared."""
    for kind in KINDS:
        declared = (_KEY_TYPE[kind.version], kind.length is None, live.declared_size(kind, size))
        for name in live.names(kind, size):
            info = there.get(name)
            if info is None:
                yield name, "is not there"
            elif (info.key_type, bool(info.flags & inventory.NFT_SET_INTERVAL), info.size) != declared:
                yield name, "is of another type or size than was applied"


def carry_over(link: Netlink, size: int, new: int) -> None:
    """Let the sets of the size `new`, to which nothing refers yet, hold what those of `size` hold.

    When the ruleset never pauses long enough for that, it is the enforcer that changes it; and since the new sets are
    there it has filled them itself before each of its changes.
    """
    sets = LiveSets(link)
    try:
        sets.copy(size, new)
    except NetlinkError as error:
        if error.errno not in (errno.EINTR, errno.ERESTART):
            raise
    except NoLiveSets:
        pass  # someone took the old ones away: there is nothing to carry over
    except Full:
        raise UserError(
            f"exempt_size = {new} leaves no room for the exemptions that are in the filter now (exempt_size = {size}); "
            "write a larger one under [filter]"
        ) from None


class LiveSets:
    """The live sets as their only writer sees them.

    `epoch`: another number when they may hold what was not written here; nothing but `replace` helps then.
    Methods raise NoLiveSets, Full, and what Netlink raises.
    """

    def __init__(self, link: Netlink) -> None:
        self._link = link
        self._found: Found | None = None
        self._stale = True
        self.epoch = 0

    def sizes(self) -> tuple[int, ...]:
        """The declared sizes that are there now; none when the ruleset in force has no live sets."""
        self._check()
        try:
            return self._attempt(lambda found: found.sizes)
        except NoLiveSets:
            return ()

    def change(self, delta: Delta) -> None:
        """Add and remove members, in one transaction; what is there already, or is not, is left so.

        In kinds of any length no prefix may be within another that is there then: ValueError, or NetlinkError
        EEXIST or ENOTEMPTY. EMSGSIZE: too many.
        """
        self._attempt(lambda found: self._change(found, delta))

    def replace(self, wanted: Members) -> Repaired:
        """Let the sets hold exactly `wanted`: what differs is repaired, in one transaction if that can hold it.

        Otherwise in several, what is missing first, so that nobody loses what was granted. Full: nothing was done.
        """
        self._check()
        wanted = normal(wanted)
        return self._attempt(lambda found: self._repair(found, found.sizes, wanted))

    def read(self) -> Members:
        """What they hold."""
        self._check()
        return self._attempt(lambda found: live_members.read(self._link, found.sizes[-1]))

    def copy(self, size: int, new: int) -> None:
        """Let the sets of the size `new` hold what those of `size` hold. Full: they have no room for it."""

        def copied(found: Found) -> Repaired:
            if not {size, new} <= {*found.sizes}:
                raise NoLiveSets
            return self._repair(found, [new], live_members.read(self._link, size))

        self._attempt(copied)

    def _change(self, found: Found, delta: Delta) -> None:
        added = [message for size in found.sizes for message in addition(size, delta.add)]
        removed = [message for size in found.sizes for message in removal(size, delta.remove)]
        try:
            self._send(found, removed + added)
        except NetlinkError as error:
            if error.errno != errno.ENOENT:
                raise
            # the kernel does not say which of those to be removed is not there
            there = (removal_of_those_there(self._link, size, delta.remove) for size in found.sizes)
            self._send(found, [*chain.from_iterable(there), *added])

    def _repair(self, found: Found, sizes: Iterable[int], wanted: Members) -> Repaired:
        work = [repair for size in sizes for repair in repairs(self._link, size, wanted)]
        if any(repair.overfull for repair in work):
            raise Full
        whole = [message for repair in work for message in repair.messages()]
        if sum(message.size for message in [_TOUCH, *whole]) <= self._link.capacity:
            self._send(found, whole)
        else:
            self._in_parts(work)
        return Repaired(sum(len(repair.missing) for repair in work), sum(len(repair.extra) for repair in work))

    def _in_parts(self, work: list[Repair]) -> None:
        self.epoch += 1  # when it breaks off, what is there is neither the old nor the new
        self._stale = True
        self._link.commit_in_parts(message for repair in work for message in repair.messages(gently=True))

    def _send(self, found: Found, messages: list[Message]) -> None:
        if messages:
            self._found = replace(found, ruleset_id=self._link.commit([_TOUCH, *messages], found.ruleset_id))

    def _attempt(self, work: Callable[[Found], T]) -> T:
        for _ in range(_ATTEMPTS):
            try:
                found = self._look_up()
                if not found.sizes:
                    raise NoLiveSets
                return work(found)
            except NetlinkError as error:
                if error.errno == errno.ENFILE:
                    raise Full from None
                if error.errno != errno.ERESTART:
                    raise
                self._stale = True
        raise NetlinkError(errno.ERESTART, f"changing the live sets {_ATTEMPTS} times")

    def _check(self) -> None:
        """A transaction finds out by itself whether the ruleset is another; who only reads has to ask."""
        self._stale = self._found is None or self._stale or self._found.ruleset_id != inventory.ruleset_id(self._link)

    def _look_up(self) -> Found:
        """What is there now. Sets of a size that has just been added are filled with what those before it hold."""
        if self._found is not None and self._found.sizes and not self._stale:
            return self._found
        found = Found.of(self._link)
        kept = [size for size in found.sizes if found.same(size, self._found)]
        self._stale = False
        if kept and (added := [size for size in found.sizes if size not in kept]):
            self._repair(found, added, live_members.read(self._link, kept[-1]))
        elif not kept and found.sizes:
            self.epoch += 1
        self._found = found
        return found
