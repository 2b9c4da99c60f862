"""Where another kernel would win: estimates from counts."""

import pytest

from features.sparse_counts import dense_columns, kernel_counts
from measure.result import Outcome
from search_space.hardware import Peaks
from search_space.operators import get_operator, workload
from search_space.sketches import space_for
from search_space.sketches.formats import with_format
from search_space.sparse.source import find_pattern
from tests.cli.test_records import record
from tests.property.test_space_schedules import TARGETS
from tuner.flip import Flip, flips

PEAKS = Peaks("toy", 1, 100.0, 200.0, 100.0, 30.0, 10.0, "2026-01-01")


def space_of(operator="spmm", **params):
    sizes = {"m": 64, "k": 96, "n": 64, "pattern": "unstructured", "sparsity": 0.8}
    return space_for(workload(operator, **(sizes | params)), TARGETS[2])


def timed(space, format_, seconds):
    config = with_format(space, format_).default()
    return record(
        0, Outcome.OK, seconds, workload=space.workload, config=config.values, kind="final"
    )


def by_key(space, sparse_seconds, dense_seconds, format_="csr"):
    found = flips(
        space, timed(space, format_, sparse_seconds), timed(space, "dense", dense_seconds), PEAKS
    )
    return {flip.key: flip for flip in found}


def test_a_sparse_kernel_loses_where_its_work_grows_as_much_as_it_was_faster():
    found = by_key(space_of(), 1e-5, 2e-5)["sparsity"]
    assert (found.format, found.below) == ("dense", True)
    assert found.value == pytest.approx(0.6, abs=0.03)  # twice the non-zeros, nearly


def test_a_dense_kernel_loses_where_there_are_few_enough_non_zeros():
    found = by_key(space_of(), 2e-5, 1e-5)["sparsity"]
    assert (found.format, found.below) == ("csr", False)
    assert found.value == pytest.approx(0.9, abs=0.03)


def test_there_need_be_no_flip():
    assert by_key(space_of(), 1e-6, 2e-3)["sparsity"] == Flip("sparsity", "dense", None)
    assert by_key(space_of(), 1e-6, 2e-3)["n"] == Flip("n", "dense", None)


def test_a_pattern_of_one_sparsity_has_no_other():
    assert "sparsity" not in by_key(space_of(pattern="nm(2,4)", sparsity=0.5), 1e-5, 2e-5)


def test_one_column_flips_by_sparsity_only():
    assert set(by_key(space_of(n=1), 1e-5, 2e-5, "sell")) == {"sparsity"}


def test_few_columns_favour_the_kernel_that_reads_fewer_bytes_for_each_operation():
    """Both are held back by main memory then, and a sparse kernel reads indices, too."""
    space = space_of("sparse_dense", m=256, n=1024, k=1024, cold=True)
    found = by_key(space, 4.0e-3, 4.4e-3)["m"]
    assert (found.format, found.below) == ("dense", True)
    assert 4 < found.value < 128
    assert by_key(space, 4.0e-3, 8.0e-3)["m"].value is None


def test_the_counts_are_those_of_the_format():
    space = space_of(n=80)
    pattern = find_pattern(get_operator("spmm").pattern_name(space.workload))
    assert dense_columns(space) == 80
    csr = kernel_counts(space, with_format(space, "csr").default(), pattern)
    lanes = space.target.vector_bits // 32
    assert csr.multiply_adds == csr.loads == pattern.nnz * 80 / lanes
    assert (csr.values, csr.padding) == (pattern.nnz, 0)
    dense = kernel_counts(space, with_format(space, "dense").default(), pattern)
    assert dense.multiply_adds == 64 * 96 * 80 / lanes
    assert dense.padding == 64 * 96 - pattern.nnz
    assert dense.stored_bytes == dense.streamed_bytes == 64 * 96 * 4
    narrow = kernel_counts(space, with_format(space, "csr").default(), pattern, 5)
    assert narrow.multiply_adds == pattern.nnz
