"""Staff for tests: their passwords and one-time codes, and a key that seals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import argon2
import pyotp

from op25b.portal.staff import codes
from op25b.portal.staff.accounts import Member, Staff
from op25b.portal.staff.codes import Key, read_key
from op25b.portal.staff.login import sealed_for
from op25b.portal.staff.roles import Role
from op25b.store.audit import By
from op25b.store.engine import Store
from op25b.subscribers.passwords import Hasher

CHEAP = argon2.Parameters(
    type=argon2.Type.ID, version=19, salt_len=16, hash_len=32, time_cost=1, memory_cost=64, parallelism=1
)
PASSWORD = "correct horse battery"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


def counted(octets: int) -> bytes:
    """Octets that nobody could foretell, were this not a test."""
    counted.times += 1  # type: ignore[attr-defined]
    return counted.times.to_bytes(octets, "big")  # type: ignore[attr-defined]


counted.times = 0  # type: ignore[attr-defined]


def hasher() -> Hasher:
    return Hasher(counted, CHEAP, scram_iterations=None)


def key(folder: Path) -> Key:
    file = folder / "console-key"
    if not file.exists():
        codes.make_key(file, counted)
    return read_key(file)


@dataclass(frozen=True)
class Hired:
    """Somebody who can log in."""

    name: str

    def code(self, at: datetime) -> str:
        return pyotp.TOTP(SECRET).at(at)


def hire(store: Store, sealing: Key, name: str, *roles: Role, at: datetime = NOW) -> Hired:
    sealed = sealing.seal(SECRET.encode(), sealed_for(name), counted)
    member = Member(name, frozenset(roles), hasher().make(PASSWORD).hash, sealed)
    Staff(store).add(member, By("root", at, "hired"))
    return Hired(name)
