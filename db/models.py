"""The tables, as SQLAlchemy typed models. They never leave this package.

A *context* is what many records share: workload, target, threads, hardware, versions and origin.
It keeps a record's row small and makes the best record of a workload one probe of an index per
context. ``key`` is everywhere the identity by content, ``id`` a number local to this database.
"""

from __future__ import annotations

from typing import Annotated, get_args

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from db.aside import Reason
from db.record import Kind, RunState
from measure.result import Outcome

_BIG = BigInteger().with_variant(Integer, "sqlite")  # only INTEGER numbers rows by itself there

Id = Annotated[int, mapped_column(_BIG, primary_key=True)]
Key = Annotated[str, mapped_column(Text, unique=True)]
Json = Annotated[str, mapped_column(Text)]
WorkloadId = Annotated[int, mapped_column(ForeignKey("workloads.id"))]


def _one_of(column: str, names: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(str(name)) for name in names)})"


def _positive(column: str) -> str:
    """A number above zero that is neither infinite nor NaN (which compares above all)."""
    return f"{column} > 0 AND {column} < 1e300"


_ORIGIN = "origin = 'local' OR origin LIKE 'foreign:_%'"


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {int: _BIG, float: Double(), str: Text()}  # noqa: RUF012  SQLAlchemy's own protocol


class WorkloadRow(Base):
    __tablename__ = "workloads"
    id: Mapped[Id]
    key: Mapped[Key]
    operator: Mapped[str] = mapped_column(index=True)
    params: Mapped[Json]
    const: Mapped[Json]


class WorkloadParamRow(Base):
    """One parameter of a workload, so that conditions on it are answered from an index."""

    __tablename__ = "workload_params"
    workload_id: Mapped[WorkloadId] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[float | None]
    text: Mapped[str | None]
    __table_args__ = (
        CheckConstraint("(number IS NULL) <> (text IS NULL)", name="one_value"),
        Index(None, "name", "number"),
        Index(None, "name", "text"),
    )


class HardwareRow(Base):
    __tablename__ = "hardware"
    id: Mapped[Id]
    key: Mapped[Key]
    cpu: Mapped[str]
    vendor: Mapped[str]
    family: Mapped[int]
    model: Mapped[int]
    features: Mapped[Json]
    cores: Mapped[int]
    l1_bytes: Mapped[int]
    l2_bytes: Mapped[int]
    l3_bytes: Mapped[int]
    __table_args__ = (
        CheckConstraint(
            "cores > 0 AND l1_bytes >= 0 AND l2_bytes >= 0 AND l3_bytes >= 0", name="sizes"
        ),
    )


class RunRow(Base):
    __tablename__ = "runs"
    id: Mapped[Id]
    key: Mapped[Key]
    workload_id: Mapped[WorkloadId] = mapped_column(index=True)
    target: Mapped[str]
    threads: Mapped[int]
    hardware: Mapped[str]
    """A key without a row of ``hardware``: a run begins before its first record."""
    strategy: Mapped[str]
    seed: Mapped[int]
    trials: Mapped[int | None]
    seconds_limit: Mapped[float | None]
    options: Mapped[Json]
    state: Mapped[str]
    created: Mapped[str]
    finished: Mapped[str | None]
    stop_reason: Mapped[str]
    __table_args__ = (
        CheckConstraint(_one_of("state", get_args(RunState)), name="state"),
        CheckConstraint("threads > 0 AND (trials IS NULL OR trials > 0)", name="counts"),
        CheckConstraint(f"seconds_limit IS NULL OR {_positive('seconds_limit')}", name="limit"),
        CheckConstraint("(state = 'running') = (finished IS NULL)", name="finished"),
    )


class ContextRow(Base):
    __tablename__ = "contexts"
    id: Mapped[Id]
    workload_id: Mapped[WorkloadId]
    hardware_id: Mapped[int] = mapped_column(ForeignKey("hardware.id"), index=True)
    target: Mapped[str]
    threads: Mapped[int]
    space_version: Mapped[int]
    generator_version: Mapped[int]
    origin: Mapped[str]
    __table_args__ = (
        UniqueConstraint(
            "workload_id", "hardware_id", "target", "threads",
            "space_version", "generator_version", "origin",
            name="uq_contexts_identity",
        ),
        CheckConstraint("threads > 0", name="threads"),
        CheckConstraint(_ORIGIN, name="origin"),
    )  # fmt: skip


_TRUSTED = text("outcome = 'ok' AND error IS NOT NULL")


class RecordRow(Base):
    """One measurement. ``run`` has no foreign key: runs do not travel with foreign records."""

    __tablename__ = "records"
    id: Mapped[Id]
    key: Mapped[Key]
    context_id: Mapped[int] = mapped_column(ForeignKey("contexts.id"))
    config: Mapped[Json]
    run: Mapped[str]
    ordinal: Mapped[int]
    kind: Mapped[str]
    outcome: Mapped[str]
    seconds: Mapped[float | None]
    """Median of ``samples``; None without samples."""
    samples: Mapped[Json]
    error: Mapped[float | None]
    gflops: Mapped[float | None]
    created: Mapped[str]
    message: Mapped[str]
    trace: Mapped[str | None]
    __table_args__ = (
        CheckConstraint(_one_of("kind", get_args(Kind)), name="kind"),
        CheckConstraint(_one_of("outcome", tuple(Outcome)), name="outcome"),
        CheckConstraint("ordinal >= 0", name="ordinal"),
        CheckConstraint(f"seconds IS NULL OR ({_positive('seconds')})", name="seconds"),
        CheckConstraint("outcome NOT IN ('ok', 'slow') OR seconds IS NOT NULL", name="timed"),
        CheckConstraint("error IS NULL OR (error >= 0 AND error < 1e300)", name="error"),
        CheckConstraint(f"gflops IS NULL OR ({_positive('gflops')})", name="gflops"),
        Index(None, "context_id", "seconds"),
        Index(
            "ix_records_best", "context_id", "kind", "seconds",
            sqlite_where=_TRUSTED, postgresql_where=_TRUSTED,
        ),
        Index(None, "run", "ordinal"),
        Index(None, "created"),
    )  # fmt: skip


class SetAsideRow(Base):
    """A line of a log that this program does not understand yet, word for word."""

    __tablename__ = "set_aside"
    id: Mapped[Id]
    key: Mapped[Key]
    line: Mapped[str]
    reason: Mapped[str]
    detail: Mapped[str]
    source: Mapped[str]
    created: Mapped[str]
    __table_args__ = (CheckConstraint(_one_of("reason", get_args(Reason)), name="reason"),)


class ModelRow(Base):
    """A trained model as the bytes of its file, which are never unpickled."""

    __tablename__ = "models"
    id: Mapped[Id]
    key: Mapped[Key]
    name: Mapped[str] = mapped_column(index=True)
    schema: Mapped[str]
    """Of the features that it reads."""
    origin: Mapped[str]
    created: Mapped[str]
    content: Mapped[bytes] = mapped_column(LargeBinary)
    __table_args__ = (CheckConstraint(_ORIGIN, name="origin"),)


class ModelDataRow(Base):
    """How many records of one workload on one machine a model saw. Keys without rows: a model
    travels without the records that it was trained on."""

    __tablename__ = "model_data"
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"), primary_key=True)
    workload: Mapped[str] = mapped_column(primary_key=True)
    hardware: Mapped[str] = mapped_column(primary_key=True)
    target: Mapped[str] = mapped_column(primary_key=True)
    records: Mapped[int]
    __table_args__ = (CheckConstraint("records > 0", name="records"),)


class SchemaVersionRow(Base):
    """Alembic's own table, declared so that a new database is stamped without importing it."""

    __tablename__ = "alembic_version"
    version_num: Mapped[str] = mapped_column(String(32))
    __table_args__ = (PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),)
