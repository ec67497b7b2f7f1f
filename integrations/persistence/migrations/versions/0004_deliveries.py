"""An outbox row of its own for each errand and destination.

Revision 0004, after 0003. A delivery that was on its way begins anew: every object it had sent is taken as sent by
its archive, and a report that is there stays.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TIME: Final = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
BIG_ID: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MYSQL: Final[dict[str, Any]] = {
    f"{name}_{key}": value
    for name in ("mysql", "mariadb")
    for key, value in {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}.items()
}


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "deliveries",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("errand", sa.String(length=32), nullable=False),
        sa.Column("destination", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("next_run_at", TIME, nullable=True),
        sa.Column("settled_at", TIME, nullable=True),
        sa.Column("error_code", sa.String(length=64), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("address", sa.String(length=512), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.job_id"], name=op.f("fk_deliveries_job_id_jobs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("job_id", "errand", "destination", name=op.f("uq_deliveries_job_id_errand_destination")),
        **MYSQL,
    )


def downgrade() -> None:
    """Drop it; deliveries on their way begin anew."""
    op.drop_table("deliveries")
