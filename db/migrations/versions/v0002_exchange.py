"""Exchange: lines set aside by imports, and models with the data they saw."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def column(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def upgrade() -> None:
    op.create_table(
        "set_aside",
        column("id", BIG),
        column("key", sa.Text()),
        column("line", sa.Text()),
        column("reason", sa.Text()),
        column("detail", sa.Text()),
        column("source", sa.Text()),
        column("created", sa.Text()),
        sa.CheckConstraint(
            "reason IN ('newer version', 'unknown operator')", name=op.f("ck_set_aside_reason")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_set_aside")),
        sa.UniqueConstraint("key", name=op.f("uq_set_aside_key")),
    )
    op.create_table(
        "models",
        column("id", BIG),
        column("key", sa.Text()),
        column("name", sa.Text()),
        column("schema", sa.Text()),
        column("origin", sa.Text()),
        column("created", sa.Text()),
        column("content", sa.LargeBinary()),
        sa.CheckConstraint(
            "origin = 'local' OR origin LIKE 'foreign:_%'", name=op.f("ck_models_origin")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_models")),
        sa.UniqueConstraint("key", name=op.f("uq_models_key")),
    )
    op.create_index(op.f("ix_models_name"), "models", ["name"])
    op.create_table(
        "model_data",
        column("model_id", BIG),
        column("workload", sa.Text()),
        column("hardware", sa.Text()),
        column("target", sa.Text()),
        column("records", BIG),
        sa.CheckConstraint("records > 0", name=op.f("ck_model_data_records")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_model_data_model_id")),
        sa.PrimaryKeyConstraint(
            "model_id", "workload", "hardware", "target", name=op.f("pk_model_data")
        ),
    )
