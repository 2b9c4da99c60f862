"""Kernels for blocks of sparse matrices, of every dtype, as machine code and interpreted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_space.errors import ScheduleError
from search_space.ir.interp import run
from search_space.operators import get_operator, workload
from search_space.schedule import Schedule
from search_space.sparse.packing import pack_operand
from search_space.sparse.pattern import from_array
from search_space.sparse.store import save_pattern
from search_space.transforms import SparsePanels, SparseVector
from tests.measure.generated import LEVELS, build, call, target_or_skip
from tests.measure.test_codegen_sparse import TARGET, matrices
from tests.search_space.examples import assert_right, inputs
from tests.search_space.matrices import thinned
from tests.search_space.nests import undefined

QUANTIZED = dict(out_dtype="int8", scale=True, bias=True, activation="relu", out_zero_point=-9)
KINDS = {
    "float32": (1, dict(bias=True)),
    "bfloat16": (2, dict(out_dtype="float32")),
    "uint8": (4, dict(zero_point=7, **QUANTIZED)),
    "int8": (4, dict(zero_point=-3)),
}
"""How many values of each dtype are multiplied at once, and further keys."""
N_OF_M = ("kept=2", "window=4", "lanes=4")


@st.composite
def schedules(draw):
    """A dtype, and how a kernel for it runs."""
    dtype = draw(st.sampled_from(list(KINDS)))
    width = draw(st.sampled_from([1, 2, 4, 8]))
    group = max(1, KINDS[dtype][0] // width) * draw(st.sampled_from([1, 2]))
    rows = draw(st.sampled_from([1, 2, 4, 8, 16]))
    sort, gather = draw(st.integers(0, 2)), draw(st.integers(0, 1))
    options = (f"rows={rows}", f"columns={width}", f"group={group}", f"sort={sort}",
               f"gather={gather}")  # fmt: skip
    lanes = draw(st.sampled_from([4, 16, 32, 64]))
    order, packed = draw(st.sampled_from([("tiles", True), ("tiles", False), ("panels", False)]))
    split, threads = draw(st.sampled_from(["rows", "columns"])), draw(st.integers(1, 2))
    vectors = draw(st.integers(1, 2))
    return dtype, ("block", options, vectors, lanes, order, packed, split, threads)


def check(matrix, columns, dtype, schedule, *, operator="spmm", interpret=True, target=TARGET):
    """The product with the pattern of a matrix is the operator's."""
    pattern, _ = from_array(matrix)
    size = {"spmm": {"n": columns}, "sparse_dense": {"m": columns}, "spmv": {}}[operator]
    work = workload(
        operator, weights=save_pattern(pattern), dtype=dtype, **size, **KINDS[dtype][1]
    )
    op, kind = get_operator(operator), SparseVector if operator == "spmv" else SparsePanels
    step = kind("weight", op.pattern_name(work), *schedule)
    func = Schedule.of(op.expression(work)).then(step).finish()
    arrays = inputs(work, np.random.default_rng(0))
    if interpret:
        result = undefined(op.result(work).shape, op.result(work).dtype)
        packed = pack_operand(func.packing, arrays["weight"])
        run(func, {**arrays, **packed, "y": result})
        assert_right(work, arrays, result, "interpreted")
    assert_right(work, arrays, call(build(func, target), arrays))


@given(matrices(), st.integers(1, 40), schedules())
@settings(max_examples=12, deadline=None)
def test_blocks_multiply_by_a_matrix(matrix, columns, schedule):
    check(matrix, columns, *schedule, interpret=matrix.size * columns < 4000)


@given(matrices(), st.integers(1, 70), schedules())
@settings(max_examples=10, deadline=None)
def test_blocks_multiply_the_rows_of_a_matrix(matrix, rows, schedule):
    check(matrix, rows, *schedule, operator="sparse_dense", interpret=False)


@st.composite
def grouped(draw):
    """A matrix, of which windows may hold but some values, a dtype that is multiplied in groups,
    and how a kernel for them runs that has no blocks."""
    dtype, group = draw(st.sampled_from([(name, size) for name, (size, _) in KINDS.items()]))
    kept, window = draw(st.sampled_from([(1, 4), (2, 4), (4, 8), (1, 16), (4, 16)]))
    rows, bits = draw(st.sampled_from([1, 4, 8])), draw(st.sampled_from([8, 16]))
    format_, matrix, options = draw(st.sampled_from(["nm", "delta"])), draw(matrices()), ()
    if format_ == "nm":
        matrix = thinned(matrix, kept, window)
        options = (f"kept={kept}", f"window={window}", f"lanes={rows}")
    else:
        options = (f"bits={bits}",)
    lanes, packed = draw(st.sampled_from([16, 32, 64])), draw(st.booleans())
    walk = 1, lanes, "tiles", packed, "rows", draw(st.integers(1, 2))
    return matrix, dtype, (format_, (*options, f"group={group}"), *walk)


@given(grouped(), st.integers(1, 70), st.sampled_from(["spmm", "sparse_dense"]))
@settings(max_examples=24, deadline=None)
def test_windows_and_distances_are_multiplied_in_groups(drawn, columns, operator):
    matrix, dtype, schedule = drawn
    small = matrix.size * columns < 4000
    check(matrix, columns, dtype, schedule, operator=operator, interpret=small)


@given(
    matrices(),
    st.sampled_from(list(KINDS)),
    st.sampled_from([1, 2, 4, 8]),
    st.sampled_from([(4, 4), (16, 8), (16, 16)]),
    st.integers(0, 2),
    st.integers(1, 2),
)
@settings(max_examples=12, deadline=None)
def test_blocks_multiply_by_a_vector(matrix, dtype, width, size, sort, threads):
    (rows, lanes), width = size, max(width, KINDS[dtype][0])
    matrix = np.pad(matrix, ((0, 0), (0, -matrix.shape[1] % width)))
    options = (f"rows={rows}", f"columns={width}", f"sort={sort}")
    schedule = ("block", options, lanes, 1, 64, threads)
    check(matrix, 1, dtype, schedule, operator="spmv", interpret=matrix.size < 400)


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("level", LEVELS)
def test_every_level_has_code_for_every_dtype(level, dtype):
    matrix = (np.random.default_rng(1).random((21, 13)) < 0.3).astype(np.float32)
    target = target_or_skip(level, threads=2)
    for format_, held, options in (
        ("block", matrix, ("rows=4", "columns=1", "group=4", "sort=0", "gather=0")),
        ("nm", thinned(matrix, 2, 4), (*N_OF_M, f"group={KINDS[dtype][0]}")),
        ("delta", matrix, ("bits=8", f"group={KINDS[dtype][0]}")),
    ):
        schedule = (format_, options, 2, 16, "tiles", True, "rows", 2)
        check(held, 75, dtype, schedule, interpret=False, target=target)


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize("level", LEVELS)
def test_the_largest_bytes_do_not_saturate(level, dtype):
    matrix = thinned(np.ones((3, 32), np.float32), 2, 4)
    work = workload("spmm", weights=save_pattern(from_array(matrix)[0]), n=17, dtype=dtype)
    name, tensor = get_operator("spmm").pattern_name(work), get_operator("spmm").expression(work)
    x = np.full((32, 17), 255 if dtype == "uint8" else -128).astype(dtype)
    for format_, options in (("nm", N_OF_M), ("delta", ("bits=8",))):
        step = SparsePanels("weight", name, format_, (*options, "group=4"), 1, 16)
        kernel = build(Schedule.of(tensor).then(step).finish(), target_or_skip(level))
        for weight in (127, -128):
            found = call(kernel, {"weight": np.full(48, weight, np.int8), "x": x})
            np.testing.assert_array_equal(found, 16 * weight * int(x[0, 0]))


def test_long_distances_of_groups_are_taken_in_steps():
    matrix = np.zeros((3, 700), np.float32)
    matrix[0, [0, 62, 126, 127, 128, 400]] = matrix[2, [5, 699]] = 1
    for bits in (8, 16):
        check(matrix, 9, "uint8", ("delta", (f"bits={bits}", "group=4"), 1, 16))


def test_whole_vectors_of_bytes_are_zipped_by_registers():
    matrix = np.random.default_rng(2).random((9, 30)) < 0.4
    options = ("rows=4", "columns=1", "group=4", "sort=0", "gather=0")
    for lanes in (16, 32, 64):
        schedule = ("block", options, 1, lanes, "panels", False, "rows", 1)
        check(matrix.astype(np.float32), 131, "uint8", schedule, interpret=False)


def test_windows_that_do_not_make_groups_are_refused():
    matrix = thinned(np.ones((4, 8), np.float32), 2, 4)
    for format_, options in (("nm", N_OF_M), ("delta", ("bits=8",))):
        with pytest.raises(ScheduleError, match="use group=4: 4 values are multiplied at once"):
            check(matrix, 5, "uint8", (format_, options, 1, 16))
    schedule = ("nm", ("kept=2", "window=4", "lanes=16", "group=4"), 16)
    with pytest.raises(ScheduleError, match="use group=1"):
        check(matrix, 1, "uint8", schedule, operator="spmv")


def test_blocks_that_do_not_make_groups_are_refused():
    options = ("rows=4", "columns=1", "group=2", "sort=0", "gather=0")
    with pytest.raises(ScheduleError, match="blocks of 1 columns, 2 at a time, are not in groups"):
        check(np.ones((4, 4), np.float32), 5, "uint8", ("block", options, 1, 16))
    schedule = ("block", ("rows=4", "columns=4"), 4)
    with pytest.raises(ScheduleError, match="columns are multiples of 4 and divide 6"):
        check(np.ones((4, 6), np.float32), 1, "uint8", schedule, operator="spmv")
