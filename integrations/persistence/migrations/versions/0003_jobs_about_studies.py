"""Jobs about a whole study, and the series that stand with them.

Revision 0003, after 0002.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MYSQL: Final[dict[str, Any]] = {
    f"{name}_{key}": value
    for name in ("mysql", "mariadb")
    for key, value in {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}.items()
}


def upgrade() -> None:
    """Let a job say that it is about a study; none was so far."""
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(sa.Column("whole_study", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "joined_series",
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("series_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.job_id"], name=op.f("fk_joined_series_job_id_jobs")),
        sa.PrimaryKeyConstraint("job_id", "series_instance_uid", "revision", name=op.f("pk_joined_series")),
        **MYSQL,
    )
    op.create_index(
        "ix_joined_series_series_instance_uid_revision",
        "joined_series",
        ["series_instance_uid", "revision"],
        unique=False,
    )


def downgrade() -> None:
    """Drop what the upgrade made."""
    op.drop_table("joined_series")
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_column("whole_study")
