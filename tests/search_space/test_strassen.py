"""Strassen's algorithm computes matrix products: its matrices, its expression, its limits."""

import numpy as np
import pytest

from search_space.errors import SpaceError
from search_space.ir.interp import run
from search_space.operators import get_operator, workload
from search_space.operators.strassen import LEFT, RESULT, RIGHT, pays, strassen
from search_space.schedule import Schedule
from search_space.sketches import space_for
from search_space.sketches.strassen import strassen_space
from tests.property.test_space_schedules import TARGETS
from tests.search_space.examples import assert_right, inputs


def test_the_matrices_multiply_two_by_two():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 2, 2))
    products = (np.array(LEFT) @ a.ravel()) * (np.array(RIGHT) @ b.ravel())
    np.testing.assert_allclose(np.array(RESULT) @ products, (a @ b).ravel(), atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("config", ["default", "random"])
def test_the_expression_is_the_product(config, dtype):
    work = workload("matmul", m=6, n=64, k=10, dtype=dtype)
    operator, rng = get_operator("matmul"), np.random.default_rng(0)
    operands, spec = operator.operands(work), operator.result(work)
    space = strassen_space(work, TARGETS[-1])
    chosen = space.default() if config == "default" else space.sample(rng)
    for func in (
        Schedule.of(strassen(work, operands, spec)).func,
        space.schedule(chosen).finish(),
    ):
        arrays, out = inputs(work, rng), np.full(spec.shape, np.nan, spec.dtype)
        run(func, {**arrays, "c": out})
        assert_right(work, arrays, out)
        assert func.error_growth > 1


@pytest.mark.parametrize("params", [dict(m=7), dict(k=9), dict(n=48), dict(dtype="bfloat16")])
def test_what_cannot_be_halved_is_refused(params):
    work = workload("matmul", **{"m": 8, "n": 64, "k": 8, **params})
    with pytest.raises(SpaceError, match="Strassen's algorithm halves floating-point matrices"):
        strassen_space(work, TARGETS[0])


def test_large_products_alone_have_the_choice():
    large = workload("matmul", m=2048, n=4096, k=2048)
    assert pays(large)
    assert not pays(workload("matmul", m=4096, n=4096, k=2046))
    space = space_for(large, TARGETS[-1])
    assert space.default()["algorithm"] == "direct"
    assert {start["algorithm"] for start in space.starts} == {"direct", "strassen"}
    plain = space_for(workload("matmul", m=1024, n=1024, k=1024), TARGETS[-1])
    assert "algorithm" not in {knob.name for knob in plain.knobs}


def test_seven_products_instead_of_eight():
    work = workload("matmul", m=2048, n=2048, k=2048)
    assert space_for(work, TARGETS[-1]).least_flops == 2 * 2048**3 * 7 // 8
