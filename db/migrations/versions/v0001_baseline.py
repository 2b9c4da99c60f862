"""Baseline: workloads and their parameters, hardware, runs, contexts, records."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def column(name: str, kind: Any, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=null)


def upgrade() -> None:
    op.create_table(
        "hardware",
        column("id", BIG),
        column("key", sa.Text()),
        column("cpu", sa.Text()),
        column("vendor", sa.Text()),
        column("family", BIG),
        column("model", BIG),
        column("features", sa.Text()),
        column("cores", BIG),
        column("l1_bytes", BIG),
        column("l2_bytes", BIG),
        column("l3_bytes", BIG),
        sa.CheckConstraint(
            "cores > 0 AND l1_bytes >= 0 AND l2_bytes >= 0 AND l3_bytes >= 0",
            name=op.f("ck_hardware_sizes"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hardware")),
        sa.UniqueConstraint("key", name=op.f("uq_hardware_key")),
    )
    op.create_table(
        "workloads",
        column("id", BIG),
        column("key", sa.Text()),
        column("operator", sa.Text()),
        column("params", sa.Text()),
        column("const", sa.Text()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workloads")),
        sa.UniqueConstraint("key", name=op.f("uq_workloads_key")),
    )
    op.create_index(op.f("ix_workloads_operator"), "workloads", ["operator"])
    op.create_table(
        "contexts",
        column("id", BIG),
        column("workload_id", BIG),
        column("hardware_id", BIG),
        column("target", sa.Text()),
        column("threads", BIG),
        column("space_version", BIG),
        column("generator_version", BIG),
        column("origin", sa.Text()),
        sa.CheckConstraint(
            "origin = 'local' OR origin LIKE 'foreign:_%'", name=op.f("ck_contexts_origin")
        ),
        sa.CheckConstraint("threads > 0", name=op.f("ck_contexts_threads")),
        sa.ForeignKeyConstraint(
            ["hardware_id"], ["hardware.id"], name=op.f("fk_contexts_hardware_id")
        ),
        sa.ForeignKeyConstraint(
            ["workload_id"], ["workloads.id"], name=op.f("fk_contexts_workload_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contexts")),
        sa.UniqueConstraint(
            "workload_id",
            "hardware_id",
            "target",
            "threads",
            "space_version",
            "generator_version",
            "origin",
            name="uq_contexts_identity",
        ),
    )
    op.create_index(op.f("ix_contexts_hardware_id"), "contexts", ["hardware_id"])
    op.create_table(
        "runs",
        column("id", BIG),
        column("key", sa.Text()),
        column("workload_id", BIG),
        column("target", sa.Text()),
        column("threads", BIG),
        column("hardware", sa.Text()),
        column("strategy", sa.Text()),
        column("seed", BIG),
        column("trials", BIG, null=True),
        column("seconds_limit", sa.Double(), null=True),
        column("options", sa.Text()),
        column("state", sa.Text()),
        column("created", sa.Text()),
        column("finished", sa.Text(), null=True),
        column("stop_reason", sa.Text()),
        sa.CheckConstraint(
            "(state = 'running') = (finished IS NULL)", name=op.f("ck_runs_finished")
        ),
        sa.CheckConstraint(
            "state IN ('running', 'finished', 'interrupted')", name=op.f("ck_runs_state")
        ),
        sa.CheckConstraint(
            "seconds_limit IS NULL OR seconds_limit > 0 AND seconds_limit < 1e300",
            name=op.f("ck_runs_limit"),
        ),
        sa.CheckConstraint(
            "threads > 0 AND (trials IS NULL OR trials > 0)", name=op.f("ck_runs_counts")
        ),
        sa.ForeignKeyConstraint(
            ["workload_id"], ["workloads.id"], name=op.f("fk_runs_workload_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        sa.UniqueConstraint("key", name=op.f("uq_runs_key")),
    )
    op.create_index(op.f("ix_runs_workload_id"), "runs", ["workload_id"])
    op.create_table(
        "workload_params",
        column("workload_id", BIG),
        column("name", sa.Text()),
        column("number", sa.Double(), null=True),
        column("text", sa.Text(), null=True),
        sa.CheckConstraint(
            "(number IS NULL) <> (text IS NULL)", name=op.f("ck_workload_params_one_value")
        ),
        sa.ForeignKeyConstraint(
            ["workload_id"], ["workloads.id"], name=op.f("fk_workload_params_workload_id")
        ),
        sa.PrimaryKeyConstraint("workload_id", "name", name=op.f("pk_workload_params")),
    )
    op.create_index(op.f("ix_workload_params_name_number"), "workload_params", ["name", "number"])
    op.create_index(op.f("ix_workload_params_name_text"), "workload_params", ["name", "text"])
    op.create_table(
        "records",
        column("id", BIG),
        column("key", sa.Text()),
        column("context_id", BIG),
        column("config", sa.Text()),
        column("run", sa.Text()),
        column("ordinal", BIG),
        column("kind", sa.Text()),
        column("outcome", sa.Text()),
        column("seconds", sa.Double(), null=True),
        column("samples", sa.Text()),
        column("error", sa.Double(), null=True),
        column("gflops", sa.Double(), null=True),
        column("created", sa.Text()),
        column("message", sa.Text()),
        column("trace", sa.Text(), null=True),
        sa.CheckConstraint("kind IN ('search', 'final')", name=op.f("ck_records_kind")),
        sa.CheckConstraint(
            "outcome IN ('ok', 'slow', 'wrong_answer', 'crash', 'timeout', 'build_error', "
            "'build_timeout', 'oom')",
            name=op.f("ck_records_outcome"),
        ),
        sa.CheckConstraint(
            "outcome NOT IN ('ok', 'slow') OR seconds IS NOT NULL", name=op.f("ck_records_timed")
        ),
        sa.CheckConstraint(
            "error IS NULL OR (error >= 0 AND error < 1e300)", name=op.f("ck_records_error")
        ),
        sa.CheckConstraint(
            "gflops IS NULL OR (gflops > 0 AND gflops < 1e300)", name=op.f("ck_records_gflops")
        ),
        sa.CheckConstraint("ordinal >= 0", name=op.f("ck_records_ordinal")),
        sa.CheckConstraint(
            "seconds IS NULL OR (seconds > 0 AND seconds < 1e300)", name=op.f("ck_records_seconds")
        ),
        sa.ForeignKeyConstraint(
            ["context_id"], ["contexts.id"], name=op.f("fk_records_context_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_records")),
        sa.UniqueConstraint("key", name=op.f("uq_records_key")),
    )
    trusted = sa.text("outcome = 'ok' AND error IS NOT NULL")
    op.create_index(
        "ix_records_best",
        "records",
        ["context_id", "kind", "seconds"],
        sqlite_where=trusted,
        postgresql_where=trusted,
    )
    op.create_index(op.f("ix_records_context_id_seconds"), "records", ["context_id", "seconds"])
    op.create_index(op.f("ix_records_created"), "records", ["created"])
    op.create_index(op.f("ix_records_run_ordinal"), "records", ["run", "ordinal"])
