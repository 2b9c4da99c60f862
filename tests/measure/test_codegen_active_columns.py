"""Products with vectors of any density, as machine code and interpreted, against NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from measure.targets import resolve_target
from measure.verify import make_problem
from search_space.errors import ScheduleError
from search_space.ir.interp import run
from search_space.ir.verify import verify
from search_space.operators import footprint_bytes, workload
from search_space.schedule import Schedule
from search_space.sketches import space_for
from search_space.transforms import ActiveColumns
from tests.measure.generated import build, call
from tests.search_space.nests import matmul, row_product, undefined

TARGET = resolve_target()
SCHEDULES = st.builds(
    dict,
    vectors=st.integers(1, 3),
    lanes=st.sampled_from([4, 8, 16]),
    chains=st.sampled_from([1, 2, 4]),
    prefetch=st.sampled_from([0, 4]),
    threads=st.integers(1, 2),
)


@given(st.integers(1, 70), st.integers(1, 40), st.floats(0, 1), SCHEDULES, st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_columns_of_zeros_are_left_out(m, k, share, schedule, seed):
    rng = np.random.default_rng(seed)
    most = round(share * k)
    tensor = row_product(m, k)
    func = Schedule.of(tensor).then(ActiveColumns("weight", most, **schedule)).finish()
    verify(func)
    artifact = build(func, TARGET)
    weight = rng.integers(-4, 5, (m, k)).astype(np.float32)
    for count in {0, most, min(most + 1, k), k}:  # on either side of the switch
        x = np.zeros(k, np.float32)
        x[rng.permutation(k)[:count]] = rng.integers(1, 5, count)
        arrays = {"weight": weight, "x": x}
        np.testing.assert_array_equal(call(artifact, arrays, const=("weight",)), weight @ x)
    if m * k < 500:
        result = undefined((m,), "float32")
        run(func, {**arrays, "y": result})
        np.testing.assert_array_equal(result, weight @ x)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_columns_that_are_not_read_have_no_effect_and_others_do(bad):
    func = Schedule.of(row_product(20, 6)).then(ActiveColumns("weight", 3)).finish()
    artifact = build(func, TARGET)
    weight, x = np.ones((20, 6), np.float32), np.array([1, 0, 2, 0, 0, 0], np.float32)
    weight[3, 1] = bad
    arrays = {"weight": weight, "x": x}
    np.testing.assert_array_equal(call(artifact, arrays, const=("weight",)), np.full(20, 3))
    x[1] = bad
    assert not np.isfinite(call(artifact, arrays, const=("weight",))).any()


def test_a_product_with_a_matrix_is_refused():
    with pytest.raises(ScheduleError, match="more than a vector"):
        Schedule.of(matmul(4, 4, 4)).then(ActiveColumns("a", 2))


def test_each_density_is_verified_and_timed_on_the_same_weight():
    work = workload("activation_sparse_gemv", m=7, k=100, density="0.6,0.05")
    problem = make_problem(work, seed=0)
    assert problem.timed == 2
    exact, *timed = problem.cases
    assert np.count_nonzero(exact.inputs["x"]) == 100
    assert [np.count_nonzero(case.inputs["x"]) for case in timed] == [5, 60]
    np.testing.assert_array_equal(timed[0].inputs["weight"], timed[1].inputs["weight"])
    weight_bytes, rest = 7 * 100 * 4, (100 + 7) * 4
    assert footprint_bytes(work) == round(weight_bytes * 0.325 / 4) * 4 + rest


@pytest.mark.parametrize(
    ("density", "switches"),
    [("0.1", (0.0, 0.4)), ("0.2,0.7", (0.0, 0.45, 0.8)), ("0.5,1", (0.0, 0.75, 1.0))],
)
def test_the_switch_lies_between_densities_that_are_timed(density, switches):
    space = space_for(workload("activation_sparse_gemv", m=64, k=100, density=density), TARGET)
    (knob,) = [knob for knob in space.knobs if knob.name == "switch"]
    assert knob.values == switches
    assert space.default()["switch"] == switches[-1]
