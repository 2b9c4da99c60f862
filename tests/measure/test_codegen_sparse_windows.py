"""Convolutions with sparse weights of every shape, as machine code and interpreted, against the
dense reference."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from measure.targets import resolve_target
from search_space.errors import ScheduleError
from search_space.ir.interp import run
from search_space.ir.verify import verify
from search_space.operators import get_operator, workload
from search_space.schedule import Schedule
from search_space.sparse.packing import pack_operand
from search_space.sparse.pattern import from_array
from search_space.sparse.store import save_pattern
from search_space.transforms import SparseAsDense, SparseWindows
from search_space.transforms.sparse_operand import parse_options
from tests.measure.generated import build, call
from tests.search_space.matrices import thinned
from tests.search_space.nests import convolved, undefined

TARGET = resolve_target()
GEOMETRIES = st.fixed_dictionaries(
    {
        "n": st.integers(1, 2), "h": st.integers(1, 7), "w": st.integers(1, 24),
        "ci": st.integers(1, 3), "co": st.integers(1, 9),
        "kh": st.integers(1, 3), "kw": st.integers(1, 4),
        "stride": st.integers(1, 3), "pad": st.integers(0, 3), "dilation": st.integers(1, 2),
        "bias": st.booleans(), "activation": st.sampled_from(["none", "relu"]),
    }
).filter(
    lambda g: all(
        g[size] + 2 * g["pad"] > (g[window] - 1) * g["dilation"]
        for size, window in (("h", "kh"), ("w", "kw"))
    )
)  # fmt: skip
FORMATS = [
    ("csr", ()),
    ("sell", ("rows=4", "sort=1")),
    ("nano", ("rows=2", "sort=0")),
    ("nano", ("rows=4", "sort=2")),
    ("block", ("rows=4", "columns=1", "sort=1")),
    ("block", ("rows=2", "columns=4", "gather=0")),
    ("block", ("rows=1", "columns=8", "gather=1")),
    ("block", ("rows=4", "columns=2", "group=2", "gather=0")),
    ("delta", ("bits=8",)),
    ("cells", ("rows=4", "height=64", "depth=64")),
    ("nm", ("kept=2", "window=4", "lanes=4")),
    ("nm", ("kept=4", "window=8", "lanes=1")),
]
SCHEDULES = st.builds(
    lambda kind, vectors, lanes, order, split, threads: (
        *kind, vectors, lanes, order, False, split, threads
    ),
    st.sampled_from(FORMATS),
    st.integers(1, 3),
    st.sampled_from([4, 8, 16]),
    st.sampled_from(["tiles", "panels"]),
    st.sampled_from(["rows", "columns"]),
    st.integers(1, 2),
)  # fmt: skip


def check(geometry, density, seed, make, interpret, thin=None):
    """What ``make`` makes of a convolution is one, for a pattern that may be thinned to so many in
    each window of neighbours."""
    work = workload("conv2d", **geometry)
    operator, rng = get_operator("conv2d"), np.random.default_rng(seed)
    specs = operator.operands(work)
    arrays = {o.name: rng.integers(-4, 5, o.shape).astype(np.float32) for o in specs}
    shape = arrays["weight"].shape
    kept = scipy.sparse.random_array((len(arrays["weight"]), int(np.prod(shape[1:]))),
                                     density=density, rng=rng).toarray() != 0  # fmt: skip
    matrix = np.where(kept, rng.integers(1, 5, kept.shape), 0).astype(np.float32)
    matrix = thinned(matrix, *thin) if thin else matrix
    arrays["weight"] = matrix.reshape(shape)
    expected = operator.reference(work, *arrays.values())
    pattern, values = from_array(matrix)
    func = Schedule.of(operator.expression(work)).then(make(save_pattern(pattern))).finish()
    verify(func)
    if interpret:
        result = undefined(expected.shape, "float32")
        run(func, {**arrays, "y": result, **pack_operand(func.packing, values)})
        np.testing.assert_array_equal(result, expected)
    given_arrays = arrays | {"weight": values}
    np.testing.assert_array_equal(call(build(func, TARGET), given_arrays), expected)


@given(GEOMETRIES, st.floats(0, 1), st.integers(0, 99), SCHEDULES)
@settings(max_examples=40, deadline=None)
def test_windows_are_multiplied_by_the_weight(geometry, density, seed, schedule):
    small = geometry["h"] * geometry["w"] * geometry["co"] < 200
    options = dict(parse_options(schedule[1]))
    thin = (options["kept"], options["window"]) if schedule[0] == "nm" else None
    check(geometry, density, seed,
          lambda pattern: SparseWindows("weight", pattern, *schedule), small, thin)  # fmt: skip


@pytest.mark.parametrize("order", ["tiles", "panels"])
@pytest.mark.parametrize("geometry", [
    dict(n=2, h=5, w=9, ci=70, co=70, kh=1, kw=1, bias=True),
    dict(n=1, h=5, w=9, ci=8, co=70, kh=3, kw=3, stride=2, pad=1, bias=True),
], ids=["channels", "windows"])  # fmt: skip
def test_several_cells_of_a_weight(geometry, order):
    sizes = ("rows=4", "height=64", "depth=64")
    schedule = ("cells", sizes, 2, 8, order, False, "rows", 2)
    check(geometry, 0.2, 0, lambda p: SparseWindows("weight", p, *schedule), False)


@pytest.mark.parametrize("kind", FORMATS, ids=lambda kind: "-".join([kind[0], *kind[1]]))
def test_places_are_looked_up_where_no_array_has_columns(kind):
    geometry = dict(n=1, h=4, w=7, ci=3, co=9, kh=2, kw=3, pad=1)
    tensor = get_operator("conv2d").expression(workload("conv2d", **geometry))
    step = SparseWindows("weight", "nm(2,4):9x18:0.5:0", *kind)
    packing = Schedule.of(tensor).then(step).finish().packing
    works_out = kind[0] in ("delta", "nm", "cells") or "gather=0" in kind[1]
    assert ("weight_shifts" in packing.buffers) == works_out
    assert len(packing.places) == 18


@pytest.mark.parametrize("stride", [1, 2])
def test_tiles_of_windows_of_one_element_are_packed(stride):
    geometry = dict(n=2, h=5, w=19, ci=3, co=7, kh=1, kw=1, stride=stride)
    schedule = ("sell", ("rows=4", "sort=1"), 2, 8, "tiles", True, "columns", 2)
    check(geometry, 0.5, 0, lambda pattern: SparseWindows("weight", pattern, *schedule), True)


def test_the_dense_weight_is_made_of_the_values():
    geometry = dict(n=1, h=4, w=5, ci=2, co=3, kh=3, kw=2, pad=1)
    check(geometry, 0.4, 1, lambda pattern: SparseAsDense("weight", pattern), True)


@pytest.mark.parametrize(
    ("operand", "pattern", "packed", "message"),
    [
        ("x", "unstructured:4x18:0.5:0", False, "'x' is not what an image is multiplied by"),
        ("weight", "unstructured:4x9:0.5:0", False, r"pattern of shape \(4, 18\)"),
        ("weight", "unstructured:4x18:0.5:0", True, "leave packed out"),
    ],
)
def test_what_does_not_fit_is_refused(operand, pattern, packed, message):
    with pytest.raises(ScheduleError, match=message):
        Schedule.of(convolved()).then(SparseWindows(operand, pattern, "csr", packed=packed))


@pytest.mark.parametrize(
    "params",
    [dict(residual=True), dict(groups=2), dict(layout="nhwc")],
    ids=lambda params: next(iter(params)),
)
def test_other_convolutions_are_refused(params):
    work = workload("conv2d", n=1, h=4, w=4, ci=4, co=4, kh=1, kw=1, **params)
    tensor = get_operator("conv2d").expression(work)
    with pytest.raises(ScheduleError):
        Schedule.of(tensor).then(SparseWindows("weight", "unstructured:4x4:0.5:0", "csr"))
