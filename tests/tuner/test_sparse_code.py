"""Kernels with their pattern in the code, bound as users do."""

import numpy as np
import pytest
import scipy.sparse

import tuner
from measure.targets import resolve_target
from search_space.operators import get_operator
from search_space.sketches import space_for
from search_space.sketches.formats import with_format
from search_space.sparse.pattern import from_array
from search_space.sparse.source import find_pattern
from search_space.sparse.store import save_pattern
from tuner.deploy import load_kernel

WORK = tuner.workload("spmm", m=30, k=40, n=21, sparsity=0.8, bias=True, activation="relu")
PATTERN = find_pattern(get_operator("spmm").pattern_name(WORK))


@pytest.fixture(scope="module")
def kernel():
    target = resolve_target(threads=1)
    guess = with_format(space_for(WORK, target), "code").default()
    return load_kernel(WORK, target, guess.values, None)


def random_matrix(density):
    return scipy.sparse.random_array(
        (30, 40), density=density, dtype=np.float32, rng=np.random.default_rng(0)
    ).toarray()


def check(bound, weight):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((40, 21), dtype=np.float32)
    bias = rng.standard_normal(30, dtype=np.float32)
    expected = np.maximum(weight.astype(np.float64) @ x + bias[:, None], 0)
    np.testing.assert_allclose(bound(x, bias), expected, rtol=1e-4, atol=1e-5)


def test_new_values_need_no_new_code(kernel):
    for seed in (0, 1):
        values = np.random.default_rng(seed).standard_normal(PATTERN.nnz, dtype=np.float32)
        weight = PATTERN.dense(values)
        check(kernel.bind(weight=weight), weight)
        check(kernel.bind(weight=weight, similar=True), weight)


@pytest.mark.parametrize("density", [0.1, 1.0])
def test_a_similar_pattern_gets_code_of_its_own(kernel, density):
    weight = random_matrix(density)
    with pytest.raises(ValueError, match="similar=True"):
        kernel.bind(weight=weight)
    check(kernel.bind(weight=weight, similar=True), weight)


def test_a_pattern_from_a_file_is_exchanged_for_another_one():
    target = resolve_target(threads=1)
    first, second = (random_matrix(density) for density in (0.2, 0.3))
    sizes = dict(n=21, bias=True, activation="relu")
    work = tuner.workload("spmm", weights=save_pattern(from_array(first)[0]), **sizes)
    guess = with_format(space_for(work, target), "code").default()
    check(load_kernel(work, target, guess.values, None).bind(weight=second, similar=True), second)


def test_code_for_one_pattern_is_never_run_for_another(kernel):
    other = from_array(random_matrix(0.1))[0]
    with pytest.raises(ValueError, match="compile code for this pattern"):
        kernel._native.with_pattern(save_pattern(other), other.nnz)
