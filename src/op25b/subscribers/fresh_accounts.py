"""Accounts as they are in the store now, read in full only when they changed."""

from __future__ import annotations

import threading
from collections import OrderedDict

from sqlalchemy import bindparam, select

from op25b.store.engine import Store
from op25b.store.quick import Failed, QuickRead
from op25b.store.tables import accounts
from op25b.subscribers.accounts import Account, Accounts

KEPT = 50_000
"""Accounts that are kept in memory, the last ones to log in."""


class FreshAccounts:
    """For log-ins: one short read of the store each time, whose answer says if what is kept is still so.

    Every change of an account raises its version (see `Accounts`), so a kept one of the present version is up to date.
    """

    def __init__(self, store: Store) -> None:
        self._accounts = Accounts(store)
        present = select(accounts.c.version, accounts.c.password).where(accounts.c.name == bindparam("value"))
        self._present = QuickRead(store, present)
        self._in_file = store.file is not None
        self._kept: OrderedDict[str, Account] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, name: str) -> Account | None:
        """The account of a prepared name. Raises UserError if the store cannot be used."""
        try:
            present = self._present.row(name)
        except Failed:
            return self._accounts.find(name)
        if present is None:
            return None
        with self._lock:
            kept = self._kept.get(name)
        if kept is not None and (kept.version, kept.secret.hash) == present:
            return kept
        if (account := self._accounts.find(name)) is not None:
            self._keep(account)
        return account

    def at_once(self, name: str) -> Account | None:
        """The account of a prepared name, without waiting for anything, for an event loop; None if that cannot be.

        SQLite's readers wait for no writer (WAL), and a row that was read lately is in memory: 5 us, where a turn of
        another thread costs ten times as much. A server's answer must be waited for.
        """
        kept = self._kept.get(name)
        if kept is None or not self._in_file:
            return None
        try:
            present = self._present.row(name)
        except Failed:
            return None
        return kept if (kept.version, kept.secret.hash) == present else None

    def close(self) -> None:
        """Close what reading has opened."""
        self._present.close()

    def _keep(self, account: Account) -> None:
        with self._lock:
            self._kept[account.name] = account
            self._kept.move_to_end(account.name)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
