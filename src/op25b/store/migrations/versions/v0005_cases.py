"""Who keeps trying on port 25: cases with their evidence, and the quarantine list."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "cases",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("subscriber", sa.Text),
        sa.Column("prefix", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("first_at", _INSTANT, nullable=False),
        sa.Column("last_at", _INSTANT, nullable=False),
        sa.Column("attempts", sa.BigInteger, nullable=False),
        sa.Column("targets", sa.Integer, nullable=False),
        sa.Column("evidence", sa.JSON, nullable=False),
        sa.Column("pattern", sa.JSON, nullable=False),
        sa.Column("notice", sa.Text),
        sa.Column("noticed_at", _INSTANT),
        sa.Column("opened_at", _INSTANT, nullable=False),
        sa.Column("closed_at", _INSTANT),
    )
    op.create_index("ix_cases_state", "cases", ["state"])
    is_open = sa.text("closed_at IS NULL")
    op.create_index(
        "uq_cases_subscriber", "cases", ["subscriber"], unique=True, sqlite_where=is_open, postgresql_where=is_open
    )
    op.create_index("ix_cases_prefix", "cases", ["prefix"])
    op.create_table(
        "quarantine",
        sa.Column("subscriber", sa.Text, primary_key=True),
        sa.Column("case", sa.Integer, sa.ForeignKey("cases.id"), nullable=False),
        sa.Column("since", _INSTANT, nullable=False),
    )
