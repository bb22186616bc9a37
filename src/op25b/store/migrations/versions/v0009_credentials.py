"""Self-service: notices of acceptance, passwords to be sent by post, who asked for an exemption on the page."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "acceptances",
        sa.Column("account", sa.Integer, sa.ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.Text, nullable=False),
        sa.Column("password", sa.Text, nullable=False),
        sa.Column("scram_iterations", sa.Integer),
        sa.Column("scram_salt", sa.LargeBinary),
        sa.Column("scram_stored_key", sa.LargeBinary),
        sa.Column("scram_server_key", sa.LargeBinary),
        sa.CheckConstraint(
            "(scram_iterations IS NULL) = (scram_salt IS NULL)"
            " AND (scram_iterations IS NULL) = (scram_stored_key IS NULL)"
            " AND (scram_iterations IS NULL) = (scram_server_key IS NULL)",
            name="ck_acceptances_scram_all_or_nothing",
        ),
    )
    op.create_table(
        "reissues",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("brand", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("contract", sa.Text, nullable=False),
        sa.Column("postal", sa.Text, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("fee", sa.JSON, nullable=False),
        sa.Column("visitor", sa.Text, nullable=False),
        sa.Column("requested_at", _INSTANT, nullable=False),
        sa.Column("changed_at", _INSTANT, nullable=False),
    )
    op.create_index("ix_reissues_state", "reissues", ["state"])
    op.create_table(
        "applicants",
        sa.Column("reference", sa.Text, primary_key=True),
        sa.Column("exemption", sa.Integer, sa.ForeignKey("exemptions.id"), nullable=False),
        sa.Column("first", sa.Boolean, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("contact", sa.Text, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("requested_at", _INSTANT, nullable=False),
    )
    op.create_index("ix_applicants_exemption", "applicants", ["exemption"])
