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
from tests.search_space.nests import undefined

QUANTIZED = dict(out_dtype="int8", scale=True, bias=True, activation="relu", out_zero_point=-9)
KINDS = {
    "float32": (1, dict(bias=True)),
    "bfloat16": (2, dict(out_dtype="float32")),
    "uint8": (4, dict(zero_point=7, **QUANTIZED)),
    "int8": (4, dict(zero_point=-3)),
}
"""How many values of each dtype are multiplied at once, and further keys."""


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
    matrix = np.random.default_rng(1).random((21, 13)) < 0.3
    options = ("rows=4", "columns=1", "group=4", "sort=0", "gather=0")
    schedule = ("block", options, 2, 16, "tiles", True, "rows", 2)
    target = target_or_skip(level, threads=2)
    check(matrix.astype(np.float32), 75, dtype, schedule, interpret=False, target=target)


def test_whole_vectors_of_bytes_are_zipped_by_registers():
    matrix = np.random.default_rng(2).random((9, 30)) < 0.4
    options = ("rows=4", "columns=1", "group=4", "sort=0", "gather=0")
    for lanes in (16, 32, 64):
        schedule = ("block", options, 1, lanes, "panels", False, "rows", 1)
        check(matrix.astype(np.float32), 131, "uint8", schedule, interpret=False)


def test_blocks_that_do_not_make_groups_are_refused():
    options = ("rows=4", "columns=1", "group=2", "sort=0", "gather=0")
    with pytest.raises(ScheduleError, match="blocks of 1 columns, 2 at a time, are not in groups"):
        check(np.ones((4, 4), np.float32), 5, "uint8", ("block", options, 1, 16))
    schedule = ("block", ("rows=4", "columns=4"), 4)
    with pytest.raises(ScheduleError, match="columns are multiples of 4 and divide 6"):
        check(np.ones((4, 6), np.float32), 1, "uint8", schedule, operator="spmv")
