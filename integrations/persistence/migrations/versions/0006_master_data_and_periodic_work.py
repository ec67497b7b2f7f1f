"""Master data, the turns of periodic work, and the outbox of notifications.

Revision 0006, after 0005.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0006"
down_revision = "0005"
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
    """Create the tables."""
    _entries("medications", _text("atc_code", 8), _text("dose_form", 64), _text("strength", 64), _text("route", 64))
    _entries("diagnoses", _text("icd10_code", 8))
    _entries(
        "lab_tests",
        *(_text("loinc_code", 10), _text("unit", 32), _text("specimen", 64)),
        sa.Column("reference_ranges", sa.JSON(), nullable=False),
    )
    _periodic_runs()
    _notifications()
    op.create_index("ix_jobs_updated_at", "jobs", ["updated_at"])  # what ended lately is asked for every minute


def _entries(name: str, *columns: sa.Column[Any]) -> None:
    op.create_table(
        name,
        *(_text("code", 32), _text("name_en", 255), _text("name_ko", 255), *columns),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("search_text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f(f"pk_{name}")),
        **MYSQL,
    )


def _text(name: str, length: int) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length=length), nullable=False)


def _periodic_runs() -> None:
    op.create_table(
        "periodic_runs",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        _text("task", 32),
        _text("slot", 32),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("finished_at", TIME, nullable=True),
        sa.Column("error_code", sa.String(length=64), nullable=True),
        sa.Column("report", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_periodic_runs")),
        sa.UniqueConstraint("task", "slot", name=op.f("uq_periodic_runs_task_slot")),
        **MYSQL,
    )
    op.create_index(op.f("ix_periodic_runs_started_at"), "periodic_runs", ["started_at"])


def _notifications() -> None:
    op.create_table(
        "notification_channels",
        _text("channel", 64),
        sa.Column("since", TIME, nullable=False),
        sa.PrimaryKeyConstraint("channel", name=op.f("pk_notification_channels")),
        **MYSQL,
    )
    op.create_table(
        "notifications",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        *(_text("channel", 64), _text("event", 64), _text("kind", 32)),
        sa.Column("content", sa.JSON(), nullable=False),
        _text("state", 16),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("next_run_at", TIME, nullable=True),
        sa.Column("settled_at", TIME, nullable=True),
        sa.Column("error", sa.String(length=255), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
        sa.UniqueConstraint("channel", "event", name=op.f("uq_notifications_channel_event")),
        **MYSQL,
    )
    op.create_index(op.f("ix_notifications_state_next_run_at"), "notifications", ["state", "next_run_at"])


def downgrade() -> None:
    """Drop them; what was entered and what is owed is lost."""
    op.drop_index("ix_jobs_updated_at", table_name="jobs")
    for name in (
        *("notifications", "notification_channels", "periodic_runs"),
        *("lab_tests", "diagnoses", "medications"),
    ):
        op.drop_table(name)
