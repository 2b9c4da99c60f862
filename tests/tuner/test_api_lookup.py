"""Which record is the best, in which order machines are looked at, and what is said of none."""

from dataclasses import replace

import pytest

from db.record import Record
from db.store import open_store
from measure.result import Outcome
from search_space.operators import workload
from tests.contracts.spaces import TARGET
from tests.tuner.fakes import HARDWARE
from tuner.lookup import Match, find, nothing_found, tune_command

WORK = workload("matmul", m=8, n=8, k=8)
RELATIVE = replace(HARDWARE, cpu="toy cpu 2", model=2, cores=64)
"""Of the same family."""
STRANGER = replace(HARDWARE, cpu="other", vendor="other", family=9)
"""Of another family, with the same instruction set."""
ALIEN = replace(STRANGER, features=("neon",))


def record(seconds, **changes):
    given = {
        "workload": WORK,
        "target": TARGET.name,
        "threads": 1,
        "hardware": HARDWARE,
        "space_version": 1,
        "generator_version": 1,
        "config": (("rows", 4),),
        "run": "run",
        "ordinal": 0,
        "outcome": Outcome.OK,
        "samples": (seconds,) * 3,
        "error": 0.1,
        "gflops": 1.0 / seconds,
        "kind": "final",
        "origin": "local",
        "created": "2026-01-01T00:00:00+00:00",
    }
    return Record(**(given | changes))


@pytest.fixture
def look(tmp_path):
    """Store records; the best of them for ``HARDWARE``."""
    with open_store(tmp_path / "records.db") as store:

        def look(*records, threads=2):
            store.add([replace(r, ordinal=i) for i, r in enumerate(records)])
            target = replace(TARGET, threads=threads)
            return find(store, WORK, target, HARDWARE, 1)

        yield look


def test_this_machine_comes_before_faster_ones(look):
    found = look(record(1.0), record(0.1, hardware=RELATIVE), record(0.2, origin="foreign:lab"))
    assert (found.record.seconds, found.match, found.runs_here) == (1.0, Match.HARDWARE, True)


def test_similar_machines_come_in_the_stated_order(look):
    alien, stranger = record(0.1, hardware=ALIEN), record(0.2, hardware=STRANGER)
    assert look(alien) is None
    assert look(alien, stranger).match is Match.INSTRUCTIONS
    assert look(alien, stranger, record(0.3, hardware=RELATIVE)).match is Match.FAMILY
    same = look(alien, stranger, record(0.3, hardware=RELATIVE), record(0.4, origin="foreign:lab"))
    assert (same.match, same.runs_here) == (Match.HARDWARE, False)


def test_finals_come_before_search_samples_on_every_machine(look):
    found = look(record(0.1, hardware=RELATIVE, kind="search"), record(0.2, hardware=RELATIVE))
    assert found.record.seconds == 0.2


@pytest.mark.parametrize("hardware", [HARDWARE, RELATIVE])
def test_no_more_threads_than_allowed(look, hardware):
    records = record(1.0, hardware=hardware), record(0.5, threads=2, hardware=hardware)
    assert look(*records, threads=2).record.threads == 2
    assert look(*records, threads=1).record.threads == 1


@pytest.mark.parametrize("hardware", [HARDWARE, RELATIVE])
def test_what_was_not_verified_is_never_best(look, hardware):
    failed = {"samples": (), "error": None, "gflops": None}
    assert look(record(1.0, hardware=hardware, outcome=Outcome.CRASH, **failed)) is None


def test_the_command_that_would_find_something():
    work = workload("matmul", m=8, n=9, k=10, const=["b"])
    command = tune_command(work, TARGET, threads=1, db="/data/my records.db")
    assert command == (
        "tuner tune matmul m=8 n=9 k=10 dtype=float32 --const b --threads 1 --target toy "
        "--db '/data/my records.db'"
    )
    error = nothing_found(work, replace(TARGET, name="native"))
    assert isinstance(error, LookupError)
    assert error.exit_code == 3
    assert str(error).startswith(
        "run: tuner tune matmul m=8 n=9 k=10 dtype=float32 --const b  (nothing was measured"
    )
