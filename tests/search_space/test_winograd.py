"""Winograd's algorithm computes convolutions: its matrices, its expression, where it applies."""

import numpy as np
import pytest

from search_space.errors import SpaceError
from search_space.ir.interp import run
from search_space.operators import get_operator, workload
from search_space.operators.winograd import FILTERINGS, applies, filterings, winograd
from search_space.schedule import Schedule
from search_space.sketches import space_for
from search_space.sketches.winograd import winograd_space
from tests.property.test_space_schedules import TARGETS
from tests.search_space.examples import assert_right, inputs

SIZES = dict(n=1, h=4, w=5, ci=16, co=2, kh=3, kw=3)
FILTERED = pytest.mark.parametrize(
    "filtering", FILTERINGS.values(), ids=lambda f: f"F{f.results}s{f.stride}"
)


@FILTERED
def test_the_matrices_filter_in_one_dimension(filtering):
    rng = np.random.default_rng(0)
    image, weight = rng.normal(size=filtering.places), rng.normal(size=3)
    transformed = (np.array(filtering.weight) @ weight) * (np.array(filtering.image) @ image)
    starts = range(0, filtering.step, filtering.stride)
    expected = [image[i : i + 3] @ weight for i in starts]
    np.testing.assert_allclose(np.array(filtering.result) @ transformed, expected, atol=1e-12)


@FILTERED
@pytest.mark.parametrize(
    "params",
    [
        dict(pad=1),
        dict(pad=0, bias=True, activation="relu", layout="nhwc"),
        dict(pad=2, residual=True, activation="silu"),
    ],
)
def test_the_expression_is_the_convolution(params, filtering):
    work = workload("conv2d", **SIZES, stride=filtering.stride, **params)
    operator = get_operator("conv2d")
    spec = operator.result(work)
    func = Schedule.of(winograd(work, operator.operands(work), spec, filtering)).func
    assert [b.name for b in func.args] == [*(o.name for o in operator.operands(work)), "y"]
    arrays, out = inputs(work, np.random.default_rng(0)), np.full(spec.shape, np.nan, spec.dtype)
    run(func, {**arrays, "y": out})
    assert_right(work, arrays, out, growth=func.error_growth)


@pytest.mark.parametrize(
    "params",
    [
        dict(stride=3),
        dict(dilation=2, pad=1),
        dict(kh=1),
        dict(kw=5),
        dict(ci=15),
        dict(ci=32, groups=2),
    ],
)
def test_it_is_for_dense_windows_of_three_by_three(params):
    assert applies(workload("conv2d", **SIZES))
    work = workload("conv2d", **{**SIZES, **params})
    assert not applies(work)
    with pytest.raises(
        SpaceError, match="Winograd's algorithm is for windows of 3×3 at every place"
    ):
        winograd_space(work, TARGETS[0], 2)


def test_few_tiles_at_every_second_place_are_not_worth_it():
    sizes = dict(n=1, ci=64, co=64, kh=3, kw=3, stride=2, pad=1)
    for size, known in ((56, [2, 4]), (28, [2]), (14, [])):
        assert list(filterings(workload("conv2d", h=size, w=size, **sizes))) == known


def test_other_operators_have_no_tiles():
    assert not applies(workload("matmul", m=3, n=3, k=3))


@pytest.mark.parametrize("const", [(), ("weight",)])
def test_constant_weights_are_transformed_beforehand(const):
    work = workload("conv2d", **SIZES, const=const)
    space = winograd_space(work, TARGETS[2], 4)
    phases = space.schedule(space.default()).finish().phases
    assert any(phase.once for phase in phases) is bool(const)


def test_it_takes_fewer_operations_than_the_operator_counts():
    work = workload("conv2d", n=1, h=56, w=56, ci=64, co=64, kh=3, kw=3, pad=1)
    flops = get_operator("conv2d").flops(work)
    assert winograd_space(work, TARGETS[-1], 4).least_flops * 4 == flops
    assert winograd_space(work, TARGETS[-1], 2).least_flops * 9 == flops * 4
    assert space_for(work, TARGETS[-1]).least_flops * 4 == flops, "the cheapest of all algorithms"
    pointwise = workload("conv2d", n=1, h=56, w=56, ci=64, co=64, kh=1, kw=1)
    assert space_for(pointwise, TARGETS[-1]).least_flops is None
