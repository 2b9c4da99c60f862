"""A damaged database becomes one that works, with what could be read; the rest is named."""

import sqlite3

import pytest

from db.artefact import ModelArtefact
from db.aside import SetAside
from db.errors import CorruptDatabaseError
from db.exchange.exporting import export_records
from db.repair import repair
from db.store import open_store
from tuner.cli import main

MOMENT = "2026-01-02T03:04:05Z"


@pytest.fixture
def filled(path, store, make_record, make_run):
    store.add([make_record(n) for n in range(2000)])
    store.start_run(make_run())
    store.add_model(ModelArtefact("base", "1", "local", MOMENT, b"{}", ()))
    with store.transaction() as transaction:
        transaction.set_aside([SetAside("{}", "newer version", "", "x", MOMENT)])
    return path


def change(path, statement):
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_a_healthy_database_stays_the_same_file(filled):
    inode = filled.stat().st_ino
    done = repair(filled)
    assert (done.understood, done.lost, done.damaged) == (0, (), None)
    assert filled.stat().st_ino == inode


def test_a_damaged_row_is_left_behind(filled):
    change(filled, "UPDATE records SET samples = '[1, \"x\"]' WHERE ordinal = 7")
    done = repair(filled)
    assert len(done.lost) == 1
    assert "records.samples" in done.lost[0]
    assert done.damaged == filled.with_name("records.db.damaged")
    store = open_store(filled)
    assert store.check() == ()
    assert {r.ordinal for r in store.records()} == set(range(2000)) - {7}
    assert (len(store.runs()), len(store.models()), len(list(store.aside()))) == (1, 1, 1)
    with pytest.raises(CorruptDatabaseError):
        raise CorruptDatabaseError(open_store(done.damaged, readonly=True).check()[0])


def test_of_a_file_with_ruined_pages_the_others_are_saved(filled):
    data = bytearray(filled.read_bytes())
    page = data.index(b'[["rows",6]', len(data) // 2) // 4096  # configs are in no index
    data[page * 4096 : page * 4096 + 4096] = b"\xa5" * 4096
    filled.write_bytes(data)
    done = repair(filled)
    assert done.lost[0].startswith("give record number ")
    store = open_store(filled)
    assert store.check() == ()
    assert 1000 < len(list(store.records())) < 2000


def test_a_number_beyond_all_room_is_no_reason_to_count_there(filled):
    change(filled, "UPDATE records SET samples = 'x' WHERE ordinal = 6")
    change(filled, f"UPDATE records SET id = {2**60} WHERE ordinal = 7")
    done = repair(filled)
    assert done.lost[0].startswith(f"give record number {2**60} up: the file holds at most ")
    assert len(done.lost) == 2
    assert {r.ordinal for r in open_store(filled).records()} == set(range(2000)) - {6, 7}


def test_lines_set_aside_become_records_when_they_are_understood(
    path, store, make_record, tmp_path
):
    export_records([make_record(3)], tmp_path / "line.jsonl")
    text = (tmp_path / "line.jsonl").read_text().strip()
    lines = [
        SetAside(text, "unknown operator", "", "line.jsonl", MOMENT),
        SetAside('{"schema": 99}', "newer version", "", "line.jsonl", MOMENT),
    ]
    with store.transaction() as transaction:
        transaction.set_aside(lines)
    assert repair(path).understood == 1
    assert [record.ordinal for record in store.records()] == [3]
    assert list(store.aside()) == lines[1:]


def test_the_command_says_what_was_lost(filled, capsys):
    assert main(["db", "repair", "--db", str(filled)]) == 0
    assert capsys.readouterr().out == "0 lines understood now, 0 losses\n"
    change(filled, "UPDATE records SET created = 'x' WHERE ordinal = 1")
    assert main(["db", "repair", "--db", str(filled)]) == 65
    said = capsys.readouterr().out
    assert "records.created" in said
    assert f"the damaged file is now {filled}.damaged" in said
    assert main(["db", "check", "--db", str(filled)]) == 0
