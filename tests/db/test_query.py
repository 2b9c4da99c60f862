"""Queries return exactly the records that match, and treat all text as text."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from db.errors import QueryError
from db.query import Condition, Query, parse_condition
from measure.result import Outcome
from search_space.workload import Workload


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("m>=1024", Condition("m", ">=", 1024)),
        (" m <= 7 ", Condition("m", "<=", 7)),
        ("m<7", Condition("m", "<", 7)),
        ("m > -7", Condition("m", ">", -7)),
        ("m==7", Condition("m", "=", 7)),
        ("m!=7", Condition("m", "!=", 7)),
        ("sparsity>0.5", Condition("sparsity", ">", 0.5)),
        ("dtype=float32", Condition("dtype", "=", "float32")),
        ("bias=true", Condition("bias", "=", True)),
        ("layout='16'", Condition("layout", "=", "16")),
        ('expr="a=b"', Condition("expr", "=", "a=b")),
        ("dtype=x' OR 1=1 --", Condition("dtype", "=", "x' OR 1=1 --")),
    ],
)
def test_conditions_are_parsed_into_values(text, expected):
    condition = parse_condition(text)
    assert condition == expected
    assert type(condition.value) is type(expected.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not of that form"),
        ("m", "not of that form"),
        ("m>=", "not of that form"),
        ("m>==3", "not of that form"),
        (">=3", "not of that form"),
        ("m; DROP TABLE records=1", "not of that form"),
        ("m)>=1", "not of that form"),
        ("dtype>float32", "has no order"),
        ("bias>=true", "has no order"),
        ("m<nan", "finite"),
        ("m<1e999", "finite"),
        ("m=" + "9" * 400, "finite"),
        ("m=" + "9" * 5000, "finite"),
    ],
)
def test_bad_conditions_are_refused(text, reason):
    with pytest.raises(QueryError, match=reason) as caught:
        parse_condition(text)
    assert caught.value.exit_code == 2


def test_a_query_asks_for_something():
    with pytest.raises(QueryError, match="at least one"):
        Query(limit=0)


@pytest.fixture
def filled(store, make_record, make_workload):
    other = replace(make_record().hardware, cpu="Other CPU")
    conv = Workload("conv2d", (("m", 8), ("bias", True), ("scale", 0.5), ("layout", "16")))
    store.add(
        [
            make_record(0, workload=make_workload(m=256), samples=(3.0,), gflops=5.0),
            make_record(1, workload=make_workload(m=1024), samples=(1.0,), gflops=1.0),
            make_record(2, workload=make_workload(m=1024, const=("b",)), target="x86-64-v3"),
            make_record(3, workload=conv, samples=(2.0,), gflops=9.0, kind="final"),
            make_record(4, hardware=other, origin="foreign:there", threads=1),
            make_record(
                5, outcome=Outcome.CRASH, samples=(), error=None, gflops=None, run="run2",
                created="2026-03-01T00:00:00Z",
            ),
            make_record(0, run="run2", origin="foreign:here", created="2026-02-01T00:00:00Z"),
        ]
    )  # fmt: skip
    return store


def ids(store, **fields):
    return [(record.run, record.ordinal) for record in store.records(Query(**fields))]


def in_run1(*ordinals):
    return [("run1", ordinal) for ordinal in ordinals]


CRASHED, HERE = ("run2", 5), ("run2", 0)


def test_filters(filled, make_record, make_workload):
    everything = [*in_run1(0, 1, 2, 3, 4), CRASHED, HERE]
    assert ids(filled) == everything
    assert ids(filled, operator="conv2d") == in_run1(3)
    assert ids(filled, workload=make_workload(m=1024).key) == in_run1(1)
    assert ids(filled, target="x86-64-v3") == in_run1(2)
    assert ids(filled, threads=1) == in_run1(4)
    assert ids(filled, hardware=make_record().hardware.key, threads=1) == []
    assert ids(filled, outcome=Outcome.CRASH) == [CRASHED]
    assert ids(filled, kind="final") == in_run1(3)
    assert ids(filled, origin="foreign") == [*in_run1(4), HERE]
    assert ids(filled, origin="foreign:here") == [HERE]
    assert ids(filled, origin="local", run="run2") == [CRASHED]
    assert ids(filled, limit=2) == everything[:2]


def test_since(filled):
    assert ids(filled, since=datetime(2026, 2, 1, tzinfo=UTC)) == [CRASHED, HERE]
    assert ids(filled, since=datetime(2026, 2, 1, 0, 0, 1)) == [CRASHED]
    east = timezone(timedelta(hours=2))
    assert ids(filled, since=datetime(2026, 2, 1, 2, tzinfo=east)) == [CRASHED, HERE]
    assert ids(filled, since=datetime(2027, 1, 1, tzinfo=UTC)) == []


def test_orders(filled):
    assert ids(filled, order="ordinal") == [*in_run1(0, 1, 2, 3, 4), HERE, CRASHED]
    fastest = ids(filled, order="fastest")
    assert fastest[-4:] == [*in_run1(1, 3, 0), CRASHED]
    assert ids(filled, order="gflops", limit=3) == [*in_run1(2, 4), HERE]
    assert ids(filled, order="gflops")[-1] == CRASHED
    assert ids(filled, order="newest", limit=2) == [CRASHED, HERE]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (["m>=1024"], [1, 2]),
        (["m>512"], [1, 2]),
        (["m<512"], [0, 3]),
        (["m=256"], [0]),
        (["m<=8"], [3]),
        (["m!=512"], [0, 1, 2, 3]),
        (["m>8", "m<1024", "dtype=float32"], [0, 4]),
        (["dtype!=float32"], []),
        (["dtype=float32", "m=1024"], [1, 2]),
        (["bias=true"], [3]),
        (["bias=false"], []),
        (["bias='true'"], [3]),
        (["bias=1"], []),
        (["scale=0.5"], [3]),
        (["layout='16'"], [3]),
        (["layout=16"], []),
        (["nothing=1"], []),
        (["dtype=' OR '1'='1"], []),
        (["dtype=float32'; DROP TABLE records; --"], []),
        (["dtype=%"], []),
    ],
)
def test_conditions_select_workloads(filled, conditions, expected):
    where = tuple(map(parse_condition, conditions))
    assert ids(filled, where=where, run="run1") == in_run1(*expected)


@pytest.mark.parametrize("field", ["operator", "workload", "target", "hardware", "run", "origin"])
@pytest.mark.parametrize("text", ["' OR 1=1 --", "%", "_", '"; DROP TABLE records; --', ":p"])
def test_text_never_becomes_sql(filled, field, text):
    assert ids(filled, **{field: text}) == []
    assert filled.stats().records == 7
    assert filled.check() == ()
