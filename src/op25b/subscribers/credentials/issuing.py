"""What a proof leads to: an account for a mail address, with a password that is told once. Every method blocks."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection, select, text

from op25b.errors import UserError
from op25b.policy.credentials import Credentials
from op25b.store.audit import By
from op25b.store.engine import Store
from op25b.store.tables import accounts, senders
from op25b.subscribers import fresh
from op25b.subscribers.accounts import Account, New, add, find, put_secret
from op25b.subscribers.names import account_name
from op25b.subscribers.passwords import Hasher, Random, Secret

_LOCK = 0x6F703238
"""The advisory lock under which PostgreSQL issues: two applications for one address must not make two accounts."""


class Suspended(Exception):
    """The account is suspended; a new password would change nothing, and only the desk lifts that."""


@dataclass(frozen=True)
class Issued:
    """What the customer is told, once. `renewed`: the user name was there before, the password replaces another."""

    address: str
    user_name: str
    password: str = field(repr=False)
    renewed: bool


def lock(connection: Connection) -> None:
    """Be the only one who issues until the transaction ends. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def owned(connection: Connection, address: str) -> Account | None:
    """The account of whoever has a mailbox; `address` as `names.sender` gives it.

    That is the one of that name, or of its local part, that may send as the address; else one that may send as this
    address and no other. Never an account that sends for others too: their password is not this person's to change.
    """
    local = address.rpartition("@")[0]
    for name in (address, local):
        account = find(connection, _prepared(name))
        if account is not None and address in account.senders:
            return account
    query = select(accounts.c.name).join(senders).where(senders.c.sender == address).order_by(accounts.c.id)
    for name in connection.execute(query).scalars().all():
        account = find(connection, name)
        if account is not None and account.senders == {address}:
            return account
    return None


class Issuing:
    """Makes accounts and passwords in one store. `credentials`: the policy's, for what a user name is (claim L7)."""

    def __init__(self, store: Store, hasher: Hasher, credentials: Credentials, random: Random) -> None:
        self._store, self._hasher, self._credentials, self._random = store, hasher, credentials, random

    def issue(self, brand: str, address: str, by: By) -> Issued:
        """A new password for the account of an address, which is made if there is none (claim I14).

        `address`: as `names.sender` gives it. Raises Suspended, and UserError if the store cannot be used.
        """
        password, secret = self._made()
        with self._store.write() as connection:
            return self._put(connection, brand, address, password, secret, by)

    def issue_in(self, connection: Connection, brand: str, address: str, by: By) -> Issued:
        """`issue` as a part of what a transaction does; it is hashed while that lasts."""
        password, secret = self._made()
        return self._put(connection, brand, address, password, secret, by)

    def _made(self) -> tuple[str, Secret]:
        password = fresh.password(self._random)
        return password, self._hasher.make(password)

    def _put(self, connection: Connection, brand: str, address: str, password: str, secret: Secret, by: By) -> Issued:
        lock(connection)
        before = owned(connection, address)
        if before is None:
            name = self._free_name(connection, brand, address)
            add(connection, New(name, secret, frozenset({address})), by)
            return Issued(address, name, password, renewed=False)
        if before.suspended is not None:
            raise Suspended(before.name)
        put_secret(connection, before, secret, by, "reissue")
        return Issued(address, before.name, password, renewed=True)

    def _free_name(self, connection: Connection, brand: str, address: str) -> str:
        """As the policy has it; where somebody else has that one, the whole address."""
        wanted = {
            "issued": fresh.user_name(brand, self._random),
            "pop-account": address.rpartition("@")[0],
            "mail-address": address,
        }[self._credentials.user_name]
        for name in map(_prepared, (wanted, address)):
            if name and find(connection, name) is None:
                return name
        raise UserError(f"the account {address} may not send as {address}; let it: op25b account change")


def _prepared(name: str) -> str:
    """The name as it is stored; empty, which no account's is, for one that no account can have."""
    try:
        return account_name(name)
    except ValueError:
        return ""
