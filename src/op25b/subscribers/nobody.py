"""What SCRAM tells about names that have no account, so that it looks like what it tells about the others.

A SCRAM client hears a salt and a number of iterations before it proves anything. For a name without keys both are
made from the name and a secret of the store: the same on every host and after every restart, and shaped like those of
the accounts there are (an imported account may have 4,096 iterations where new ones have more).
"""

from __future__ import annotations

import hmac
from bisect import bisect_right
from itertools import accumulate

from sqlalchemy import func, select

from op25b.store.engine import Store
from op25b.store.tables import accounts, secrets
from op25b.subscribers.passwords import SALT_OCTETS, SCRAM_ITERATIONS

Shapes = tuple[tuple[int, int, int], ...]
"""Iterations, octets of salt, and how many accounts have keys of that shape."""


class Nobody:
    """Salts and iterations for names without keys. The store is read when it is made, and at each `refresh`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        with store.read() as connection:
            query = select(secrets.c.value).where(secrets.c.name == "nobody")
            self._secret: bytes = connection.execute(query).scalar_one()
        self.refresh()

    def refresh(self) -> None:
        """Look again what shapes there are."""
        shape = accounts.c.scram_iterations, func.length(accounts.c.scram_salt)
        query = select(*shape, func.count()).where(accounts.c.scram_salt.is_not(None)).group_by(*shape).order_by(*shape)
        with self._store.read() as connection:
            rows = connection.execute(query).all()
        self._shapes: Shapes = tuple((row[0], row[1], row[2]) for row in rows)

    def salt_and_iterations(self, name: str) -> tuple[bytes, int]:
        """What to tell about a prepared name; always the same while the accounts are."""
        iterations, octets = self._shape(name)
        salt = b"".join(self._digest(f"salt {block} {name}") for block in range(-(-octets // 32)))
        return salt[:octets], iterations

    def _shape(self, name: str) -> tuple[int, int]:
        if not self._shapes:
            return SCRAM_ITERATIONS, SALT_OCTETS
        ends = list(accumulate(count for _, _, count in self._shapes))
        drawn = int.from_bytes(self._digest(f"shape {name}")[:8], "big") * ends[-1] >> 64
        iterations, octets, _ = self._shapes[bisect_right(ends, drawn)]
        return iterations, octets

    def _digest(self, text: str) -> bytes:
        return hmac.digest(self._secret, text.encode(), "sha256")
