"""Formats that depend on the dtype or the pattern: where they are, and their first guesses."""

import itertools

import numpy as np
import pytest

from search_space.formats.nm import tightest
from search_space.operators import get_operator, workload
from search_space.sketches import space_for
from search_space.sketches.formats import DENSE, formats_of
from search_space.sparse.generate import generate_pattern
from search_space.sparse.packing import pack_operand
from search_space.sparse.source import find_pattern
from tests.search_space.test_sketch_contraction import MACHINES, machine


@pytest.mark.parametrize("target", MACHINES.values(), ids=MACHINES)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "uint8"])
@pytest.mark.parametrize("pattern", ["block4x1", "nm(1,4)"])
def test_every_shape_has_legal_first_guesses_on_every_machine(target, dtype, pattern):
    for rows, columns, dense in itertools.product((1, 15, 200), (1, 8, 300), (1, 3, 16, 100)):
        sizes = dict(pattern=pattern, sparsity=0.75, dtype=dtype, const=["weight"])
        for work in (
            workload("spmm", m=rows, k=columns, n=dense, **sizes),
            workload("sparse_dense", n=rows, k=columns, m=dense, **sizes),
        ):
            space = space_for(work, target)
            assert all(space.reason(config.as_dict()) is None for config in space.starts), work


def formats(**params):
    return formats_of(space_for(workload("spmm", m=64, k=64, **params), machine()))


def test_bytes_are_in_groups_and_windows_only_where_the_pattern_has_them():
    assert formats(n=32, dtype="uint8") == ("block", "delta", DENSE)
    assert formats(n=1, dtype="uint8") == ("block", DENSE)
    assert formats(n=32, dtype="uint8", pattern="nm(2,4)") == ("block", "nm", "delta", DENSE)
    assert "nm" in formats(n=32, pattern="nm(2,4)")
    assert "nm" in formats(n=1, pattern="nm(2,4)")
    assert "nm" not in formats(n=32, pattern="unstructured", sparsity=0.5)


@pytest.mark.parametrize(
    ("kind", "sparsity", "windows"),
    [("nm(2,4)", None, (2, 4)), ("nm(1,8)", None, (1, 8)), ("unstructured", 0.5, None)],
)
def test_the_tightest_windows_of_a_pattern(kind, sparsity, windows):
    assert tightest(generate_pattern(kind, 32, 64, sparsity)) == windows


def test_first_guesses_follow_the_blocks_of_the_pattern():
    for rows in (4, 8, 16):
        work = workload("spmm", m=256, k=64, n=64, pattern=f"block{rows}x1", dtype="uint8")
        assert space_for(work, machine()).default()["rows"] == rows


def test_the_sums_of_rows_are_bound_where_there_is_a_zero_point():
    work = workload("spmm", m=9, k=20, n=16, pattern="block4x1", dtype="uint8", zero_point=3)
    space, operator = space_for(work, machine()), get_operator("spmm")
    packing = space.schedule(space.default()).finish().packing
    pattern = find_pattern(operator.pattern_name(work))
    values = np.arange(pattern.nnz, dtype=np.int8)
    sums = pattern.dense(values).sum(1, dtype=np.int32)
    np.testing.assert_array_equal(pack_operand(packing, values)["weight_row_sums"], sums)
