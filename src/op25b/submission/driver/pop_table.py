"""Who logged in by POP, from where and when: written by the process that Dovecot reports to, read by all workers.

It lies in memory that is made before they are forked. Only one process writes, so nobody locks: each record has a sum
of its own, and a reader that meets a record while it is being written sees that the sum is wrong.

An address has a bucket of records, which it shares with few others. Each account has a record of its own in it, so that
those who share an address (a household, carrier NAT) do not push each other out; where there is no room left, the
oldest record makes it.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from typing import NamedTuple

from op25b.policy.intervals import Address
from op25b.subscribers.names import NAME_OCTETS

ACCOUNTS = 16
"""Records of one bucket: at most so many accounts are known at one address."""
_RECORD = struct.Struct(f"<16sQH{NAME_OCTETS}s8s")
_SUMMED = _RECORD.size - 8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class _Kept(NamedTuple):
    address: bytes
    at: int
    """Microseconds since 1970."""
    name: bytes


_NOTHING = _Kept(b"", 0, b"")


class PopTable:
    """Log-ins of the last time, for about `buckets * ACCOUNTS` pairs of account and address."""

    def __init__(self, buckets: int = 4096) -> None:
        self._buckets = buckets
        self._secret = os.urandom(16)  # nobody can choose addresses that share a bucket
        self._records = mmap.mmap(-1, buckets * ACCOUNTS * _RECORD.size)

    def note(self, address: Address, name: str, at: datetime) -> None:
        """The account `name` (prepared, see `names`) logged in from there. One process may call this, and no other."""
        new = _Kept(_octets(address), _micros(at), name.encode())
        kept = {place: self._record(place) for place in self._places(new.address)}
        same = (place for place, each in kept.items() if (each.address, each.name) == (new.address, new.name))
        place = next(same, min(kept, key=lambda place: kept[place].at))
        record = _RECORD.pack(new.address, new.at, len(new.name), new.name, b"")[:_SUMMED]
        self._records[place : place + _RECORD.size] = record + _sum(record)

    def names(self, address: Address, at: datetime, within: timedelta) -> Sequence[str]:
        """Accounts that logged in from there less than `within` before an instant, the latest first."""
        octets, now, span = _octets(address), _micros(at), within // _MICROSECOND
        found = (self._record(place) for place in self._places(octets) if self._records[place : place + 16] == octets)
        recent = sorted((each.at, each.name) for each in found if each.address == octets and 0 <= now - each.at < span)
        return [name.decode() for _, name in reversed(recent)]

    def _places(self, address: bytes) -> range:
        digest = hashlib.blake2b(address, digest_size=8, key=self._secret).digest()
        first = int.from_bytes(digest, "little") % self._buckets * ACCOUNTS * _RECORD.size
        return range(first, first + ACCOUNTS * _RECORD.size, _RECORD.size)

    def _record(self, place: int) -> _Kept:
        for _ in range(3):  # the writer is done with a record long before it is looked at so often
            record = self._records[place : place + _RECORD.size]
            address, at, length, name, total = _RECORD.unpack(record)
            if at and total == _sum(record[:_SUMMED]):
                return _Kept(address, at, name[:length])
        return _NOTHING


def _sum(record: bytes) -> bytes:
    return hashlib.blake2b(record, digest_size=8).digest()


def _octets(address: Address) -> bytes:
    """One form for both families: IPv4 as it is mapped into IPv6 (RFC 4291 2.5.5.2)."""
    return bytes(10) + b"\xff\xff" + address.packed if isinstance(address, IPv4Address) else address.packed


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND
