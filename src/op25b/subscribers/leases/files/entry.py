"""What one line of a DHCP server's lease file says, and what that is of a lease's whole run. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from op25b.subscribers.leases.facts import Claim, Fact, Release

Identity = Literal["hw-address", "client-id", "duid"]
_USUAL: dict[bool, tuple[Identity, ...]] = {True: ("duid", "hw-address"), False: ("hw-address", "client-id")}
"""By what a client is known, over IPv6 and over IPv4, where nothing is chosen."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. `at`: when it was true; `until`: when the lease ends; `held`: False if it is over.

    `known_as` has the client's identities, in lower case, as the server writes them.
    """

    known_as: Mapping[Identity, str]
    prefix: str
    at: datetime
    until: datetime
    held: bool


@dataclass(frozen=True)
class Subscribers:
    """Which subscriber a client is: the one that `names` has for its identity, else the identity itself.

    `identity`: which one counts; None: the hardware address, and over IPv6 the DUID, or what there is instead.
    """

    identity: Identity | None = None
    names: Mapping[str, str] = field(default_factory=dict)

    def of(self, entry: Entry) -> str:
        """The subscriber. Raises ValueError if the line does not say what is asked for."""
        wanted = (self.identity,) if self.identity else _USUAL[":" in entry.prefix]
        for each in wanted:
            if known := entry.known_as.get(each):
                return self.names.get(known, known)
        raise ValueError(f"it has no {' and no '.join(wanted)}; choose another identity")


@dataclass(frozen=True, slots=True)
class Run:
    """A lease from its first line on, renewals included: one session. `until`: when it ends unless it is renewed."""

    session: str
    subscriber: str
    started: datetime
    until: datetime


class Runs:
    """The leases of one server, one at most for each prefix; `known` are those that the store has of it.

    A lease that is renewed in time goes on; one that comes back after its end is another session.
    """

    def __init__(self, source: str, known: Mapping[str, Run]) -> None:
        self._source, self._under_way = source, dict(known)

    def facts(self, entry: Entry, subscribers: Subscribers, read_at: datetime | None = None) -> list[Fact]:
        """What a line says that is new. `read_at`: when it was read, if that was when it was written.

        Raises ValueError for what cannot be a fact.
        """
        at = max(read_at or entry.at, entry.at)
        run = self._under_way.get(entry.prefix)
        if run is not None and entry.at < run.started:
            # a file is read again from its beginning: the store has what came before the lease that is under way
            return []
        if not entry.held:
            return self.ended(entry.prefix, at)
        subscriber = subscribers.of(entry)
        ended: list[Fact] = []
        if run is None or run.subscriber != subscriber or run.until < entry.at:
            ended = [] if run is None else self.ended(entry.prefix, min(at, run.until))
            begun = f"{entry.prefix} {entry.at.isoformat(timespec='seconds')}"
            run = Run(begun, subscriber, entry.at, entry.until)
        fact = Claim(self._source, run.session, subscriber, (entry.prefix,), at, run.started, entry.until)
        self._under_way[entry.prefix] = replace(run, until=entry.until)
        return [*ended, fact]

    def prefixes(self) -> set[str]:
        """Those of all leases under way."""
        return set(self._under_way)

    def ended(self, prefix: str, at: datetime) -> list[Fact]:
        """What it says that nobody has a prefix any more."""
        run = self._under_way.pop(prefix, None)
        if run is None:
            return []
        return [Release(self._source, run.session, run.subscriber, (prefix,), max(at, run.started), run.started)]
