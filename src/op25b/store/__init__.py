"""The tables and their migrations: SQLite for one host, PostgreSQL for many, by URL.

`op25b.store.engine` opens a store, `op25b.store.schema` brings it up to date, `op25b.store.tables` says what is in
it and `op25b.store.audit` records who changed what.
"""

from __future__ import annotations

from op25b.store.engine import Store
from op25b.store.schema import upgrade

__all__ = ["Store", "upgrade"]
