"""Messages that must not leave twice, and who was told of which phase."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "once",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("queue_id", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
    )
    op.create_table(
        "notices",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("phase", sa.Text, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("subscriber", sa.Text, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("way", sa.Text, nullable=False),
        sa.Column("address", sa.Text),
        sa.Column("key", sa.Text, sa.ForeignKey("once.key")),
        sa.Column("planned_at", _INSTANT, nullable=False),
        sa.Column("taken_at", _INSTANT),
        sa.Column("refused", sa.Text),
        sa.Column("printed_at", _INSTANT),
        sa.UniqueConstraint("phase", "stage", "subscriber", name="uq_notices_phase"),
        sa.UniqueConstraint("key", name="uq_notices_key"),
    )
    op.create_index("ix_notices_subscriber", "notices", ["subscriber"])
