"""Verdicts that know the store: its leases and exemptions, of now or of any time that is kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from ipaddress import IPv6Network, ip_network

import numpy as np

from op25b.cli import stores
from op25b.cli.columns import Addresses
from op25b.policy.batch import BatchJudge, Bool, Int64, UInt64
from op25b.policy.model import Policy
from op25b.policy.verdict import Judge
from op25b.store import Store
from op25b.store.micros import instant
from op25b.subscribers.exemptions import as_policy, queries
from op25b.subscribers.exemptions.queries import Live
from op25b.subscribers.exemptions.transitions import Kind
from op25b.subscribers.leases import history

_DAY = timedelta(days=1)


@contextmanager
def opened(url: str | None) -> Iterator[Store | None]:
    """The store, if one is named. Raises UserError."""
    if url is None:
        yield None
        return
    with stores.opened(url) as store:
        yield store


class Touched:
    """Which prefixes hold any of some addresses: by their upper 64 bits, so that a few too many may be named."""

    def __init__(self, column: Addresses, good: Bool) -> None:
        four, six = good & (column.version == 4), good & (column.version == 6)
        self._of = {
            4: np.unique(column.v4[four]).astype(np.uint64),
            6: np.unique(column.high[six]) if six.any() else np.empty(0, np.uint64),
        }

    def among(self, prefixes: Iterable[str]) -> set[str]:
        """Those of the prefixes that do."""
        found = set[str]()
        by_version: dict[int, list[str]] = {4: [], 6: []}
        for prefix in prefixes:
            by_version[6 if ":" in prefix else 4].append(prefix)
        for version, texts in by_version.items():
            first, last = _bounds(texts)
            addresses = self._of[version]
            touched = np.searchsorted(addresses, last, "right") > np.searchsorted(addresses, first, "left")
            found.update(texts[number] for number in np.flatnonzero(touched).tolist())
        return found


def _bounds(prefixes: list[str]) -> tuple[UInt64, UInt64]:
    networks = [ip_network(prefix) for prefix in prefixes]
    upper = [64 if isinstance(network, IPv6Network) else 0 for network in networks]
    first = [int(network.network_address) >> shift for network, shift in zip(networks, upper, strict=True)]
    last = [int(network.broadcast_address) >> shift for network, shift in zip(networks, upper, strict=True)]
    return np.array(first, np.uint64), np.array(last, np.uint64)


class Judges:
    """The judge for one batch of flows after another: the policy with what of the store concerns them."""

    def __init__(self, policy: Policy, store: Store | None) -> None:
        self._policy, self._store = policy, store
        self._judge = BatchJudge(Judge(policy))
        self._span: tuple[datetime, datetime] | None = None
        self._live: list[Live] = []
        self._leased = set[str]()
        self._sources, self._destinations = set[str](), set[str]()

    def of(self, src: Addresses, dst: Addresses, at: Int64, good: Bool) -> BatchJudge:
        """The judge for the rows that are `good`; `at` has one instant a row."""
        if self._store is None or not good.any():
            return self._judge
        first, last = instant(int(at[good].min())), instant(int(at[good].max()))
        known = self._sources, self._destinations
        if self._span is None or first < self._span[0] or last > self._span[1]:
            self._read(self._store, first, last)
            known = set(), set()
        own = [live for live in self._live if live.prefix is not None]
        to = {str(live.prefix) for live in own if live.kind == Kind.DESTINATION}
        by_prefix = {str(live.prefix) for live in own if live.kind == Kind.PREFIX}
        self._sources = known[0] | Touched(src, good).among(self._leased | by_prefix)
        self._destinations = known[1] | Touched(dst, good).among(to)
        if (self._sources, self._destinations) != known:
            self._judge = BatchJudge(Judge(self._extended(self._store)))
        return self._judge

    def _read(self, store: Store, first: datetime, last: datetime) -> None:
        """What may concern anybody in this time, and a day around it, as the next rows may be from there."""
        before = self._span or (first, last)
        span = min(before[0], first - _DAY), max(before[1], last + _DAY)
        with store.read() as connection:
            self._live = queries.between(connection, *span)
            subscribers = {
                live.subscriber for live in self._live if live.subscriber is not None and live.prefix is None
            }
            self._leased = history.leased_to(connection, subscribers, *span)
        self._span = span
        self._judge = BatchJudge(Judge(self._policy))

    def _extended(self, store: Store) -> Policy:
        concerned = [
            live
            for live in self._live
            if live.prefix is None
            or live.prefix in (self._destinations if live.kind == Kind.DESTINATION else self._sources)
        ]
        with store.read() as connection:
            return as_policy.extended(
                self._policy, concerned, history.tenures(connection, self._sources & self._leased)
            )
