"""Decisions about models, jobs in shadow, and versions of a model that share their weights.

Revision 0002, after 0001.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TIME: Final = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
BIG_ID: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MYSQL: Final[dict[str, Any]] = {
    f"{name}_{key}": value
    for name in ("mysql", "mariadb")
    for key, value in {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}.items()
}
OLD_KEY: Final = "uq_jobs_series_instance_uid_revision_model_id_model_digest_run"
NEW_KEY: Final = "uq_jobs_input_model_run"
INPUT: Final = ("series_instance_uid", "revision", "model_id")


def upgrade() -> None:
    """Create the log, and let a job say whether it is in shadow; its version, of any length, is part of its key."""
    op.create_table(
        "model_deployments",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("model_id", sa.String(length=64), nullable=False),
        sa.Column("model_version", sa.String(length=64), nullable=False),
        sa.Column("model_digest", sa.String(length=64), nullable=False),
        sa.Column("deployment", sa.String(length=16), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_deployments")),
        **MYSQL,
    )
    version = ["model_id", "model_version"]
    op.create_index("ix_model_deployments_model_id_model_version", "model_deployments", version, unique=False)
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(sa.Column("shadow", sa.Boolean(), nullable=False, server_default=sa.false()))
        jobs.alter_column(
            "model_version", type_=sa.String(length=64), existing_type=sa.String(length=32), existing_nullable=False
        )
        jobs.create_unique_constraint(NEW_KEY, [*INPUT, "model_version", "model_digest", "run"])
        jobs.drop_constraint(OLD_KEY, type_="unique")
        jobs.create_index("ix_jobs_model_id_model_version", version, unique=False)


def downgrade() -> None:
    """Drop what the upgrade made; fails where two versions with the same weights have jobs on one series."""
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_index("ix_jobs_model_id_model_version")
        jobs.create_unique_constraint(OLD_KEY, [*INPUT, "model_digest", "run"])
        jobs.drop_constraint(NEW_KEY, type_="unique")
        jobs.alter_column(
            "model_version", type_=sa.String(length=32), existing_type=sa.String(length=64), existing_nullable=False
        )
        jobs.drop_column("shadow")
    op.drop_table("model_deployments")
