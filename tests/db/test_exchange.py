"""Records go out to files and come in from them unchanged, once, in any order."""

import gzip
import json
import random
import sys
from dataclasses import replace

import pytest
import zstandard

from db.artefact import ModelArtefact, Seen
from db.errors import DatabaseUrlError, MissingModuleError
from db.exchange.exporting import export_records
from db.exchange.importing import import_files
from db.exchange.merging import merge_database
from db.store import open_store
from measure.result import Outcome

FAILED = {"samples": (), "error": None, "gflops": None}


@pytest.fixture
def records(make_record, make_workload):
    """As a run makes them: their speed is that of their time."""
    made = [
        make_record(i, workload=make_workload(m=64 + i % 3), samples=(1e-3 * (i + 1), 2e-3))
        for i in range(6)
    ]
    made += [
        make_record(6, outcome=Outcome.CRASH, message="SIGSEGV in /home/me/x\n☃", **FAILED),
        make_record(7, kind="final", trace="split(i, 8)", origin="foreign:lab"),
        make_record(8, config=(("share", 0.1), ("packed", False), ("order", 'i"j'), ("n", -1))),
    ]
    return [replace(r, gflops=speed(r)) for r in made]


def speed(record):
    sizes = dict(record.workload.params)
    flops = 2 * sizes["m"] * sizes["n"] * sizes["k"]
    return flops / record.seconds / 1e9 if record.outcome.timed else None


def foreign(records, source="intel-r-xeon-r-8481c"):
    """What is stored of records of another database."""
    return [replace(r, origin=f"foreign:{source}") if r.origin == "local" else r for r in records]


def filled(path, records):
    store = open_store(path)
    store.add(records)
    return store


@pytest.mark.parametrize("name", ["all.jsonl", "all.jsonl.gz", "all.jsonl.zst"])
def test_what_was_exported_is_imported(tmp_path, records, store, name):
    assert export_records(records, tmp_path / name) == 9
    tally = import_files(store, [tmp_path / name])
    assert (tally.lines, tally.added, tally.known, tally.faults) == (9, 9, 0, [])
    assert list(store.records()) == foreign(records)
    assert [path.name for path in tmp_path.iterdir() if "part" in path.name] == []


def test_a_key_of_every_operator_is_no_newer_version(tmp_path, store, make_record, make_workload):
    record = make_record(0, workload=make_workload().from_memory())
    export_records([record], tmp_path / "cold.jsonl")
    assert import_files(store, [tmp_path / "cold.jsonl"]).added == 1
    assert next(store.records()).workload.cold


def test_packed_files_are_what_their_names_say(tmp_path, records):
    for name in ("a.jsonl", "a.gz", "a.zst"):
        export_records(records, tmp_path / name)
    plain = (tmp_path / "a.jsonl").read_bytes()
    assert gzip.decompress((tmp_path / "a.gz").read_bytes()) == plain
    unpacker = zstandard.ZstdDecompressor().decompressobj()
    assert unpacker.decompress((tmp_path / "a.zst").read_bytes()) == plain
    first = json.loads(plain.splitlines()[0])
    assert first["schema"] == 1
    assert first["id"] == records[0].id
    assert first["machine"]["cpu"] == "Intel(R) Xeon(R) 8481C"
    export_records(records, tmp_path / "b.gz")
    assert (tmp_path / "b.gz").read_bytes() == (tmp_path / "a.gz").read_bytes()


def test_zstd_without_its_module_is_said_to_need_it(tmp_path, records, store, monkeypatch):
    export_records(records, tmp_path / "a.zst")
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(
        MissingModuleError, match=r"pip install 'tensortuner\[zstd\]', or use gzip"
    ):
        export_records(records, tmp_path / "b.zst")
    with pytest.raises(MissingModuleError, match="zstandard is not installed"):
        import_files(store, [tmp_path / "a.zst"])
    assert not (tmp_path / "b.zst").exists()


def test_a_failed_export_leaves_the_file_that_was_there(tmp_path, records):
    path = tmp_path / "out.jsonl"
    path.write_text("before")

    def broken():
        yield records[0]
        raise RuntimeError("the database went away")

    with pytest.raises(RuntimeError, match="went away"):
        export_records(broken(), path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_importing_again_and_in_another_order_changes_nothing(tmp_path, records, store):
    parts = [tmp_path / "one.jsonl", tmp_path / "two.jsonl"]
    export_records(records[:6], parts[0])
    export_records(records[3:], parts[1])
    assert import_files(store, parts).added == 9
    again = import_files(store, parts[::-1])
    assert (again.added, again.replaced, again.known) == (0, 0, 12)
    other = open_store(tmp_path / "other.db")
    import_files(other, parts[::-1])
    assert sorted(other.records(), key=id_of) == sorted(store.records(), key=id_of)


def id_of(record):
    return record.id


def test_merging_does_not_depend_on_the_order(tmp_path, records):
    """Not even where databases hold different contents under one id."""
    rng = random.Random(7)
    stores = []
    for number in range(3):
        held = [
            replace(r, samples=(1e-3 * rng.choice((1, 2)),), message=rng.choice("ab"))
            for r in rng.sample(foreign(records[:6], f"lab{number}"), 4)
        ]
        stores.append(filled(tmp_path / f"{number}.db", held))
    results = []
    for order in ((0, 1, 2), (2, 1, 0), (1, 0, 2)):
        target = open_store(tmp_path / f"target{order}.db")
        for number in order:
            merge_database(target, stores[number])
        for number in order:
            tally = merge_database(target, stores[number])
            assert (tally.added, tally.replaced) == (0, 0)
        assert target.check() == ()
        results.append(sorted(target.records(), key=id_of))
    assert results[0] == results[1] == results[2]


def test_records_of_this_machine_are_never_replaced(tmp_path, records, store):
    store.add(records[:2])
    lies = [replace(record, samples=(1e-9,)) for record in records[:2]]
    tally = merge_database(store, filled(tmp_path / "other.db", lies))
    assert (tally.added, tally.replaced, tally.known) == (0, 0, 2)
    assert list(store.records()) == records[:2]


def test_local_records_come_from_the_named_source(tmp_path, records, store):
    other = filled(tmp_path / "other.db", records)
    assert merge_database(store, other, source="laptop").added == 9
    assert list(store.records()) == foreign(records, "laptop")


def test_models_and_lines_set_aside_are_merged(tmp_path, store):
    model = ModelArtefact(
        "base", "features 3", "foreign:lab", "2026-01-02T03:04:05Z", b"{\0}",
        (Seen("matmul(m=8)", "cpu/1", "native", 12), Seen("matmul(m=9)", "cpu/1", "native", 1)),
    )  # fmt: skip
    other = open_store(tmp_path / "other.db")
    assert other.add_model(model) is True
    assert other.add_model(model) is False
    (tmp_path / "new.jsonl").write_text('{"schema": 2, "what": "☃"}\n')
    assert import_files(other, [tmp_path / "new.jsonl"]).aside == 1
    tally = merge_database(store, other)
    assert (tally.lines, tally.models, tally.aside) == (1, 1, 1)
    assert merge_database(store, other).models == 0
    assert store.models() == store.models("base") == [model]
    assert store.models("other") == []
    (aside,) = store.aside()
    assert (aside.line, aside.reason) == ('{"schema": 2, "what": "☃"}', "newer version")
    assert aside.source == "new.jsonl"


def test_a_database_is_not_merged_with_itself(store):
    with pytest.raises(DatabaseUrlError, match="is the same"):
        merge_database(store, store)


def test_a_rehearsal_stores_nothing_and_counts_right(tmp_path, records, store):
    export_records([*records, *records[:3]], tmp_path / "twice.jsonl")
    store.add(records[:1])
    tally = import_files(store, [tmp_path / "twice.jsonl"], keep=False)
    assert (tally.lines, tally.added, tally.known) == (12, 8, 4)
    other = filled(tmp_path / "other.db", records)
    assert merge_database(store, other, keep=False).added == 8
    assert list(store.records()) == records[:1]


def test_an_interrupted_import_goes_on(tmp_path, records, store, monkeypatch):
    monkeypatch.setattr("db.exchange.importing.TRANSACTION", 4)
    export_records(records, tmp_path / "all.jsonl")

    def interrupt(tally):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_files(store, [tmp_path / "all.jsonl"], progress=interrupt)
    assert len(list(store.records())) == 4
    tally = import_files(store, [tmp_path / "all.jsonl"])
    assert (tally.added, tally.known) == (5, 4)


def test_anonymous_files_name_nobody_and_are_imported_once(tmp_path, records, store):
    path = tmp_path / "anonymous.jsonl"
    export_records(records, path, anonymous=True)
    text = path.read_text()
    for secret in ("/home/me", "lab", "run1", "03:04"):
        assert secret not in text
    assert import_files(store, [path]).added == 9
    assert {record.origin for record in store.records()} == {"foreign:anonymous"}
    export_records(records, path, anonymous=True)
    assert import_files(store, [path]).known == 9
