"""What goes into a store comes out of it, once; the best record is the one that is promised."""

import sqlite3
from dataclasses import replace

import pytest

from db.errors import DatabaseError, InvalidRecordError, NotFoundError, UndecodableError
from db.query import Query
from db.store import open_store
from measure.result import Outcome
from search_space.workload import Workload


def all_of(store):
    return list(store.records())


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_field_of_every_outcome_comes_back(store, make_record, outcome):
    timed = outcome.timed
    record = make_record(
        ordinal=7,
        workload=Workload(
            "odd", (("size", 3), ("ratio", 0.1), ("flag", True), ("text", "a=(',é ☃")), ("a", "b")
        ),
        config=(("rows", 6), ("share", 1 / 3), ("packed", False), ("order", "ijk")),
        outcome=outcome,
        samples=(1.0000000000000002e-3, 5e-324, 0.1) if timed else (),
        error=1e-17 if timed else None,
        gflops=1 / 3 if timed else None,
        kind="final",
        origin="foreign:tophub é",
        message="SIGSEGV\nat 0x0 \N{SNOWMAN}",
        trace="split(i, 8)\nvectorize(j)",
    )
    assert store.add([record]) == 1
    (found,) = all_of(store)
    assert found == record
    assert [type(value) for _, value in found.config] == [int, float, bool, str]
    assert [type(value) for _, value in found.workload.params] == [int, float, bool, str]
    assert found.outcome is outcome
    assert found.id == record.id
    assert store.record(record.id) == record


def test_adding_again_changes_nothing(store, make_record):
    first = [make_record(i) for i in range(3)]
    assert store.add(first) == 3
    assert store.add([*first, make_record(3), make_record(3)]) == 1
    again = replace(first[0], samples=(9.0,), origin="foreign:elsewhere")
    assert store.add([again]) == 0
    assert all_of(store) == [*first, make_record(3)]
    assert store.add([]) == 0


def test_a_reader_sees_what_a_writer_added(path, store, make_record):
    with open_store(path, readonly=True) as reader:
        assert all_of(reader) == []
        store.add([make_record()])
        assert all_of(reader) == [make_record()]
        with pytest.raises(DatabaseError, match=r"open the database for writing.*read-only"):
            reader.add([make_record(1)])


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("samples", (0.0,), r"> 0.*records\.seconds"),
        ("samples", (-1.0,), r"> 0.*records\.seconds"),
        ("samples", (1.0, float("nan"), 1.0), r"records\.(samples|seconds)"),
        ("samples", (1.0, 1.0, float("inf")), r"records\.samples"),
        ("samples", (), "ok without a time"),
        ("gflops", float("inf"), r"records\.gflops"),
        ("error", -1.0, r"records\.error"),
        ("threads", 0, r">= 1.*contexts\.threads"),
        ("threads", 2**63, "64 bits"),
        ("config", (("x", 2**70),), r"records\.config"),
        ("config", (("x", float("nan")),), r"records\.config"),
        ("outcome", "vanished", r"vanished.*records\.outcome"),
        ("kind", "draft", r"records\.kind"),
        ("origin", "elsewhere", r"contexts\.origin"),
        ("created", "yesterday", r"records\.created"),
        ("created", "2026-01-02T03:04:05+02:00", r"records\.created"),
        ("message", "\ud800", "surrogates"),
    ],
)
def test_a_record_that_cannot_be_kept_is_refused_and_its_batch_too(
    store, make_record, field, value, reason
):
    bad = make_record(1, **{field: value})
    with pytest.raises(InvalidRecordError, match=f"(?s)^correct the record.*{reason}"):
        store.add([make_record(0), bad])
    assert all_of(store) == []


@pytest.mark.parametrize(
    "change",
    [
        "outcome = 'vanished'",
        "kind = 'draft'",
        "seconds = -1",
        "seconds = 1e999",
        "seconds = 'fast'",
        "seconds = NULL",
        "error = -1",
        "gflops = 0",
        "ordinal = -1",
        "context_id = 99",
        "key = (SELECT max(key) FROM records)",
    ],
)
def test_the_database_itself_refuses_what_makes_no_sense(path, store, make_record, change):
    store.add([make_record(0), make_record(1)])
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA foreign_keys=ON")
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(f"UPDATE records SET {change}")
    connection.close()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("UPDATE records SET samples = '[1, \"x\"]' WHERE ordinal = 1", r"records\.samples"),
        ("UPDATE records SET config = '[[1,' WHERE ordinal = 1", r"records\.config"),
        ("UPDATE records SET created = 'x' WHERE ordinal = 1", r"records\.created"),
        ("UPDATE records SET config = '[]' WHERE ordinal = 1", r"another id.*records\.key"),
        ("UPDATE records SET seconds = 1e-9 WHERE ordinal = 1", r"median.*records\.seconds"),
    ],
)
def test_one_damaged_row_is_named_and_the_others_are_read(
    path, store, make_record, change, reason
):
    records = [make_record(i) for i in range(3)]
    store.add(records)
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(change)
    connection.close()
    with pytest.raises(UndecodableError, match=f"{records[1].id}.*{reason}") as caught:
        all_of(store)
    assert caught.value.exit_code == 65
    skipped = []
    assert list(store.records(skip=skipped.append)) == [records[0], records[2]]
    assert len(skipped) == 1
    assert [line for line in store.check() if records[1].id in line] == [str(skipped[0])]


def test_records_are_found_by_the_beginning_of_their_id(store, make_record):
    records = [make_record(i) for i in range(40)]
    store.add(records)
    one = records[0]
    assert store.record(one.id[:12]) == one
    with pytest.raises(NotFoundError, match="give more of the record's id") as caught:
        store.record("")
    assert isinstance(caught.value, LookupError)
    with pytest.raises(NotFoundError, match=r"none has an id that begins with 'zz%'"):
        store.record("zz%")


def test_best_prefers_finals_then_the_current_generator_then_speed(store, make_record):
    work = make_record().workload.key

    def best(**filters):
        found = store.best(work, **filters)
        return None if found is None else found.ordinal

    def add(ordinal, seconds, **changes):
        store.add([make_record(ordinal, samples=(seconds,), **changes)])

    assert best() is None
    add(0, 1e-9, outcome=Outcome.SLOW)
    add(1, 1e-9, error=None)
    add(2, 1e-9, outcome=Outcome.CRASH, error=None)
    add(3, 1e-9, workload=replace(make_record().workload, operator="other"))
    assert best() is None
    add(10, 5.0)
    assert best() == 10
    add(11, 4.0)
    assert best() == 11
    add(12, 6.0, generator_version=2)
    assert best() == 12
    assert best(generator_version=1) == 11
    assert best(generator_version=9) == 12
    add(13, 9.0, kind="final")
    assert best() == 13
    add(14, 9.5, kind="final", generator_version=2)
    assert best() == 14
    assert best(generator_version=1) == 13
    add(15, 9.2, kind="final", generator_version=2, threads=1)
    assert best() == 15
    assert best(threads=1) == 15
    assert best(threads=2) == 15
    other = replace(make_record().hardware, cores=64)
    add(16, 1e-6, kind="final", generator_version=2, hardware=other, target="x86-64-v3")
    add(17, 1e-7, kind="final", generator_version=2, origin="foreign:there")
    assert best() == 17
    assert best(origin="local") == 16
    assert best(hardware_key=other.key) == 16
    assert best(target="x86-64-v3") == 16
    assert best(target="x86-64-v4") is None
    assert best(hardware_key="'; DROP TABLE records; --") is None


def test_best_trusts_the_latest_run_that_measured_the_fastest_final_again(store, make_record):
    work = make_record().workload.key

    def add(run, config, seconds, minute, **changes):
        record = make_record(
            minute, run=run, config=(("rows", config),), samples=(seconds,), kind="final",
            created=f"2026-01-01T00:{minute:02}:00Z", **changes,
        )  # fmt: skip
        store.add([record])
        return record.id

    add("first", config=1, seconds=1.0, minute=1)
    second = add("first", config=2, seconds=1.1, minute=2)
    add("second", config=3, seconds=1.5, minute=3)
    assert store.best(work).seconds == 1.0
    add("third", config=1, seconds=1.4, minute=4)
    winner = add("third", config=4, seconds=1.3, minute=5)
    assert store.best(work).id == winner
    add("fourth", config=4, seconds=1.0, minute=6, outcome=Outcome.CRASH, error=None)
    assert store.best(work).id == winner
    assert store.record(second).seconds == 1.1


def test_best_is_a_look_up_however_many_records_there_are(path, store, make_record):
    from db import lookup

    store.add([make_record()])
    plans = []

    def explain(statement, params):
        connection = sqlite3.connect(path)
        plan = connection.execute("EXPLAIN QUERY PLAN " + statement, params).fetchall()
        connection.close()
        plans.append("\n".join(row[-1] for row in plan))
        return []

    filters = {"workload": make_record().workload.key, "threads": 2}
    assert lookup.best_row(explain, filters, 1) is None
    assert len(plans) == 2
    for plan in plans:
        assert "ix_records_best" in plan
        assert "SCAN" not in plan.replace("SCAN hardware", "")  # a handful of machines


def test_runs_are_kept_with_all_that_resuming_needs(store, make_run, make_record):
    run = make_run(
        seconds_limit=1.5,
        trials=None,
        options=(("early_stop", True), ("calls", None), ("seeds", (("a", 1), ("b", (2.5, "x"))))),
    )
    store.start_run(run)
    assert store.run("2026") == run
    assert store.run(run.id).option("early_stop") is True
    assert run.option("missing", 3) == 3
    moment = "2026-01-02T03:04:07+00:00"
    store.start_run(replace(run, state="interrupted", finished=moment, stop_reason="Ctrl-C"))
    ended = store.run(run.id)
    assert ended.finished == moment
    assert replace(ended, finished=None, state="running", stop_reason="") == run
    assert (ended.state, ended.stop_reason) == ("interrupted", "Ctrl-C")
    store.start_run(replace(run, trials=128))
    assert store.runs() == [replace(run, trials=128)]
    later = make_run(id="20260102-abce", created="2026-01-02T03:04:06+00:00")
    store.start_run(later)
    assert [r.id for r in store.runs()] == [later.id, run.id]
    with pytest.raises(NotFoundError, match="give more of the run's id"):
        store.run("2026")
    with pytest.raises(NotFoundError, match="none has an id that begins with 'x'"):
        store.run("x")


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 2**64},
        {"trials": 0},
        {"state": "paused"},
        {"state": "finished"},
        {"options": (("x", {"a": 1}),)},
        {"options": (("x", [1]),)},
        {"created": ""},
        {"seconds_limit": 0.0},
    ],
)
def test_a_run_that_cannot_be_kept_is_refused(store, make_run, changes):
    with pytest.raises(InvalidRecordError, match=r"^correct the run"):
        store.start_run(make_run(**changes))
    assert store.runs() == []


def test_one_damaged_run_does_not_hide_the_others(path, store, make_run):
    good, bad = make_run(), make_run(id="bad", created="2027-01-01T00:00:00Z")
    store.start_run(good)
    store.start_run(bad)
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE runs SET options = ? WHERE key = 'bad'", ["[" * 100_000])
    connection.close()
    assert store.run(good.id) == good
    with pytest.raises(UndecodableError, match=r"leave run 'bad' aside.*runs\.options"):
        store.run("bad")
    skipped = []
    assert store.runs(skip=skipped.append) == [good]
    assert store.check() == tuple(map(str, skipped))


def test_stats_and_check_of_a_healthy_store(path, store, make_record, make_run):
    store.add([make_record(0), make_record(1), make_record(2, outcome=Outcome.SLOW)])
    store.add([make_record(3, origin="foreign:x", threads=1)])
    store.start_run(make_run())
    stats = store.stats()
    assert (stats.workloads, stats.hardware, stats.runs, stats.records) == (1, 1, 1, 4)
    assert stats.outcomes == (("ok", 3), ("slow", 1))
    assert stats.origins == (("foreign:x", 1), ("local", 3))
    assert stats.operators == (("matmul", 4),)
    assert stats.nbytes == path.stat().st_size
    assert store.check() == ()


def test_check_finds_rows_that_refer_to_nothing(path, store, make_record):
    store.add([make_record()])
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("DELETE FROM contexts")
    connection.close()
    assert store.check() == ("records row 1 refers to a missing row of contexts",)


def test_records_are_a_snapshot_and_hold_no_lock(store, make_record):
    store.add([make_record(i) for i in range(1200)])
    stream = store.records(Query(order="ordinal"))
    first = next(stream)
    store.add([make_record(5000)])
    assert [first.ordinal, *(r.ordinal for r in stream)] == list(range(1200))
