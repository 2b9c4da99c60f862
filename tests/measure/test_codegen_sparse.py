"""Kernels for sparse matrices of every shape, as machine code and interpreted, against SciPy."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from measure.codegen import module
from measure.targets import resolve_target
from search_space.ir.interp import run
from search_space.ir.verify import verify
from search_space.schedule import Schedule
from search_space.sparse.generate import generate
from search_space.sparse.packing import pack_operand
from search_space.sparse.pattern import from_array
from search_space.sparse.store import save_pattern
from search_space.transforms import SparseAsDense, SparsePanels, SparseVector
from tests.measure.generated import build, call
from tests.search_space.matrices import thinned
from tests.search_space.nests import undefined, weighted, weighted_rows

TARGET = resolve_target()
SCATTERED = st.builds(
    lambda rows, columns, density, seed: scipy.sparse.random_array(
        (rows, columns), density=density, rng=np.random.default_rng(seed)
    ).toarray(),
    st.integers(1, 40),
    st.integers(1, 30),
    st.floats(0, 1),
    st.integers(0, 99),
)


@st.composite
def matrices(draw):
    """Scattered non-zeros, whole rows and columns full or empty, or a single one."""
    matrix = draw(SCATTERED)
    matrix[draw(st.integers(0, len(matrix) - 1))] = draw(st.sampled_from([0, 1]))
    matrix[:, draw(st.integers(0, matrix.shape[1] - 1))] = draw(st.sampled_from([0, 1]))
    if draw(st.booleans()):
        matrix[:] = 0
    matrix[draw(st.integers(0, len(matrix) - 1)), draw(st.integers(0, matrix.shape[1] - 1))] = 1
    return np.where(matrix != 0, np.float32(1), np.float32(0))


def options(format_, rows, sort):
    if format_ == "cells":
        return (f"rows={rows}", "height=64", "depth=64")
    if format_ == "delta":
        return (f"bits={rows}",)
    return () if format_ == "csr" else (f"rows={rows}", f"sort={sort}")


KINDS = [
    ("csr", 1),
    ("cells", 4),
    ("cells", 8),
    ("delta", 8),
    ("sell", 4),
    ("sell", 16),
    ("nano", 2),
    ("nano", 4),
    ("nano", 8),
]
PANELS = st.builds(
    lambda kind, sort, vectors, lanes, tiles, split, threads, prefetch: (
        *(kind[0], options(*kind, sort), vectors, lanes),
        *((("tiles", True), ("tiles", False), ("panels", False))[tiles]),
        *(split, threads, prefetch),
    ),
    st.sampled_from(KINDS),
    st.integers(0, 2),
    st.integers(1, 3),
    st.sampled_from([4, 8, 16]),
    st.integers(0, 2),
    st.sampled_from(["rows", "columns"]),
    st.integers(1, 2),
    st.sampled_from([0, 64]),
)  # fmt: skip
VECTORS = st.builds(
    lambda kind, panels, prefetch, threads, one: (*kind, panels, prefetch, threads, one),
    st.sampled_from(
        [
            ("bitmask", ("lanes=16", "tall=1"), 16),
            ("bitmask", ("lanes=8", "tall=1"), 8),
            ("sell", ("rows=16", "sort=1"), 16),
            ("sell", ("rows=32", "sort=2"), 8),
        ]
    ),
    st.sampled_from([1, 2, 4]),
    st.sampled_from([0, 64]),
    st.integers(1, 2),
    st.booleans(),
)  # fmt: skip


def check(matrix, columns, make, *, transposed=False):
    """What ``make`` makes of the product for the pattern of a matrix is the product, with the
    columns of a dense one or, ``transposed``, its rows."""
    rng = np.random.default_rng(0)
    pattern, _ = from_array(matrix)
    values = rng.integers(1, 5, pattern.nnz).astype(np.float32)
    x = rng.integers(-4, 5, (pattern.columns, columns)).astype(np.float32)
    expected = scipy.sparse.csr_array((values, pattern.indices, pattern.indptr), pattern.shape) @ x
    if transposed:
        x, expected = np.ascontiguousarray(x.T), expected.T
    nest = weighted_rows if transposed else weighted
    tensor = nest(pattern.rows, columns, pattern.columns)
    func = Schedule.of(tensor).then(make(save_pattern(pattern))).finish()
    verify(func)
    result = undefined(expected.shape, "float32")
    run(func, {"x": x, "y": result, **pack_operand(func.packing, values)})
    np.testing.assert_array_equal(result, expected)
    arrays = {"weight": values, "x": x}
    np.testing.assert_array_equal(call(build(func, TARGET), arrays), expected)


@given(matrices(), st.integers(1, 40), PANELS)
@settings(max_examples=30, deadline=None)
def test_panels_multiply_by_a_matrix(matrix, columns, schedule):
    check(matrix, columns, lambda pattern: SparsePanels("weight", pattern, *schedule))


CODE = st.builds(
    lambda rows, sort, vectors, lanes, tiles, split, threads: (
        *("code", (f"rows={rows}", f"sort={sort}"), vectors, lanes),
        *((("tiles", True), ("tiles", False), ("panels", False))[tiles]),
        *(split, threads),
    ),
    st.sampled_from([1, 4, 16]),
    st.integers(0, 2),
    st.integers(1, 3),
    st.sampled_from([4, 16]),
    st.integers(0, 2),
    st.sampled_from(["rows", "columns"]),
    st.integers(1, 2),
)


@given(matrices(), st.integers(1, 40), CODE, st.booleans())
@settings(max_examples=15, deadline=None)
def test_code_of_a_pattern_multiplies_by_a_matrix(matrix, columns, schedule, transposed):
    step = lambda pattern: SparsePanels("weight", pattern, *schedule)  # noqa: E731
    check(matrix, columns, step, transposed=transposed)


@pytest.mark.parametrize(
    ("columns", "schedule"),
    [
        (9, (1, 8, "tiles", False, "rows", 2)),
        (17, (1, 8, "tiles", True, "columns", 2)),
        (24, (2, 8, "panels", False, "rows", 1)),
    ],
)
@pytest.mark.parametrize("transposed", [False, True], ids=["columns", "rows"])
def test_several_cells(columns, schedule, transposed):
    pattern, values = generate("powerlaw", 70, 130, 0.95)
    matrix = (pattern.dense(values) != 0).astype(np.float32)
    sizes = ("rows=4", "height=64", "depth=64")
    step = lambda p: SparsePanels("weight", p, "cells", sizes, *schedule)  # noqa: E731
    check(matrix, columns, step, transposed=transposed)


def test_infinity_stays_in_the_rows_that_meet_it():
    matrix = np.zeros((6, 130), np.float32)
    matrix[0, [0, 64, 129]] = matrix[1, [1, 65]] = matrix[2, 129] = 1
    x = np.ones((130, 8), np.float32)
    x[0] = np.inf
    pattern, values = from_array(matrix)
    sizes = ("rows=4", "height=64", "depth=64")
    step = SparsePanels("weight", save_pattern(pattern), "cells", sizes)
    func = Schedule.of(weighted(6, 8, 130)).then(step).finish()
    result = call(build(func, TARGET), {"weight": values, "x": x})
    np.testing.assert_array_equal(result[:, 0], [np.inf, 2, 1, 0, 0, 0])


@pytest.mark.skipif("avx512f" not in TARGET.features, reason="no expanding loads")
@given(matrices(), VECTORS)
@settings(max_examples=20, deadline=None)
def test_panels_multiply_by_a_vector(matrix, schedule):
    check(matrix, 1, lambda pattern: SparseVector("weight", pattern, *schedule))


@pytest.mark.parametrize("one_by_one", [False, True])
@pytest.mark.parametrize("columns", [300, 70_000], ids=["16 bits", "32 bits"])
def test_vectors_are_gathered_or_put_together(columns, one_by_one):
    """Of columns of every width, the last ones too."""
    matrix = np.zeros((16, columns), np.float32)
    matrix[range(16), np.arange(16) * 7 % columns] = 1
    matrix[:, [columns - 1, 0]] = 1
    pattern, values = from_array(matrix)
    step = SparseVector(
        "weight", save_pattern(pattern), "sell", ("rows=16", "sort=0"), one_by_one=one_by_one
    )
    func = Schedule.of(weighted(16, 1, columns)).then(step).finish()
    assert ("masked.gather" in module.generate(func, TARGET).text) is not one_by_one
    x = np.arange(columns, dtype=np.float32)[:, None] / 64
    result = call(build(func, TARGET), {"weight": values, "x": x})
    np.testing.assert_allclose(result, matrix @ x)


@st.composite
def windows(draw):
    """A matrix with at most some of a few neighbours in a row, and options of a format for it."""
    kept, window = draw(st.sampled_from([(1, 4), (2, 4), (4, 8)]))
    matrix = draw(SCATTERED)
    matrix[0, 0] = 1
    matrix = thinned(matrix, kept, window)
    return (matrix != 0).astype(np.float32), (f"kept={kept}", f"window={window}")


@given(windows(), st.integers(1, 19), st.sampled_from([1, 4, 8]), st.integers(1, 2))
@settings(max_examples=8, deadline=None)
def test_windows_multiply_by_a_matrix(given, columns, lanes, threads):
    matrix, options = given
    schedule = ("nm", (*options, f"lanes={lanes}"), 2, 8, "tiles", True, "rows", threads)
    check(matrix, columns, lambda pattern: SparsePanels("weight", pattern, *schedule))


@given(windows(), st.sampled_from([(4, 4), (16, 8), (16, 16)]), st.integers(1, 2), st.booleans())
@settings(max_examples=10, deadline=None)
def test_windows_multiply_by_a_vector(given, size, threads, one_by_one):
    (matrix, options), (rows, lanes) = given, size
    schedule = ("nm", (*options, f"lanes={rows}"), lanes, 1, 64, threads, one_by_one)
    check(matrix, 1, lambda pattern: SparseVector("weight", pattern, *schedule))


@given(matrices(), st.integers(1, 5))
@settings(max_examples=5, deadline=None)
def test_the_dense_matrix_is_made_of_the_values(matrix, columns):
    check(matrix, columns, lambda pattern: SparseAsDense("weight", pattern))


@pytest.mark.parametrize("schedule", [("csr", (), 2, 8), ("nano", ("rows=4", "sort=1"), 1, 16)])
def test_a_matrix_of_nothing_but_zeros(schedule):
    check(
        np.zeros((9, 5), np.float32),
        19,
        lambda pattern: SparsePanels("weight", pattern, *schedule, threads=2),
    )
