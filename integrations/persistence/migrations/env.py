"""Run by Alembic: how migrations get their connection (``integrations.persistence.migrations.upgrade`` gives it)."""

from __future__ import annotations

from alembic import context

from integrations.persistence.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    compare_server_default=False,
    render_as_batch=True,  # SQLite cannot alter columns in place
)
with context.begin_transaction():
    context.run_migrations()
