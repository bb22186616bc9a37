"""The present state of leases and exemptions as the store has it: all of it, or of what has changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from op25b.enforcement.follower.desired import Prefixes, desired
from op25b.enforcement.members import Members
from op25b.enforcement.prefix_texts import members
from op25b.store import changes
from op25b.store.changes import Change
from op25b.subscribers.exemptions import queries
from op25b.subscribers.exemptions.transitions import Kind
from op25b.subscribers.leases import present as leases

FEW = 50_000
"""Exempt subscribers who are asked about one by one; for more it is quicker to read all leases."""
HORIZON = timedelta(minutes=10)
"""Leases that end within this time are watched; everything is read anew far more often."""

Ends = list[tuple[datetime, str]]
"""When leases of exempt subscribers end unless they are renewed, and their prefixes; within the horizon."""


@dataclass(frozen=True)
class Everything:
    """What should be in the live sets. `newest`: the last change in the feed that it is certain to have."""

    newest: int
    wanted: Members
    ends: Ends


@dataclass(frozen=True)
class Looked:
    """What was looked at, and what of it should be in the live sets."""

    looked: Members
    wanted: Members
    ends: Ends


class Forgotten(Exception):
    """The feed no longer has all changes since the last one that was read."""


class Present:
    """What one transaction reads."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def everything(self, at: datetime) -> Everything:
        """All that should be there at `at`, which is now."""
        newest = changes.newest(self._connection)
        exempt, sources, destinations = _sorted(queries.subjects_in_force(self._connection, at))
        holders, ends = self._held(exempt, at)
        return Everything(newest, _rows(desired(holders, exempt, sources, destinations)), ends)

    def _held(self, exempt: Collection[str], at: datetime) -> tuple[dict[str, str], Ends]:
        if len(exempt) > FEW:
            return leases.all_holders(self._connection, at), leases.ending(self._connection, at, at + HORIZON)
        held = [each for found in leases.held_by(self._connection, exempt, at).values() for each in found]
        return {each.prefix: each.subscriber for each in held}, _ends(held, at)

    def of(self, found: Iterable[Change], at: datetime) -> Looked:
        """What these changes concern, as it is now."""
        subjects: dict[str, set[str]] = {"prefix": set(), "subscriber": set()}
        for kind, subject in found:
            subjects[kind].add(subject)
        prefixes = subjects["prefix"]
        if subjects["subscriber"]:
            held = leases.held_by(self._connection, subjects["subscriber"], at)
            prefixes |= {each.prefix for found in held.values() for each in found}
        holders = leases.holders(self._connection, prefixes, at)
        having = {each.subscriber for each in holders.values()}
        exempt, sources, destinations = _sorted(queries.subjects_of(self._connection, having, prefixes, at))
        wanted = desired({prefix: each.subscriber for prefix, each in holders.items()}, exempt, sources, destinations)
        looked = Prefixes(frozenset(prefixes), frozenset(prefixes))
        ends = _ends((each for each in holders.values() if each.subscriber in exempt), at)
        return Looked(_rows(looked), _rows(wanted), ends)

    def changes(self, last: int, limit: int) -> list[tuple[int, Change]]:
        """(id, change) of what came after `last`. Raises Forgotten."""
        if not changes.continues(self._connection, last):
            raise Forgotten
        return changes.after(self._connection, last, limit)

    def turned(self, after: datetime, until: datetime) -> list[Change]:
        """Whom an exemption concerns that began or ended after the one instant and not after the other."""
        return queries.turned(self._connection, after, until)

    def next_turn(self, after: datetime) -> datetime | None:
        """When an exemption begins or ends next."""
        return queries.next_moment(self._connection, after)


def _rows(found: Prefixes) -> Members:
    return {**members(found.sources), **members(found.destinations, destination=True)}


def _sorted(subjects: Iterable[tuple[str, str | None, str | None]]) -> tuple[set[str], set[str], set[str]]:
    """Subscribers, prefixes of sources, prefixes of destinations."""
    exempt, sources, destinations = set[str](), set[str](), set[str]()
    for kind, subscriber, prefix in subjects:
        if subscriber is not None and kind == Kind.SUBSCRIBER:
            exempt.add(subscriber)
        elif prefix is not None:
            (sources if kind == Kind.PREFIX else destinations).add(prefix)
    return exempt, sources, destinations


def _ends(held: Iterable[leases.Held], at: datetime) -> Ends:
    return [(each.expires, each.prefix) for each in held if each.expires is not None and each.expires <= at + HORIZON]
