"""What the store holds. The migrations make these tables; a test compares the two."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)


class Instant(TypeDecorator[datetime]):
    """An instant: aware going in, UTC coming out, from SQLite too, which keeps no offsets."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no offset")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True, doc="as names.account_name gives it"),
    Column("password", Text, nullable=False, doc="a hash: own ones bare, taken over ones with Dovecot's {SCHEME}"),
    Column("scram_iterations", Integer, doc="null, with the three below, where the keys are not known"),
    Column("scram_salt", LargeBinary),
    Column("scram_stored_key", LargeBinary),
    Column("scram_server_key", LargeBinary),
    Column("limits", JSON, nullable=False, doc="what differs from the policy's limits: name to number"),
    Column("suspended", Text, doc="why, or null"),
    Column("version", Integer, nullable=False, doc="goes up with every change"),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    CheckConstraint(
        "(scram_iterations IS NULL) = (scram_salt IS NULL)"
        " AND (scram_iterations IS NULL) = (scram_stored_key IS NULL)"
        " AND (scram_iterations IS NULL) = (scram_server_key IS NULL)",
        name="scram_all_or_nothing",
    ),
)

senders = Table(
    "senders",
    metadata,
    Column("account", ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("sender", Text, primary_key=True, doc="user@domain, or @domain for every address of it"),
    Index("ix_senders_sender", "sender"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("subject", Text, nullable=False, doc="what it was done to: an account's name, say"),
    Column("why", Text, nullable=False),
    Column("before", JSON, doc="never holds a secret, nor does `after`"),
    Column("after", JSON),
    Index("ix_audit_subject", "subject"),
)

secrets = Table(
    "secrets",
    metadata,
    Column("name", Text, primary_key=True, doc="`nobody`: answers for names that have no account are made from it"),
    Column("value", LargeBinary, nullable=False),
)

known_blocks = Table(
    "known_blocks",
    metadata,
    Column("account", ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("block", Text, primary_key=True, doc="a prefix from which the account logged in"),
    Column("seen_at", Instant, nullable=False),
)
