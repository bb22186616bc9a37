"""Who can be written to, as far as the accounts say."""

from __future__ import annotations

from sqlalchemy import select, union_all

from op25b.store.engine import Store
from op25b.store.tables import accounts, senders
from op25b.subscribers import names


class Addressees:
    """The addresses of one store's accounts. Methods block."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def exists(self, address: str) -> bool:
        """True for an account's name and for each sender of it that is a whole address; `+detail` is left out.

        A right to send as `@domain` makes no mailbox of every address there is. Raises what the store raises.
        """
        try:
            wanted = names.sender(address)
        except ValueError:
            return False
        local, _, domain = wanted.rpartition("@")
        forms = [wanted, f"{local.partition('+')[0]}@{domain}"] if local.partition("+")[0] else []
        by_name = select(accounts.c.id).where(accounts.c.name.in_(forms))
        by_sender = select(senders.c.account).where(senders.c.sender.in_(forms))
        with self._store.read() as connection:
            return connection.execute(union_all(by_name, by_sender)).first() is not None
