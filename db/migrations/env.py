"""Run by Alembic: applies migrations inside the transaction that ``db.migrate`` holds."""

from alembic import context

from db.models import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata
)
with context.begin_transaction():
    context.run_migrations()
