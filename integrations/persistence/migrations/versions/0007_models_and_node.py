"""Which models proved themselves, who works, and what the peers answered.

Revision 0007, after 0006. Nothing has to be filled in: workers report by themselves, and a version that was activated
by command stays active.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TIME: Final = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
MYSQL: Final[dict[str, Any]] = {
    f"{name}_{key}": value
    for name in ("mysql", "mariadb")
    for key, value in {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}.items()
}


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "model_verifications",
        sa.Column("verification_id", sa.String(length=32), nullable=False),
        sa.Column("model_id", sa.String(length=64), nullable=False),
        sa.Column("model_version", sa.String(length=64), nullable=False),
        sa.Column("model_digest", sa.String(length=64), nullable=False),
        sa.Column("manifest_sha256", sa.String(length=64), nullable=False),
        sa.Column("node_version", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("requested_at", TIME, nullable=False),
        sa.Column("requested_by", sa.String(length=64), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("hinted_at", TIME, nullable=True),
        sa.Column("started_at", TIME, nullable=True),
        sa.Column("finished_at", TIME, nullable=True),
        sa.Column("lease_owner", sa.String(length=128), nullable=True),
        sa.Column("lease_expires_at", TIME, nullable=True),
        sa.Column("provider", sa.String(length=64), nullable=True),
        sa.Column("faults", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("verification_id", name=op.f("pk_model_verifications")),
        **MYSQL,
    )
    op.create_index(op.f("ix_model_verifications_state"), "model_verifications", ["state"])
    op.create_index(
        "ix_model_verifications_model_id_model_version", "model_verifications", ["model_id", "model_version"]
    )
    op.create_table(
        "node_workers",
        sa.Column("owner", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("threads", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.Column("facts", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("owner", name=op.f("pk_node_workers")),
        **MYSQL,
    )
    op.create_index(op.f("ix_node_workers_seen_at"), "node_workers", ["seen_at"])
    op.create_table(
        "peer_probes",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("address", sa.String(length=512), nullable=False),
        sa.Column("probed_at", TIME, nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("reachable", sa.Boolean(), nullable=False),
        sa.Column("error_code", sa.String(length=64), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("reachable_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_peer_probes")),
        **MYSQL,
    )


def downgrade() -> None:
    """Drop them; workers and peers are heard of again, and versions have to prove themselves again."""
    for table in ("peer_probes", "node_workers", "model_verifications"):
        op.drop_table(table)
