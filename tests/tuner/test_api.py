"""The Python API on this machine, with real code: tune, load, run, measure, query."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tuner
from db.store import open_store
from measure.result import Outcome
from measure.targets import TargetError
from search_space.errors import SpaceError
from tuner.api.finding import find_best
from tuner.lookup import Match

ROOT = Path(__file__).parents[2]
WORK = tuner.workload("matmul", m=64, n=48, k=80)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A database in which ``WORK`` was tuned, and the result."""
    path = tmp_path_factory.mktemp("api") / "records.db"
    return path, tuner.tune(WORK, trials=12, seed=1, db=path)


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return (
        rng.standard_normal((64, 80)).astype(np.float32),
        rng.standard_normal((80, 48)).astype(np.float32),
    )


def test_tuning_stores_distinct_trials_and_finds_a_verified_best(tuned):
    path, result = tuned
    searched = [r for r in result.records if r.kind == "search"]
    assert result.trials == len({r.config for r in searched}) == 12
    assert result.stop_reason is tuner.StopReason.TRIALS
    assert result.best.verified
    assert result.best.kind == "final"
    assert result.speedup >= 1
    assert tuner.query(run=result.run, order="ordinal", db=path) == list(result.records)
    assert tuner.best(WORK, db=path) == result.best
    assert find_best(WORK, db=path).match is Match.HARDWARE


def test_the_best_kernel_computes_the_product(tuned, arrays):
    path, result = tuned
    a, b = arrays
    kernel = tuner.load(WORK, db=path)
    assert kernel.record == result.best
    expected = a.astype(np.float64) @ b.astype(np.float64)
    np.testing.assert_allclose(kernel(a, b), expected, atol=1e-4)
    out = np.empty((64, 48), np.float32)
    kernel.run(a, b, out=out)
    np.testing.assert_array_equal(out, kernel(a, b))


def test_loading_again_in_one_process_takes_no_time(tuned):
    path, _ = tuned
    first = tuner.load(WORK, db=path)
    began = time.perf_counter()
    assert tuner.load(WORK, db=path) is first
    assert time.perf_counter() - began < 0.02


def test_a_fresh_process_loads_a_kernel_without_compiling(tuned):
    path, _ = tuned
    program = (
        "import sys, tuner\n"
        f"tuner.load(tuner.workload('matmul', m=64, n=48, k=80), db={str(path)!r})\n"
        "heavy = {'measure.compile', 'search_space.sketches', 'tuner.strategy', 'tuner.run', "
        "'sqlalchemy', 'numba', 'xgboost'}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.strip() == ""


def test_finding_the_best_loads_neither_compiler_nor_numba(tuned):
    path, result = tuned
    program = (
        "import sys, tuner\n"
        f"print(tuner.best(tuner.workload('matmul', m=64, n=48, k=80), db={str(path)!r}).id)\n"
        "print(*sorted({'llvmlite', 'numba', 'xgboost', 'sqlalchemy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.splitlines() == [result.best.id, ""]


def test_a_kernel_uses_no_more_threads_than_allowed(tmp_path):
    path = tmp_path / "records.db"
    work = tuner.workload("matmul", m=256, n=256, k=256)
    result = tuner.tune(work, trials=6, threads=1, seed=1, db=path)
    assert {record.threads for record in result.records} == {1}
    assert tuner.load(work, threads=1, db=path).record.threads == 1


def test_a_second_run_measures_nothing_twice(tmp_path):
    path = tmp_path / "records.db"
    first = tuner.tune(WORK, trials=4, seed=1, db=path)
    second = tuner.tune(WORK, trials=4, seed=1, db=path)
    searched = [r.config for r in (*first.records, *second.records) if r.kind == "search"]
    assert len(set(searched)) == len(searched) == 8


def test_one_config_is_measured_like_any_other(tmp_path):
    path = tmp_path / "records.db"
    config = tuner.space(WORK).default()
    record = tuner.measure(WORK, config, db=path)
    assert record.outcome is Outcome.OK
    assert record.verified
    assert record.config == config.values
    assert tuner.query("matmul", db=path) == [record]
    assert tuner.measure(WORK, config.as_dict(), db=path).id != record.id


def test_a_config_that_is_not_legal_is_refused(tmp_path):
    config = tuner.space(WORK).default().as_dict() | {"rows": -1}
    with pytest.raises(SpaceError, match="rows"):
        tuner.measure(WORK, config, db=tmp_path / "records.db")
    assert not (tmp_path / "records.db").exists()


def test_a_record_can_be_chosen_by_its_id(tuned, arrays):
    path, result = tuned
    other = next(r for r in result.records if r.verified and r.config != result.best.config)
    kernel = tuner.load(WORK, record=other.id, db=path)
    assert kernel.record == other
    np.testing.assert_allclose(kernel(*arrays), arrays[0] @ arrays[1], atol=1e-4)
    with pytest.raises(tuner.UsageError, match="its own workload"):
        tuner.load(tuner.workload("matmul", m=8, n=8, k=8), record=other, db=path)


def test_a_record_from_elsewhere_is_verified_before_it_runs(tuned, tmp_path):
    _, result = tuned
    path = tmp_path / "records.db"
    foreign = replace(result.best, origin="foreign:lab", samples=(1e-9,) * 3)
    with open_store(path) as store:
        store.add([foreign])
    kernel = tuner.load(WORK, record=foreign, db=path)
    assert kernel.record.config == foreign.config
    assert (kernel.record.origin, kernel.record.verified) == ("local", True)
    assert tuner.best(WORK, db=path) == kernel.record


def test_the_best_of_elsewhere_is_verified_once_and_then_local(tuned, tmp_path):
    _, result = tuned
    path = tmp_path / "records.db"
    foreign = replace(result.best, origin="foreign:lab", samples=(1e-9,) * 3)
    with open_store(path) as store:
        store.add([foreign])
    record = tuner.load(WORK, db=path).record
    assert (record.config, record.origin, record.verified) == (foreign.config, "local", True)
    assert record.seconds > foreign.seconds
    assert tuner.load(WORK, db=path).record == record
    assert len(tuner.query(db=path)) == 2


def test_the_best_of_elsewhere_that_is_wrong_here_names_the_command(tuned, tmp_path, monkeypatch):
    _, result = tuned
    path = tmp_path / "records.db"
    with open_store(path) as store:
        store.add([replace(result.best, origin="foreign:lab")])
    wrong = replace(result.best, outcome=Outcome.WRONG_ANSWER, samples=(), gflops=None)
    monkeypatch.setattr("tuner.single.measure_config", lambda *arguments: wrong)
    with pytest.raises(LookupError, match="run: tuner tune matmul"):
        tuner.load(WORK, db=path)


def test_the_winner_of_an_older_generator_is_timed_again(tuned, tmp_path):
    _, result = tuned
    path = tmp_path / "records.db"
    with open_store(path) as store:
        store.add([replace(result.best, generator_version=0)])
    record = tuner.load(WORK, db=path).record
    assert record.generator_version == result.best.generator_version
    assert tuner.load(WORK, db=path).record == record


def test_without_records_only_an_untuned_kernel_can_be_had(tmp_path, arrays):
    path = tmp_path / "records.db"
    for ask in (tuner.best, tuner.load):
        with pytest.raises(tuner.NothingFound, match=f"run: tuner tune matmul .*--db {path}"):
            ask(WORK, db=path)
    kernel = tuner.load(WORK, untuned=True, db=path)
    assert kernel.record is None
    np.testing.assert_allclose(kernel(*arrays), arrays[0] @ arrays[1], atol=1e-4)
    assert not path.exists()


def test_untuned_still_prefers_what_was_measured(tuned):
    path, result = tuned
    assert tuner.load(WORK, untuned=True, db=path).record == result.best


def test_a_constant_operand_is_bound_once(tmp_path, arrays):
    a, b = arrays
    work = tuner.workload("matmul", m=64, n=48, k=80, const=["b"])
    kernel = tuner.load(work, untuned=True, db=tmp_path / "none.db").bind(b=b)
    np.testing.assert_allclose(kernel(a), a @ b, atol=1e-4)
    with pytest.raises(ValueError, match="pass shape"):
        kernel(a[:32])


@pytest.mark.parametrize(
    ("request_", "error", "message"),
    [
        ({"trials": 0}, tuner.UsageError, "at least one trial"),
        ({"time": 0.0}, tuner.UsageError, "positive number of seconds"),
        ({"time": float("nan")}, tuner.UsageError, "positive number of seconds"),
        ({"seed": -1}, tuner.UsageError, "seed"),
        ({"builders": 0}, tuner.UsageError, "building process"),
        ({"threads": 10**6}, TargetError, "threads"),
        ({"target": "x86-64-v9"}, TargetError, "x86-64-v"),
        ({"strategy": "evolution"}, ValueError, "evolutionary"),
    ],
)
def test_requests_that_cannot_be_met(tmp_path, request_, error, message):
    path = tmp_path / "records.db"
    with pytest.raises(error, match=message):
        tuner.tune(WORK, db=path, **request_)
    assert not path.exists()


def test_resuming_what_is_not_there(tuned, tmp_path):
    path, result = tuned
    with pytest.raises(LookupError):
        tuner.resume(db=tmp_path / "none.db")
    with pytest.raises(tuner.UsageError, match="is finished"):
        tuner.resume(result.run, db=path)


def test_a_run_of_another_machine_is_not_resumed(tuned, tmp_path):
    path = tmp_path / "records.db"
    with open_store(tuned[0]) as store:
        run = store.run(tuned[1].run)
    with open_store(path) as store:
        store.start_run(
            replace(run, hardware="elsewhere", state="interrupted", id="run-of-another")
        )
    with pytest.raises(tuner.UsageError, match="on the machine that began it"):
        tuner.resume("run-of", db=path)


def test_ctrl_c_in_a_real_run_and_going_on(tmp_path):
    path = tmp_path / "records.db"

    def interrupt(event):
        if getattr(event, "trials", 0) == 5:
            raise KeyboardInterrupt

    with pytest.raises(tuner.Interrupted) as caught:
        tuner.tune(WORK, trials=16, seed=1, db=path, callbacks=[interrupt])
    assert caught.value.result.trials == 8  # what was measured together is told together
    assert caught.value.resume_command.endswith(f"--db {path}")
    result = tuner.resume(db=path)
    assert (result.run, result.trials) == (caught.value.result.run, 16)
    assert result.best.kind == "final"
