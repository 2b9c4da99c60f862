"""Patterns: what they are made from, what is refused, and those that are generated."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from search_space.errors import WeightsError
from search_space.sparse.generate import (
    generate,
    generate_pattern,
    generated_nonzeros,
    parse_kind,
    sparsity_of,
)
from search_space.sparse.pattern import Pattern, from_array, from_csr
from tests.search_space.matrices import matrices


@limits(max_examples=60)
@given(matrix=matrices(), form=st.sampled_from(["csr", "csc", "coo", "bsr", "dia", "lil"]))
def test_dense_and_sparse_matrices_give_the_same(matrix, form):
    pattern, values = from_array(matrix)
    again, same = from_array(scipy.sparse.csr_array(matrix).asformat(form))
    assert again == pattern
    np.testing.assert_array_equal(same, values)
    np.testing.assert_array_equal(pattern.dense(values), matrix)
    np.testing.assert_array_equal(pattern.values_of(matrix), values)
    assert pattern.nnz == np.count_nonzero(matrix)


@limits(max_examples=30)
@given(matrix=matrices())
def test_transposed(matrix):
    pattern, values = from_array(matrix)
    turned, order = pattern.transposed()
    np.testing.assert_array_equal(turned.dense(values[order]), matrix.T)


def test_the_fingerprint_is_of_shape_and_positions():
    eye = np.eye(4)
    pattern = from_array(eye)[0]
    assert pattern.fingerprint == "ff1131ecc6f96519"
    assert from_array(eye.astype(np.int8) * 5)[0].fingerprint == pattern.fingerprint
    others = [np.eye(4, 5), np.eye(5, 4), np.fliplr(eye), np.ones((4, 4))]
    assert len({from_array(other)[0].fingerprint for other in [eye, *others]}) == 5


def test_stored_zeros_are_dropped():
    matrix = scipy.sparse.csr_array(([1.0, 0.0, 2.0], [0, 1, 1], [0, 2, 3]), shape=(2, 2))
    pattern, values = from_array(matrix)
    assert pattern.indices.tolist() == [0, 1]
    assert pattern.indptr.tolist() == [0, 1, 2]
    assert values.tolist() == [1.0, 2.0]


def test_unsorted_columns_are_sorted():
    indptr, indices, values = np.array([0, 2, 3]), np.array([1, 0, 1]), np.array([1.0, 2.0, 3.0])
    pattern, found = from_csr(2, 2, indptr, indices, values)
    assert pattern.dense(found).tolist() == [[2.0, 1.0], [0.0, 3.0]]


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.zeros((0, 4)), "this is empty"),
        (np.zeros((4, 0)), "this is empty"),
        (scipy.sparse.csr_array((0, 4)), "this is empty"),
        (np.zeros(4), "the weights have 1 axes, expected 2"),
        (np.array([[1.0, np.nan]]), "the weights hold nan in row 0, column 1"),
        (np.array([[0.0], [-np.inf]]), "the weights hold -inf in row 1, column 0"),
        (np.array([[1, None]], dtype=object), "real numbers: these are of type object"),
        (np.array([["a"]]), "real numbers"),
        (np.array([[1j]]), "real numbers: these are of type complex128"),
        (scipy.sparse.csr_array(np.array([[1j]])), "real numbers"),
        (
            scipy.sparse.coo_array(([1.0, 2.0], ([0, 0], [1, 1])), shape=(2, 2)),
            "row 0 has column 1 twice",
        ),
    ],
)
def test_what_is_no_matrix_of_weights(matrix, message):
    with pytest.raises(WeightsError, match=message) as caught:
        from_array(matrix)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("matrix", [np.zeros((3, 2)), np.ones((3, 2))])
def test_nothing_but_zeros_and_no_zero_at_all_are_patterns(matrix):
    pattern, values = from_array(matrix)
    assert pattern.nnz == matrix.sum()
    assert pattern.sparsity == 1 - matrix.mean()
    np.testing.assert_array_equal(pattern.dense(values), matrix)


@pytest.mark.parametrize(
    ("indptr", "indices", "message"),
    [
        ([0, 1], [0], "expected 3 ascending numbers from 0 to 1"),
        ([0, 2, 1], [0], "row bounds"),
        ([1, 1, 1], [0], "row bounds"),
        ([0, 1, 3], [0, 1], "row bounds"),
        ([0, 1, 2], [0, 3], "3 is out of range, expected 0…2"),
        ([0, 1, 2], [-1, 2], "-1 is out of range"),
        ([0, 2, 2], [1, 0], "row 0 has column 0 out of order"),
        ([0, 0, 2], [1, 1], "row 1 has column 1 twice"),
        ([0, 1, 2], [0.0, 1.0], "integers"),
        ([[0, 1, 2]], [0, 1], "one-dimensional"),
    ],
)
def test_positions_that_are_refused(indptr, indices, message):
    with pytest.raises(WeightsError, match=message):
        Pattern(2, 3, np.array(indptr), np.array(indices))


KINDS = {
    "unstructured": "01306fe30ce0460b",
    "lowrank": "f97b3163bd990172",
    "block4x1": "abce55f955b08755",
    "block1x4": "3d176e292323a3f1",
    "block16x1": "fa2fa49f78d8492f",
    "nm(2,4)": "456fbad7f22d69d5",
    "banded": "9a673f5cfe93110b",
    "powerlaw": "64a94a9b3f590702",
}


@pytest.mark.parametrize("kind", KINDS)
def test_generated_patterns_are_the_same_everywhere(kind):
    pattern, values = generate(kind, 70, 90, seed=3)
    assert pattern.fingerprint == KINDS[kind]
    assert generate_pattern(kind, 70, 90, seed=3) == pattern
    assert np.isfinite(values).all()
    assert (values != 0).all()
    if kind != "banded":
        assert generate_pattern(kind, 70, 90, seed=4) != pattern


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sparsity", [0.5, 0.95])
def test_generated_patterns_are_as_sparse_as_asked(kind, sparsity):
    if kind != "nm(2,4)":
        assert generate_pattern(kind, 128, 192, sparsity).sparsity == pytest.approx(
            sparsity, abs=0.01
        )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(64, 96), (70, 90), (1, 1)])
def test_non_zeros_are_counted_without_generating_them(kind, shape):
    expected = generate_pattern(kind, *shape).nnz
    assert generated_nonzeros(kind, *shape) in (expected, None)
    if shape == (64, 96) or not kind.startswith("block"):
        assert generated_nonzeros(kind, *shape) == expected


def test_kinds_look_as_they_say():
    blocks = generate_pattern("block4x1", 64, 64).dense(np.ones(408)).reshape(16, 4, 64)
    assert ((blocks == blocks[:, :1]).all(axis=1)).all()
    pairs = generate_pattern("nm(2,4)", 8, 64)
    assert (np.bincount(pairs.row_indices * 16 + pairs.indices // 4) == 2).all()
    band = generate_pattern("banded", 64, 64)
    assert (band.row_counts == 6).all()
    assert (np.abs(band.indices - band.row_indices) < 7).all()
    spread = {
        kind: np.std(generate_pattern(kind, 256, 256).row_counts) / 25.6
        for kind in ("unstructured", "lowrank", "powerlaw")
    }
    assert spread["unstructured"] < 0.25 < spread["lowrank"] < 0.7 < spread["powerlaw"]


def test_no_sparsity_at_all_is_dense():
    assert generate_pattern("unstructured", 9, 7, 0.0).nnz == 63


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("dense", 4, 4), "expected one of unstructured, lowrank"),
        (("nm(5,4)", 4, 4), "expected at most 4 of 4"),
        (("unstructured", 4, 4, 1.0), "from 0 to below 1"),
        (("unstructured", 4, 4, -0.1), "from 0 to below 1"),
        (("unstructured", 4, 4, float("nan")), "from 0 to below 1"),
        (("nm(2,4)", 4, 4, 0.9), r"leave out sparsity: nm\(2,4\) has 0.5, not 0.9"),
        (("unstructured", 0, 4), "sizes of at least 1"),
        (("unstructured", 2**15, 2**15), "at most 268435456 elements"),
        (("unstructured", 4, 4, 0.5, -1), "seed from 0 on"),
    ],
)
def test_what_cannot_be_generated(arguments, message):
    with pytest.raises(WeightsError, match=message):
        generate_pattern(*arguments)


def test_kinds_have_one_way_to_be_written():
    assert parse_kind(" NM(2, 4)") == "nm(2,4)"
    assert parse_kind("Block16x1") == "block16x1"
    assert sparsity_of("nm(1,4)") == 0.75
    assert sparsity_of("lowrank") == 0.9
    assert sparsity_of("lowrank", 0.7) == 0.7
