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
    Column("patient_id", String(255), nullable=False, default="", index=True),
    Column("patient_name", String(255), nullable=False, default=""),
    Column("accession_number", String(64), nullable=False, default=""),
    Column("study_date", String(32), nullable=False, default=""),
    Column("study_description", String(255), nullable=False, default=""),
    Column("calling_ae", String(16), nullable=False, default=""),
    Column("signalled_at", UTC_TIME, nullable=True, index=True, doc="When somebody said that it is complete."),
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
    Column("completed_at", UTC_TIME, nullable=True, index=True),
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
    Index("ix_jobs_updated_at_job_id", "updated_at", "job_id"),
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

sessions: Final = Table(
    "sessions",
    METADATA,
    Column("session_id", String(64), primary_key=True, doc="In every access token of the session."),
    Column("username", String(64), nullable=False, index=True),
    Column("created_at", UTC_TIME, nullable=False),
    Column("expires_at", UTC_TIME, nullable=False, index=True, doc="That of its newest refresh token."),
    Column("closed_at", UTC_TIME, nullable=True),
)
"""From a login to a logout; also the family of its refresh tokens."""

refresh_tokens: Final = Table(
    "refresh_tokens",
    METADATA,
    Column("token_hash", String(64), primary_key=True, doc="SHA-256 of the token, which is nowhere."),
    Column("session_id", String(64), ForeignKey("sessions.session_id"), nullable=False, index=True),
    Column("expires_at", UTC_TIME, nullable=False, index=True),
    Column("used_at", UTC_TIME, nullable=True, doc="A token works once; whoever brings it again has stolen it."),
)

identities: Final = Table(
    "identities",
    METADATA,
    Column("id", BIG_ID, primary_key=True, autoincrement=True),
    Column("issuer", String(255), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("username", String(64), ForeignKey("users.username"), nullable=False),
    UniqueConstraint("issuer", "subject"),
)
"""Who of an OpenID provider is which account."""

service_accounts: Final = Table(
    "service_accounts",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("description", String(255), nullable=False, default=""),
    Column("scopes", JSON, nullable=False),
    Column("active", Boolean, nullable=False, default=True),
    Column("created_at", UTC_TIME, nullable=False),
)
"""Programs; they have keys instead of a password."""

api_keys: Final = Table(
    "api_keys",
    METADATA,
    Column("key_id", String(32), primary_key=True),
    Column("key_hash", String(64), nullable=False, unique=True, doc="SHA-256 of the key, which is nowhere."),
    Column("prefix", String(16), nullable=False, doc="Its first characters, to tell keys apart."),
    Column("service_account", String(64), ForeignKey("service_accounts.name"), nullable=False, index=True),
    Column("created_at", UTC_TIME, nullable=False),
    Column("expires_at", UTC_TIME, nullable=True),
    Column("revoked_at", UTC_TIME, nullable=True),
    Column("last_used_at", UTC_TIME, nullable=True, doc="To the minute."),
)

audit_events: Final = Table(
    "audit_events",
    METADATA,
    Column("id", BIG_ID, primary_key=True, autoincrement=True),
    Column("at", UTC_TIME, nullable=False, index=True),
    Column("actor", String(64), nullable=False, index=True, doc="Empty: nobody who is known."),
    Column("role", String(16), nullable=False),
    Column("action", String(160), nullable=False, doc="Method and pattern of the path, never the path."),
    Column("object", String(255), nullable=False, default="", doc="Ids of what it was done to."),
    Column("outcome", String(16), nullable=False),
    Column("status", Integer, nullable=False),
    Column("request_id", String(64), nullable=False),
    Column("client", String(64), nullable=False, doc="Address of the client."),
)
"""Who did what; rows are added, and neither changed nor removed."""

model_verifications: Final = Table(
    "model_verifications",
    METADATA,
    Column("verification_id", String(32), primary_key=True),
    Column("model_id", String(64), nullable=False),
    Column("model_version", String(64), nullable=False),
    Column("model_digest", String(64), nullable=False),
    Column("manifest_sha256", String(64), nullable=False),
    Column("node_version", String(32), nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("requested_at", UTC_TIME, nullable=False),
    Column("requested_by", String(64), nullable=False),
    Column("attempt", Integer, nullable=False, default=0),
    Column("hinted_at", UTC_TIME, nullable=True, doc="Last message to the workers; NULL: one is owed."),
    Column("started_at", UTC_TIME, nullable=True),
    Column("finished_at", UTC_TIME, nullable=True),
    Column("lease_owner", String(128), nullable=True, doc="The worker that has it, or had it last."),
    Column("lease_expires_at", UTC_TIME, nullable=True),
    Column("provider", String(64), nullable=True, doc="What computed it, in ONNX Runtime's words."),
    Column("faults", JSON, nullable=True),
    Index("ix_model_verifications_model_id_model_version", "model_id", "model_version"),
)
"""Looks at versions of models, asked for by people and made by inference workers."""

node_workers: Final = Table(
    "node_workers",
    METADATA,
    Column("owner", String(128), primary_key=True),
    Column("kind", String(16), nullable=False, doc="Name of a queue, or 'receiver'."),
    Column("host", String(255), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("threads", Integer, nullable=False),
    Column("version", String(32), nullable=False),
    Column("started_at", UTC_TIME, nullable=False),
    Column("seen_at", UTC_TIME, nullable=False, index=True),
    Column("facts", JSON, nullable=True, doc="What it says of its machine."),
)
"""A row for each process that works, renewed while it lives."""

peer_probes: Final = Table(
    "peer_probes",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("address", String(512), nullable=False, default=""),
    Column("probed_at", UTC_TIME, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("reachable", Boolean, nullable=False),
    Column("error_code", String(64), nullable=True),
    Column("error_message", Text, nullable=True),
    Column("reachable_at", UTC_TIME, nullable=True, doc="When it could last be used."),
)
"""What each server answered when it was asked last."""

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
