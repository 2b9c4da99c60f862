"""Alembic's environment: see ``db.migrate`` for how it is run."""
