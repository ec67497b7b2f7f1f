"""The schema, once, as SQLAlchemy Core tables; the Alembic migrations create exactly this.

Portable between MySQL 8, MariaDB 10.11 and SQLite: times are naive UTC with microseconds, UIDs are ASCII of at most
64 characters, patient data are UTF-8.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects import mysql

METADATA: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

UTC_TIME: Final = DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
BIG_ID: Final = BigInteger().with_variant(Integer(), "sqlite")

studies: Final = Table(
    "studies",
    METADATA,
    Column("study_instance_uid", String(64), primary_key=True),
    Column("patient_id", String(255), nullable=False, default=""),
    Column("patient_name", String(255), nullable=False, default=""),
    Column("accession_number", String(64), nullable=False, default=""),
    Column("study_date", String(32), nullable=False, default=""),
    Column("study_description", String(255), nullable=False, default=""),
    Column("calling_ae", String(16), nullable=False, default=""),
    Column("signalled_at", UTC_TIME, nullable=True, doc="When somebody said that the study is complete."),
    Column("first_received_at", UTC_TIME, nullable=False),
    Column("last_received_at", UTC_TIME, nullable=False, index=True),
)

series: Final = Table(
    "series",
    METADATA,
    Column("series_instance_uid", String(64), primary_key=True),
    Column("study_instance_uid", String(64), ForeignKey("studies.study_instance_uid"), nullable=False, index=True),
    Column("modality", String(16), nullable=False, default=""),
    Column("series_description", String(255), nullable=False, default=""),
    Column("calling_ae", String(16), nullable=False, default=""),
    Column("revision", Integer, nullable=False, default=1),
    Column("receiving", Boolean, nullable=False, default=True, index=True),
    Column("instance_count", Integer, nullable=False, default=0, doc="Distinct SOP instances."),
    Column("arrivals", Integer, nullable=False, default=0, doc="Counts NEW and CHANGED instances; fences close()."),
    Column("expected_count", Integer, nullable=True, doc="Named by the explicit signal."),
    Column("promised_count", Integer, nullable=True, doc="Promised by the headers."),
    Column("first_received_at", UTC_TIME, nullable=False),
    Column("last_received_at", UTC_TIME, nullable=False),
    Column("completed_at", UTC_TIME, nullable=True),
    Column("evidence", String(32), nullable=True, doc="CompletionEvidence that closed the present revision."),
    Column("decision", String(16), nullable=True, doc="'analysed' or 'rejected'."),
    Column("reason_code", String(64), nullable=True),
    Column("reason_message", Text, nullable=True),
)

instances: Final = Table(
    "instances",
    METADATA,
    Column("id", BIG_ID, primary_key=True, autoincrement=True),
    Column("sop_instance_uid", String(64), nullable=False),
    Column("series_instance_uid", String(64), ForeignKey("series.series_instance_uid"), nullable=False, index=True),
    Column("sop_class_uid", String(64), nullable=False),
    Column("transfer_syntax_uid", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("path", String(255), nullable=False, doc="Relative to the spool."),
    Column("size_bytes", BigInteger, nullable=False),
    Column("current", Boolean, nullable=False, default=True, doc="False once other bytes came under the same UID."),
    Column("received_at", UTC_TIME, nullable=False),
    UniqueConstraint("sop_instance_uid", "sha256"),
)

jobs: Final = Table(
    "jobs",
    METADATA,
    Column("job_id", String(32), primary_key=True),
    Column("study_instance_uid", String(64), nullable=False, index=True),
    Column("series_instance_uid", String(64), nullable=False, index=True),
    Column("revision", Integer, nullable=False),
    Column("model_id", String(64), nullable=False, default="", doc="Empty: no model wanted the series."),
    Column("model_version", String(64), nullable=False, default=""),
    Column("model_digest", String(64), nullable=False, default=""),
    Column("run", Integer, nullable=False, default=0),
    Column("state", String(16), nullable=False),
    Column("attempt", Integer, nullable=False, default=0),
    Column("error_code", String(64), nullable=True),
    Column("error_message", Text, nullable=True),
    Column("created_at", UTC_TIME, nullable=False),
    Column("updated_at", UTC_TIME, nullable=False),
    Column("next_run_at", UTC_TIME, nullable=True),
    Column("lease_owner", String(128), nullable=True),
    Column("lease_token", Integer, nullable=False, default=0, doc="Fencing token; counts up with every claim."),
    Column("lease_expires_at", UTC_TIME, nullable=True),
    Column("heartbeat_at", UTC_TIME, nullable=True),
    Column("superseded_by", String(32), nullable=True, doc="Job of a later revision with the same model."),
    Column("result", JSON, nullable=True),
    Column("shadow", Boolean, nullable=False, default=False, doc="Its result is recorded, not published."),
    Column("whole_study", Boolean, nullable=False, default=False, doc="Its model reads several series of the study."),
    UniqueConstraint(
        *("series_instance_uid", "revision", "model_id", "model_version", "model_digest", "run"),
        name="uq_jobs_input_model_run",  # by the convention it would be too long for MySQL
    ),
    Index("ix_jobs_state_next_run_at", "state", "next_run_at"),
    Index("ix_jobs_created_at_job_id", "created_at", "job_id"),
    Index("ix_jobs_model_id_model_version", "model_id", "model_version"),
    Index("ix_jobs_updated_at", "updated_at"),
)

job_stages: Final = Table(
    "job_stages",
    METADATA,
    Column("id", BIG_ID, primary_key=True, autoincrement=True),
    Column("job_id", String(32), ForeignKey("jobs.job_id"), nullable=False, index=True),
    Column("stage", String(16), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("started_at", UTC_TIME, nullable=False),
    Column("seconds", Float, nullable=False),
)

outbox: Final = Table(
    "outbox",
    METADATA,
    Column("id", BIG_ID, primary_key=True, autoincrement=True),
    Column("job_id", String(32), ForeignKey("jobs.job_id"), nullable=False),
    Column("queue", String(16), nullable=False),
    Column("created_at", UTC_TIME, nullable=False),
    Column("dispatched_at", UTC_TIME, nullable=True, index=True, doc="Last hint; NULL: a hint is owed."),
    UniqueConstraint("job_id", "queue"),
)

deliveries: Final = Table(
    "deliveries",
    METADATA,
    Column("id", BIG_ID, primary_key=True, autoincrement=True),
    Column("job_id", String(32), ForeignKey("jobs.job_id"), nullable=False),
    Column("errand", String(32), nullable=False, doc="What is brought: result, note, withdrawal, review-1, ..."),
    Column("destination", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("created_at", UTC_TIME, nullable=False, doc="Since when it is tried."),
    Column("next_run_at", UTC_TIME, nullable=True),
    Column("settled_at", UTC_TIME, nullable=True),
    Column("error_code", String(64), nullable=True),
    Column("error_message", Text, nullable=True),
    Column("address", String(512), nullable=True),
    UniqueConstraint("job_id", "errand", "destination"),
)
"""What of a job has arrived where."""

joined_series: Final = Table(
    "joined_series",
    METADATA,
    Column("job_id", String(32), ForeignKey("jobs.job_id"), primary_key=True),
    Column("series_instance_uid", String(64), primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Index("ix_joined_series_series_instance_uid_revision", "series_instance_uid", "revision"),
)
"""Series that stand with a job about their study, beside the one that it was made for."""

model_deployments: Final = Table(
    "model_deployments",
    METADATA,
    Column("id", BIG_ID, primary_key=True, autoincrement=True, doc="In the order of the decisions."),
    Column("at", UTC_TIME, nullable=False),
    Column("model_id", String(64), nullable=False),
    Column("model_version", String(64), nullable=False),
    Column("model_digest", String(64), nullable=False),
    Column("deployment", String(16), nullable=False),
    Column("actor", String(64), nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Index("ix_model_deployments_model_id_model_version", "model_id", "model_version"),
)

users: Final = Table(
    "users",
    METADATA,
    Column("username", String(64), primary_key=True),
    Column("password_hash", String(255), nullable=False),
    Column("role", String(16), nullable=False),
    Column("active", Boolean, nullable=False, default=True),
    Column("failed_logins", Integer, nullable=False, default=0),
    Column("locked_until", UTC_TIME, nullable=True),
    Column("created_at", UTC_TIME, nullable=False),
)

revoked_tokens: Final = Table(
    "revoked_tokens",
    METADATA,
    Column("jti", String(64), primary_key=True),
    Column("expires_at", UTC_TIME, nullable=False, index=True),
)

medications: Final = Table(
    "medications",
    METADATA,
    Column("code", String(32), primary_key=True),
    Column("name_en", String(255), nullable=False),
    Column("name_ko", String(255), nullable=False, default=""),
    Column("atc_code", String(8), nullable=False, default=""),
    Column("dose_form", String(64), nullable=False, default=""),
    Column("strength", String(64), nullable=False, default=""),
    Column("route", String(64), nullable=False, default=""),
    Column("active", Boolean, nullable=False, default=True),
    Column("version", Integer, nullable=False, default=1),
    Column("created_at", UTC_TIME, nullable=False),
    Column("updated_at", UTC_TIME, nullable=False),
    Column("search_text", Text, nullable=False, doc="Names, folded: databases disagree on case and width."),
)

diagnoses: Final = Table(
    "diagnoses",
    METADATA,
    Column("code", String(32), primary_key=True, doc="KCD."),
    Column("name_en", String(255), nullable=False),
    Column("name_ko", String(255), nullable=False, default=""),
    Column("icd10_code", String(8), nullable=False, default=""),
    Column("active", Boolean, nullable=False, default=True),
    Column("version", Integer, nullable=False, default=1),
    Column("created_at", UTC_TIME, nullable=False),
    Column("updated_at", UTC_TIME, nullable=False),
    Column("search_text", Text, nullable=False),
)

lab_tests: Final = Table(
    "lab_tests",
    METADATA,
    Column("code", String(32), primary_key=True),
    Column("name_en", String(255), nullable=False),
    Column("name_ko", String(255), nullable=False, default=""),
    Column("loinc_code", String(10), nullable=False, default=""),
    Column("unit", String(32), nullable=False, default="", doc="UCUM."),
    Column("specimen", String(64), nullable=False, default=""),
    Column("reference_ranges", JSON, nullable=False),
    Column("active", Boolean, nullable=False, default=True),
    Column("version", Integer, nullable=False, default=1),
    Column("created_at", UTC_TIME, nullable=False),
    Column("updated_at", UTC_TIME, nullable=False),
    Column("search_text", Text, nullable=False),
)

periodic_runs: Final = Table(
    "periodic_runs",
    METADATA,
    Column("id", BIG_ID, primary_key=True, autoincrement=True),
    Column("task", String(32), nullable=False),
    Column("slot", String(32), nullable=False, doc="Which turn of it, e.g. the day."),
    Column("attempt", Integer, nullable=False, default=1, doc="Fences a run that was taken over."),
    Column("started_at", UTC_TIME, nullable=False, index=True),
    Column("finished_at", UTC_TIME, nullable=True),
    Column("error_code", String(64), nullable=True),
    Column("report", JSON, nullable=True, doc="Counts; no patient data."),
    UniqueConstraint("task", "slot"),
)
"""Turns of periodic work: whoever makes the row does it, so that several machines do it once."""

notification_channels: Final = Table(
    "notification_channels",
    METADATA,
    Column("channel", String(64), primary_key=True),
    Column("since", UTC_TIME, nullable=False, doc="What ended before is not told."),
)

notifications: Final = Table(
    "notifications",
    METADATA,
    Column("id", BIG_ID, primary_key=True, autoincrement=True),
    Column("channel", String(64), nullable=False),
    Column("event", String(64), nullable=False, doc="The same for everybody who is told of it."),
    Column("kind", String(32), nullable=False),
    Column("content", JSON, nullable=False, doc="No patient data."),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("created_at", UTC_TIME, nullable=False),
    Column("next_run_at", UTC_TIME, nullable=True),
    Column("settled_at", UTC_TIME, nullable=True),
    Column("error", String(255), nullable=True),
    UniqueConstraint("channel", "event"),
    Index("ix_notifications_state_next_run_at", "state", "next_run_at"),
)
"""The outbox of notifications: a row for each event and channel."""
