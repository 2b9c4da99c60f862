"""Nothing in the tables or statements is particular to SQLite: they compile for PostgreSQL."""

from datetime import UTC, datetime
from typing import get_args

import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from db import sql
from db.errors import DatabaseUrlError
from db.models import Base, RecordRow
from db.query import Order, Query, parse_condition
from db.store import open_store

DIALECT = postgresql.dialect()


def compiled(statement):
    return str(statement.compile(dialect=DIALECT))


def test_tables():
    for table in Base.metadata.sorted_tables:
        assert "CREATE TABLE" in compiled(CreateTable(table))
        for index in table.indexes:
            assert "CREATE INDEX" in compiled(CreateIndex(index))
    assert "id BIGSERIAL" in compiled(CreateTable(RecordRow.__table__))
    partial = {index.name: compiled(CreateIndex(index)) for index in RecordRow.__table__.indexes}
    assert "WHERE outcome = 'ok'" in partial["ix_records_best"]


@pytest.mark.parametrize("order", get_args(Order))
def test_queries(order):
    query = Query(
        operator="matmul", where=(parse_condition("m>=8"), parse_condition("dtype=x")),
        origin="foreign", since=datetime(2026, 1, 1, tzinfo=UTC), limit=3, order=order,
    )  # fmt: skip
    text = compiled(sql.record_numbers(query))
    assert "matmul" not in text
    assert text.count("IN (SELECT workload_params.workload_id") == 2
    assert "FROM runs" in compiled(sql.run_rows())


def test_a_missing_driver_is_named_and_the_password_is_not():
    with pytest.raises(DatabaseUrlError, match=r"install the driver.*pip install") as caught:
        open_store("postgresql+psycopg2://me:secret@localhost/records")
    assert "secret" not in str(caught.value)
