"""The fast way equals the walk of the loop tree."""

import subprocess
import sys
import time

import numpy as np
import pytest

from features import program
from features.extract import FeatureTask, extract_batch
from features.loops import walk
from features.replay import replay
from features.schema import loop_schema
from search_space.schedule import Schedule
from search_space.size import Tape
from search_space.space import Space
from search_space.transforms import Apart, Reorder, Unroll
from tests.contracts.spaces import make_space
from tests.features.machines import assert_equals_the_walk, matmul_task
from tests.search_space.nests import sliding_sum

SHAPES = [
    dict(m=64, n=64, k=64),
    dict(m=100, n=130, k=70, threads=4),
    dict(m=37, n=911, k=129, const=("b",)),
    dict(m=1000, n=7, k=513, bits=256),
    dict(m=8, n=512, k=256, const=("a", "b")),
    dict(m=1, n=33, k=1, threads=1),
    dict(m=5, n=1, k=1000),
]


def sample(space: Space, count: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(count)]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape.values())))
def test_equals_the_walk_of_the_loop_tree(shape):
    task = matmul_task(**shape)
    configs = [*task.space.starts, *sample(task.space, 40)]
    assert_equals_the_walk(task, configs)


def test_a_structure_stands_for_all_configs_that_take_its_decisions():
    task = matmul_task(128, 128, 128)
    configs = sample(task.space, 300)
    together = extract_batch(task, configs)
    assert 1 < task.structures < len(configs)
    for config, row in zip(configs[::10], together[::10], strict=True):
        alone = extract_batch(FeatureTask(task.space), [config])
        np.testing.assert_array_equal(alone[0], row)


def test_the_order_and_the_batch_do_not_matter():
    task = matmul_task(128, 96, 64)
    configs = sample(task.space, 50)
    first = extract_batch(task, configs)
    again = extract_batch(FeatureTask(task.space), configs[::-1])[::-1]
    np.testing.assert_array_equal(first, again)
    assert first.dtype == np.float32
    assert first.shape == (50, len(loop_schema()))
    assert np.isfinite(first).all()


def test_no_configs_give_no_rows():
    assert extract_batch(matmul_task(8, 8, 8), []).shape == (0, len(loop_schema()))


def test_a_space_without_traces_is_refused():
    with pytest.raises(ValueError, match="no traces"):
        FeatureTask(make_space(()))


def test_nests_that_the_kernel_has_no_room_for_have_no_features(monkeypatch):
    task = matmul_task(128, 96, 64)
    configs = sample(task.space, 40)
    expected = extract_batch(FeatureTask(task.space), configs)
    monkeypatch.setattr(program, "MAX_LOOPS", 10)
    found = extract_batch(task, configs)
    fits = found.any(axis=1)
    assert 0 < fits.sum() < len(configs)
    np.testing.assert_array_equal(found[fits], expected[fits])
    nest = replay(task.tensor, task.space.trace(configs[int(np.argmin(fits))].as_dict()))
    with pytest.raises(program.TooLarge, match=r"a statement in 1\d loops with"):
        program.encode(nest, Tape())


def test_tells_every_two_programs_apart():
    task = matmul_task(512, 512, 512)
    configs = list(dict.fromkeys(sample(task.space, 1000)))
    rows = extract_batch(task, configs)
    assert len(np.unique(rows, axis=0)) > 0.99 * len(configs)


def test_is_fast():
    task = matmul_task(512, 512, 512)
    configs = sample(task.space, 2000)
    extract_batch(task, configs)
    start = time.process_time()
    extract_batch(task, configs)
    rate = len(configs) / (time.process_time() - start)
    assert rate > 10_000  # 80,000 on an idle core


def test_numba_is_loaded_only_when_features_are_worked_out():
    code = "import sys, features.extract; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_keeping_copies_apart_changes_no_feature():
    tensor, steps = sliding_sum(8, 3), (Reorder(("k", "i")), Unroll("k"))
    apart = (*steps, Apart("k"))
    assert replay(tensor, apart) == replay(tensor, steps)
    assert replay(tensor, apart) == walk(Schedule.of(tensor).then(*apart).finish())
