"""Facts into the store: one transaction for a batch, whatever its order, whatever came before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from op25b.store import Store, changes
from op25b.store.micros import micros
from op25b.store.raw import Raw
from op25b.subscribers.leases import tables
from op25b.subscribers.leases.facts import Fact
from op25b.subscribers.leases.rows import Holding, Key, Lease, Reports, closed, gathered, holder, shaped


@dataclass(frozen=True)
class Merged:
    """What a batch did: the prefixes whose holder is another subscriber now, and how many sessions were written."""

    changed: tuple[str, ...]
    sessions: int


class Leases:
    """The address leases of one store. `expire`: how long a session lasts after its last report; None: for ever."""

    def __init__(self, store: Store, expire: timedelta | None) -> None:
        self._store, self._expire = store, expire
        self._lengths: set[tuple[int, int]] = set()

    def merge(self, facts: Iterable[Fact], now: datetime, synced: bool = True) -> Merged:
        """Add facts, all or none, on disk when it returns; those known already change nothing. Blocks.

        Not `synced`: on disk after the next `Store.sync`. The changed prefixes are in the feed (`op25b.store.changes`),
        in the same transaction.
        """
        reports = gathered(facts, now, self._expire)
        if not reports.sessions and not reports.restarts:
            return Merged((), 0)
        with self._store.write(synced) as connection:
            raw = Raw(connection)
            tables.lock(raw)
            batch = _Batch(raw, reports)
            written = batch.write(self._lengths)
            changed = batch.settle(micros(now))
            changes.note(connection, (("prefix", prefix) for prefix in changed), now)
        self._lengths |= batch.lengths
        return Merged(changed, written)


class _Batch:
    """One batch beside what the store has of the same sessions and prefixes; reads when made, writes when told."""

    def __init__(self, raw: Raw, reports: Reports) -> None:
        self._raw, self._reports = raw, reports
        known = tables.sessions(raw, reports.sessions)
        self._before = {key: session for key, (_, session) in known.items()}
        self._ids = _numbered(reports.sessions, {key: number for key, (number, _) in known.items()}, raw)
        self._leases_before = tables.leases(raw, [number for number, _ in known.values()])
        self._sessions = {
            key: self._before[key].joined(said) if key in self._before else said
            for key, said in reports.sessions.items()
        }
        self._leases = {key: self._joined(key, reports.leases[key]) for key in self._sessions}
        prefixes = {prefix for leases in self._leases.values() for prefix in leases}
        for source, ats in reports.restarts.items():
            prefixes |= tables.struck(raw, source, max(ats))
        self._newest = tables.newest(raw, prefixes)
        self._restarts = tables.last_restarts(raw, {*reports.restarts, *(key.source for key in reports.sessions)})
        self.lengths = {_length(prefix) for leases in reports.leases.values() for prefix in leases}

    def _joined(self, key: Key, named: dict[str, Lease]) -> dict[str, Lease]:
        leases = dict(self._leases_before.get(self._ids[key], {}))
        for prefix, lease in named.items():
            leases[prefix] = leases[prefix].joined(lease) if prefix in leases else lease
        return shaped(self._sessions[key], leases)

    def write(self, lengths: set[tuple[int, int]]) -> int:
        """Write what is different; how many sessions are. `lengths`: those that the store has already."""
        different = [key for key, session in self._sessions.items() if self._before.get(key) != session]
        rows = [(self._ids[key], key, self._sessions[key]) for key in different]
        tables.add_sessions(self._raw, [row for row in rows if row[1] not in self._before])
        tables.change_sessions(self._raw, [row for row in rows if row[1] in self._before])
        tables.put_leases(self._raw, list(self._different_leases()))
        tables.add_restarts(self._raw, [(source, at) for source, ats in self._reports.restarts.items() for at in ats])
        tables.add_lengths(self._raw, self.lengths - lengths)
        return len(different)

    def _different_leases(self) -> Iterator[tuple[int, str, tables.LeaseRow]]:
        for key, leases in self._leases.items():
            number = self._ids[key]
            before = self._leases_before.get(number, {})
            for prefix, lease in leases.items():
                row = tables.lease_row(lease, self._sessions[key])
                if prefix not in before or row != tables.lease_row(before[prefix], self._before[key]):
                    yield number, prefix, row

    def settle(self, now: int) -> tuple[str, ...]:
        """Bring the newest claims up to date; the prefixes whose holder is another subscriber than before."""
        claims: dict[str, dict[int, Holding]] = {
            prefix: {number: self._restarted(each) for number, each in newest.items()}
            for prefix, newest in self._newest.items()
        }
        for key, leases in self._leases.items():
            for prefix, lease in leases.items():
                made = Holding.of(key, self._sessions[key], lease, self._restarts.get(key.source, ()))
                claims.setdefault(prefix, {})[self._ids[key]] = self._restarted(made)
        gone, come, changed = [], [], []
        for prefix, claimed in claims.items():
            latest = max(each.lease.seen for each in claimed.values())
            after = {number: each for number, each in claimed.items() if each.lease.seen == latest}
            before = self._newest.get(prefix, {})
            gone += [(prefix, number) for number in before.keys() - after.keys()]
            come += [(prefix, number) for number in after.keys() - before.keys()]
            if _subscriber(before, now) != _subscriber(after, now):
                changed.append(prefix)
        tables.move_newest(self._raw, gone, come)
        return tuple(changed)

    def _restarted(self, each: Holding) -> Holding:
        """With the restarts of this batch."""
        ats = self._reports.restarts.get(each.key.source)
        return each._replace(closed=min(each.closed, closed(each.session, each.lease, ats))) if ats else each


def _subscriber(newest: Mapping[int, Holding], now: int) -> str | None:
    found = holder(newest.values(), now)
    return found and found.key.subscriber


def _numbered(keys: Iterable[Key], known: Mapping[Key, int], raw: Raw) -> dict[Key, int]:
    """The id of each session: new ones get the next, as nobody else merges meanwhile."""
    following = tables.last_id(raw) + 1
    return {**known, **{key: number for number, key in enumerate((key for key in keys if key not in known), following)}}


def _length(prefix: str) -> tuple[int, int]:
    return 6 if ":" in prefix else 4, int(prefix.rpartition("/")[2])
