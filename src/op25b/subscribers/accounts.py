"""Accounts in the store: who may send, as whom, how much. Every change leaves a line in the audit trail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from op25b.errors import UserError
from op25b.store.audit import By, record
from op25b.store.engine import Store
from op25b.store.tables import accounts, senders
from op25b.subscribers import names
from op25b.subscribers.passwords import Secret, scheme_name
from op25b.subscribers.scram import Keys

LIMITS = ("messages_per_hour", "messages_per_day", "recipients_per_hour", "recipients_per_day", "rejected_per_hour")
"""What may be set per account: messages, recipients, and recipients that a next hop rejected."""


@dataclass(frozen=True)
class Account:
    """One account. `name` and `senders` are prepared (see `names`); `limits` says what differs from the policy's."""

    name: str
    secret: Secret = field(repr=False)
    senders: frozenset[str]
    limits: Mapping[str, int]
    suspended: str | None
    version: int
    created_at: datetime
    changed_at: datetime

    def may_send_as(self, address: str) -> bool:
        """True if an envelope sender, or an address of a From header, belongs to this account."""
        return names.covers(self.senders, address)

    @property
    def scheme(self) -> str:
        return scheme_name(self.secret.hash)

    def shown(self) -> dict[str, Any]:
        """What may be seen of it: no secret, and what the audit trail keeps."""
        return {
            "name": self.name,
            "senders": sorted(self.senders),
            "limits": dict(sorted(self.limits.items())),
            "suspended": self.suspended,
            "scheme": self.scheme,
            "scram_iterations": self.secret.keys.iterations if self.secret.keys else None,
        }


@dataclass(frozen=True)
class New:
    """An account to be added; see `prepared`."""

    name: str
    secret: Secret = field(repr=False)
    senders: frozenset[str]
    limits: Mapping[str, int] = field(default_factory=dict)
    suspended: str | None = None


def prepared_name(name: str) -> str:
    """The name as it is stored. Raises UserError for one that no account can have."""
    try:
        return names.account_name(name)
    except ValueError as fault:
        raise UserError(f"the account name {name!r} {fault}") from None


def prepared_senders(name: str, given: Iterable[str]) -> frozenset[str]:
    """The allowed senders as they are stored; the name itself if none is given. Raises UserError for a bad one."""
    texts = list(given) or ([name] if "@" in name else [])
    if not texts:
        raise UserError(f"{name} is not a mail address; say with --sender as whom the account may send")
    made = set()
    for text in texts:
        try:
            made.add(names.sender(text))
        except ValueError as fault:
            raise UserError(f"the sender {text!r} {fault}; write user@example.jp, or @example.jp for all") from None
    return frozenset(made)


class Accounts:
    """The accounts of one store. Methods block; each change is one transaction. Times come in with `By`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, name: str) -> Account | None:
        """The account of a prepared name."""
        with self._store.read() as connection:
            return find(connection, name)

    def all(self) -> list[Account]:
        """Every account, by name."""
        query = _SELECT.order_by(accounts.c.name)
        with self._store.read() as connection:
            return _accounts(connection.execute(query))

    def existing(self, wanted: Iterable[str]) -> set[str]:
        """Those of the prepared names that are taken."""
        with self._store.read() as connection:
            return _existing(connection, list(wanted))

    def add(self, new: Iterable[New], by: By) -> None:
        """Add accounts, all or none. Raises UserError if a name is taken."""
        added = list(new)
        with self._store.write() as connection:
            if taken := sorted(_existing(connection, [one.name for one in added])):
                raise UserError(f"the account {taken[0]} exists already; nothing was changed")
            for one in added:
                add(connection, one, by)

    def set_secret(self, name: str, secret: Secret, by: By, seen: int | None = None, what: str = "reset") -> bool:
        """Replace the password. With `seen`, only if the account is still of that version; False if it is not."""
        with self._store.write() as connection:
            before = _found(connection, name)
            if seen is not None and before.version != seen:
                return False
            put_secret(connection, before, secret, by, what)
        return True

    def change(
        self, name: str, by: By, allowed: frozenset[str] | None = None, limits: Mapping[str, int] | None = None
    ) -> bool:
        """Replace the senders, the limits, or both. False if they are so already."""
        with self._store.write() as connection:
            before = _found(connection, name)
            after = replace(
                before,
                senders=before.senders if allowed is None else allowed,
                limits=before.limits if limits is None else limits,
            )
            if after == before:
                return False
            _change(connection, before, after, by, "change")
        return True

    def suspend(self, name: str, by: By) -> bool:
        """No log-in any more, for the reason that `by` gives. False if it is suspended already."""
        with self._store.write() as connection:
            before = _found(connection, name)
            if before.suspended is not None:
                return False
            _change(connection, before, replace(before, suspended=by.why), by, "suspend")
        return True

    def resume(self, name: str, by: By) -> bool:
        """Log-in again. False if it was not suspended."""
        with self._store.write() as connection:
            before = _found(connection, name)
            if before.suspended is None:
                return False
            _change(connection, before, replace(before, suspended=None), by, "resume")
        return True


_SELECT = select(accounts, senders.c.sender).outerjoin(senders, senders.c.account == accounts.c.id)
_CHUNK = 500
"""Names in one query; SQLite takes 32,766 parameters, older ones 999."""


def account_id(connection: Connection, name: str, lock: bool = False) -> int | None:
    """The key of an account's row, for the tables that point there. `lock` keeps others from changing the account."""
    query = select(accounts.c.id).where(accounts.c.name == name)
    found: int | None = connection.execute(query.with_for_update() if lock else query).scalar()
    return found


def find(connection: Connection, name: str) -> Account | None:
    """The account of a prepared name."""
    return next(iter(_accounts(connection.execute(_SELECT.where(accounts.c.name == name)))), None)


def _found(connection: Connection, name: str) -> Account:
    # two changes of one account come one after the other (SQLite has one writer anyway)
    account_id(connection, name, lock=True)
    if (account := find(connection, name)) is None:
        raise UserError(f"there is no account {name}; `op25b account list` shows all")
    return account


def _existing(connection: Connection, wanted: list[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(wanted), _CHUNK):
        query = select(accounts.c.name).where(accounts.c.name.in_(wanted[start : start + _CHUNK]))
        found.update(connection.execute(query).scalars())
    return found


def _accounts(rows: Iterable[Any]) -> list[Account]:
    first: dict[str, Any] = {}
    allowed: dict[str, set[str]] = {}
    for row in rows:
        first.setdefault(row.name, row)
        allowed.setdefault(row.name, set()).update([row.sender] if row.sender is not None else [])
    return [_account(row, frozenset(allowed[name])) for name, row in first.items()]


def _account(row: Any, allowed: frozenset[str]) -> Account:
    return Account(
        name=row.name,
        secret=secret_of(row),
        senders=allowed,
        limits=row.limits,
        suspended=row.suspended,
        version=row.version,
        created_at=row.created_at,
        changed_at=row.changed_at,
    )


def secret_of(row: Any) -> Secret:
    """What `secret_columns` has put into a row."""
    keys = None
    if row.scram_iterations is not None:
        keys = Keys(row.scram_iterations, row.scram_salt, row.scram_stored_key, row.scram_server_key)
    return Secret(row.password, keys)


def secret_columns(secret: Secret) -> dict[str, Any]:
    """A secret as the columns of a row."""
    keys = secret.keys
    return {
        "password": secret.hash,
        "scram_iterations": keys.iterations if keys else None,
        "scram_salt": keys.salt if keys else None,
        "scram_stored_key": keys.stored_key if keys else None,
        "scram_server_key": keys.server_key if keys else None,
    }


def _columns(account: Account) -> dict[str, Any]:
    return {**secret_columns(account.secret), "limits": dict(account.limits), "suspended": account.suspended}


def add(connection: Connection, new: New, by: By) -> None:
    """Add an account whose name is free."""
    made = Account(new.name, new.secret, new.senders, new.limits, new.suspended, 1, by.at, by.at)
    row = {"name": new.name, "version": 1, "created_at": by.at, "changed_at": by.at, **_columns(made)}
    key = connection.execute(insert(accounts).values(row)).inserted_primary_key
    assert key is not None
    connection.execute(insert(senders), [{"account": key[0], "sender": each} for each in sorted(new.senders)])
    record(connection, by, "add", new.name, None, made.shown())


def put_secret(connection: Connection, before: Account, secret: Secret, by: By, what: str) -> None:
    """Replace the password of an account as it was just found."""
    _change(connection, before, replace(before, secret=secret), by, what)


def _change(connection: Connection, before: Account, after: Account, by: By, what: str) -> None:
    key = account_id(connection, before.name)
    row = {**_columns(after), "version": before.version + 1, "changed_at": by.at}
    connection.execute(update(accounts).where(accounts.c.id == key).values(row))
    if before.senders != after.senders:
        connection.execute(delete(senders).where(senders.c.account == key))
        connection.execute(insert(senders), [{"account": key, "sender": each} for each in sorted(after.senders)])
    record(connection, by, what, before.name, before.shown(), after.shown())
