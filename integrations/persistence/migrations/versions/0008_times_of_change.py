"""What changed last is found by an index, because it is asked for all the time; and so is what a patient has.

Revision 0008, after 0007.
"""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the indexes."""
    op.create_index("ix_jobs_updated_at_job_id", "jobs", ["updated_at", "job_id"])
    op.create_index(op.f("ix_studies_signalled_at"), "studies", ["signalled_at"])
    op.create_index(op.f("ix_studies_patient_id"), "studies", ["patient_id"])
    op.create_index(op.f("ix_series_completed_at"), "series", ["completed_at"])


def downgrade() -> None:
    """Drop them."""
    op.drop_index(op.f("ix_series_completed_at"), table_name="series")
    op.drop_index(op.f("ix_studies_patient_id"), table_name="studies")
    op.drop_index(op.f("ix_studies_signalled_at"), table_name="studies")
    op.drop_index("ix_jobs_updated_at_job_id", table_name="jobs")
