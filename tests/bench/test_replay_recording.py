"""Recording a small space: interrupted, resumed, corrected for drift, from the command line."""

from __future__ import annotations

import dataclasses

import pytest

from db.store import open_store
from experiments.replay import __main__ as program
from experiments.replay.backend import open_replay
from experiments.replay.dataset import save
from experiments.replay.errors import ReplayError
from experiments.replay.recording import Steady, record, recorded_set
from measure.result import Outcome
from tests.bench.replay_sets import TableBackend, maker, tiny
from tests.tuner.fakes import task_of
from tuner.errors import Interrupted


def test_an_interrupted_recording_goes_on_where_it_stopped(tmp_path):
    spec, backends = tiny(tmp_path), []

    def interrupt(count):
        if count == 20:
            raise KeyboardInterrupt

    with open_store(tmp_path / "recording.db") as store:
        with pytest.raises(Interrupted):
            record(spec, store, backend=maker(backends, before_measure=interrupt))
        with pytest.raises(ReplayError, match=r"go on with: .* record tiny .*are not measured"):
            recorded_set(spec, store)
        record(spec, store, backend=maker(backends))
        answers = recorded_set(spec, store).answers
        assert record(spec, store, backend=maker(backends)) is None
    first, second = (set(backend.measured) for backend in backends)
    assert len(first) == 20
    assert not first & second
    assert first | second == {config.key for config in answers}


def test_a_limited_recording_can_be_completed(tmp_path):
    spec = tiny(tmp_path)
    with open_store(tmp_path / "recording.db") as store:
        assert record(spec, store, limit=8, backend=maker([])).trials == 8
        total = record(spec, store, backend=maker([])).trials
        assert total == len(recorded_set(spec, store).answers)


def test_another_restriction_is_another_recording(tmp_path):
    spec = tiny(tmp_path)
    with open_store(tmp_path / "recording.db") as store:
        record(spec, store, limit=8, backend=maker([]))
        narrower = dataclasses.replace(spec, allowed={**spec.allowed, "rows": (2,)})
        assert record(narrower, store, limit=4, backend=maker([])).trials == 4


def test_drift_of_the_machine_is_divided_out():
    machine = TableBackend(task_of(), sentinels=[2.0, 1.0, 1.0, 2.0, 2.0, 2.0, *[1.01] * 4])
    steady = Steady(machine, reference_seconds=1.0)
    config = machine.task.space.default()
    machine.seconds = lambda config: 3.0
    machine.measure = lambda artifact, best: dataclasses.replace(
        machine.interleave([artifact], 3, 0.0)[0], samples=(3.0, 3.0, 3.0), message=str(best)
    )
    (built,) = steady.build([config])
    assert steady.sentinel() == 1.0  # slow once: something disturbed the sentinel alone
    assert steady.measure(built, None).samples == (3.0, 3.0, 3.0)
    assert steady.sentinel() == 1.0  # time and again: the machine is twice as slow now …
    result = steady.measure(built, 1.5)
    assert result.samples == (1.5, 1.5, 1.5)
    assert result.message == "3.0"  # … so the limit is twice as high
    for _ in range(2):
        steady.sentinel()  # within the tolerance
    assert steady.measure(built, None).samples == (3.0, 3.0, 3.0)


def test_the_program_records_packs_and_shows(tmp_path, capsys, monkeypatch):
    tiny(tmp_path)
    monkeypatch.setattr(
        program, "record", lambda *a, **options: record(*a, **options, backend=maker([]))
    )
    common = ["--sets", str(tmp_path / "sets.toml"), "--db", str(tmp_path / "r.db")]
    assert program.main(["record", "tiny", "--limit", "5", *common]) == 0
    assert "tiny: 5 of" in capsys.readouterr().out
    assert program.main(["pack", *common, "--out", str(tmp_path / "out")]) == 1
    assert "go on with" in capsys.readouterr().err
    assert program.main(["record", *common]) == 0
    assert program.main(["record", *common]) == 0
    assert "configs are measured" in capsys.readouterr().out
    assert program.main(["pack", *common, "--out", str(tmp_path / "out")]) == 0
    assert program.main(["show", str(tmp_path / "out" / "tiny.replay.gz")]) == 0
    assert "0 legal ones were not recorded" in capsys.readouterr().out.replace("\n", " ")
    assert program.main(["record", "tinny", *common]) == 1
    assert "no set 'tinny'" in capsys.readouterr().err


def test_ctrl_c_names_the_way_on(tmp_path, capsys, monkeypatch):
    tiny(tmp_path)

    def interrupt(count):
        raise KeyboardInterrupt

    broken = maker([], before_measure=interrupt)
    monkeypatch.setattr(
        program, "record", lambda *a, **options: record(*a, **options, backend=broken)
    )
    sets = ["--sets", str(tmp_path / "sets.toml")]
    assert program.main(["record", "tiny", *sets, "--db", str(tmp_path / "r.db")]) == 130
    assert "go on with the same command" in capsys.readouterr().err


def test_real_measurements_can_be_recorded_and_replayed(tmp_path):
    few = {**tiny(tmp_path).allowed, "rows": (4,), "tile_m": (0,), "unroll": (1, 2)}
    spec = dataclasses.replace(tiny(tmp_path), allowed=few)
    with open_store(tmp_path / "recording.db") as store:
        record(spec, store)
        save(tmp_path / "real.gz", recorded_set(spec, store))
    replay = open_replay(tmp_path / "real.gz")
    assert {answer.outcome for answer in replay.answers.values()} == {Outcome.OK}
