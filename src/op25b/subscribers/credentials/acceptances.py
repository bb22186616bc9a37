"""Notices of acceptance: the paper with a number and the initial password that each customer got at the start.

Both are kept as hashes. Who knows the number can have the initial password back (claim I17); it is not told again,
so that a number that was guessed gives a stranger nothing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import delete, insert, select

from op25b.errors import UserError
from op25b.store.audit import By, record
from op25b.store.engine import Store
from op25b.store.tables import acceptances
from op25b.subscribers.accounts import account_id, find, put_secret, secret_columns, secret_of
from op25b.subscribers.credentials.issuing import Suspended, owned
from op25b.subscribers.passwords import Hasher

_LEFT_OUT = dict.fromkeys(map(ord, " -‐‑‒–—―−ーｰ"))


@dataclass(frozen=True)
class Notice:
    """One paper, for the account of a prepared name."""

    account: str
    number: str = field(repr=False)
    password: str = field(repr=False)


def normal(number: str) -> str:
    """A number however it was typed: full-width, in groups, in small letters."""
    return unicodedata.normalize("NFKC", number).translate(_LEFT_OUT).upper()


class Acceptances:
    """The notices of one store. Methods block."""

    def __init__(self, store: Store, hasher: Hasher) -> None:
        self._store, self._hasher = store, hasher

    def add(self, notices: Iterable[Notice], by: By) -> int:
        """Keep them, all or none, in place of earlier ones of the same accounts; how many.

        Raises UserError for an account that there is not, or a password that nobody could send.
        """
        rows = [(notice.account, self._row(notice)) for notice in notices]
        with self._store.write() as connection:
            for name, row in rows:
                if (key := account_id(connection, name)) is None:
                    raise UserError(f"there is no account {name}; nothing was taken over")
                connection.execute(delete(acceptances).where(acceptances.c.account == key))
                connection.execute(insert(acceptances).values(account=key, **row))
                record(connection, by, "notice of acceptance", name)
        return len(rows)

    def reset(self, address: str, number: str, by: By) -> str | None:
        """The initial password again, for the account of a mail address; its user name, None if the number is wrong.

        It takes as long for an address that has no account. Raises Suspended.
        """
        with self._store.read() as connection:
            account = owned(connection, address)
            key = None if account is None else account_id(connection, account.name)
            row = connection.execute(select(acceptances).where(acceptances.c.account == key)).first()
        if account is None or row is None:
            self._hasher.check_nobody(normal(number))
            return None
        if not self._hasher.check(row.number, normal(number)):
            return None
        if account.suspended is not None:
            raise Suspended(account.name)
        with self._store.write() as connection:
            account_id(connection, account.name, lock=True)
            before = find(connection, account.name)
            if before is None:
                return None
            put_secret(connection, before, secret_of(row), by, "initial password")
        return account.name

    def _row(self, notice: Notice) -> dict[str, object]:
        if not normal(notice.number):
            raise UserError(f"{notice.account}: the number is empty; nothing was taken over")
        try:
            secret = self._hasher.make(notice.password)
        except ValueError as fault:
            raise UserError(f"{notice.account}: the password {fault}; nothing was taken over") from None
        return {"number": self._hasher.make(normal(notice.number)).hash, **secret_columns(secret)}
