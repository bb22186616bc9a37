"""Who holds which address when: sessions, their leases, restarts of access servers; and the feed of changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_LARGE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", _LARGE, primary_key=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("subscriber", sa.Text, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sa.Column("stopped_at", sa.BigInteger),
        sa.Column("expires_at", sa.BigInteger),
        sa.UniqueConstraint("source", "name", "subscriber", name="uq_sessions_source"),
    )
    op.create_index("ix_sessions_subscriber", "sessions", ["subscriber"])
    lasting = sa.text("stopped_at IS NULL")
    op.create_index("ix_sessions_lasting", "sessions", ["source"], sqlite_where=lasting, postgresql_where=lasting)
    op.create_table(
        "leases",
        sa.Column("session", _LARGE, sa.ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("prefix", sa.Text, primary_key=True),
        sa.Column("first_at", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.BigInteger),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("dropped_at", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_leases_prefix", "leases", ["prefix", "started_at"])
    left = sa.text("dropped_at IS NOT NULL")
    op.create_index("ix_leases_dropped", "leases", ["session", "prefix"], sqlite_where=left, postgresql_where=left)
    op.create_table(
        "newest_claims",
        sa.Column("prefix", sa.Text, primary_key=True),
        sa.Column("session", _LARGE, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "lease_lengths",
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("length", sa.Integer, primary_key=True),
    )
    op.create_table(
        "restarts",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, primary_key=True),
    )
    op.create_table(
        "changes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
