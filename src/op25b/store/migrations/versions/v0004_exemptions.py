"""Exemptions that are asked for, granted and ended one by one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "exemptions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subscriber", sa.Text),
        sa.Column("prefix", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("granted_at", sa.BigInteger),
        sa.Column("from_at", sa.BigInteger),
        sa.Column("review_at", sa.BigInteger),
        sa.Column("until_at", sa.BigInteger),
        sa.Column("domain", sa.Text),
        sa.Column("server", sa.Text),
        sa.Column("fee_accepted", sa.Boolean, nullable=False),
        sa.Column("findings", sa.JSON, nullable=False),
        sa.Column("approvals", sa.JSON, nullable=False),
        sa.Column("requested_by", sa.Text, nullable=False),
        sa.Column("requested_at", _INSTANT, nullable=False),
        sa.Column("changed_at", _INSTANT, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )
    for column in ("subscriber", "prefix", "state", "from_at", "review_at", "until_at"):
        op.create_index(f"ix_exemptions_{column}", "exemptions", [column])
