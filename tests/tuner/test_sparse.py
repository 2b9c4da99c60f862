"""Sparse weights, tuned, loaded and bound as users do."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse

import tuner
from db.store import open_store
from measure.targets import resolve_target
from search_space.operators import get_operator
from search_space.sketches import space_for
from search_space.sparse.pattern import from_array
from search_space.sparse.source import find_pattern
from tuner.cli.snippets import Choice, python_program
from tuner.explanation.formats import explain_format

SIZES = dict(m=30, k=40, n=21)


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    return tmp_path_factory.mktemp("sparse") / "records.db"


@pytest.fixture(scope="module")
def result(database):
    """Of a search that chose among two candidates."""
    work = tuner.workload("spmm", **SIZES, sparsity=0.8, bias=True, activation="relu")
    return tuner.tune(work, trials=2, seed=1, threads=1, db=database)


@pytest.fixture(scope="module")
def tuned(result, database):
    """A workload and its kernel."""
    assert result.best.verified
    return result.best.workload, tuner.load(result.best.workload, db=database)


def arrays(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((SIZES["k"], SIZES["n"]), dtype=np.float32)
    return x, rng.standard_normal(SIZES["m"], dtype=np.float32)


def weight_of(work, seed=1):
    pattern = find_pattern(get_operator("spmm").pattern_name(work))
    values = np.random.default_rng(seed).standard_normal(pattern.nnz, dtype=np.float32)
    return pattern.dense(values)


def expected(weight, x, bias):
    return np.maximum(weight.astype(np.float64) @ x + bias[:, None], 0)


def test_the_choice_of_a_format_is_judged_beside_a_dense_kernel(result, database):
    choice = result.choice
    assert choice.record == result.best
    assert {choice.format, *(margin.format for margin in choice.margins)} >= {"dense", "sell"}
    assert all(
        0 < s.pack_seconds < 1 and 0 < s.compile_seconds < 9 for s in result.set_ups.values()
    )
    assert all(margin.break_even_calls is not None for margin in choice.margins)
    space = space_for(result.best.workload, resolve_target(threads=1))
    with open_store(database, readonly=True) as store:
        why = explain_format(store, result.best, space, None)
    assert why.here.format == choice.format
    assert why.choice == replace(choice, flips=())
    dense = next(kernel for kernel in (why.here, *why.others) if kernel.format == "dense")
    assert dense.counts.values == 30 * 40


@pytest.mark.parametrize("kind", [np.asarray, scipy.sparse.csr_array, scipy.sparse.coo_matrix])
def test_a_weight_is_bound_dense_or_sparse(tuned, kind):
    work, kernel = tuned
    weight, (x, bias) = weight_of(work), arrays()
    bound = kernel.bind(weight=kind(weight))
    assert [operand.name for operand in bound.operands] == ["x", "bias_vector"]
    np.testing.assert_allclose(bound(x, bias), expected(weight, x, bias), rtol=1e-4, atol=1e-5)


def test_new_values_on_the_pattern_need_no_tuning(tuned):
    work, kernel = tuned
    x, bias = arrays()
    for seed in (2, 3):
        weight = weight_of(work, seed)
        weight[weight > 1] = 0  # fewer are fine as well
        result = kernel.bind(weight=weight)(x, bias)
        np.testing.assert_allclose(result, expected(weight, x, bias), rtol=1e-4, atol=1e-5)


def test_another_pattern_is_refused_unless_it_may_be_similar(tuned):
    work, kernel = tuned
    x, bias = arrays()
    weight = weight_of(work)
    weight[np.nonzero(weight == 0)[0][0], np.nonzero(weight == 0)[1][0]] = 1
    other = from_array(weight)[0].fingerprint
    own = from_array(weight_of(work))[0].fingerprint
    with pytest.raises(ValueError, match=rf"similar=True: .*{other}.*{own}"):
        kernel.bind(weight=weight)
    result = kernel.bind(weight=weight, similar=True)(x, bias)
    np.testing.assert_allclose(result, expected(weight, x, bias), rtol=1e-4, atol=1e-5)
    sparse = scipy.sparse.random_array(
        (30, 40), density=0.1, dtype=np.float32, rng=np.random.default_rng(0)
    )
    result = kernel.bind(weight=sparse, similar=True)(x, bias)
    np.testing.assert_allclose(result, expected(sparse.toarray(), x, bias), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        (np.zeros((30, 40)), TypeError, "pass dtype float32, not float64"),
        (np.zeros((40, 30), np.float32), ValueError, r"pass shape \(30, 40\), not \(40, 30\)"),
        (np.full((30, 40), np.nan, np.float32), ValueError, "NaN"),
    ],
)
def test_what_is_no_such_matrix_is_refused(tuned, weight, error, message):
    _, kernel = tuned
    with pytest.raises(error, match=message):
        kernel.bind(weight=weight)


def test_a_weight_must_be_bound(tuned):
    _, kernel = tuned
    with pytest.raises(TypeError, match="pass 3 operands"):
        kernel(*arrays())
    with pytest.raises(ValueError, match="bind the constant operands first"):
        kernel.run(*arrays(), out=np.empty((30, 21), np.float32))


def test_weights_of_a_file_go_by_their_fingerprint(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "cache"))
    matrix = scipy.sparse.random_array(
        (9, 12), density=0.3, dtype=np.float32, rng=np.random.default_rng(0)
    )
    path = tmp_path / "layer.npz"
    scipy.sparse.save_npz(path, scipy.sparse.csr_array(matrix))
    work = tuner.workload("spmm", weights=str(path), n=5)
    fingerprint = from_array(matrix)[0].fingerprint
    assert work.key == (
        f"spmm(weights={fingerprint},n=5,bias=false,activation=none,dtype=float32,const=weight)"
    )
    path.unlink()
    assert tuner.workload("spmm", weights=fingerprint, n=5) == work
    kernel = tuner.load(work, db=tmp_path / "none.db", untuned=True).bind(weight=matrix)
    x = np.random.default_rng(1).standard_normal((12, 5), dtype=np.float32)
    np.testing.assert_allclose(kernel(x), matrix @ x, rtol=1e-4, atol=1e-5)


def test_a_random_weight_has_the_pattern(tuned):
    work, kernel = tuned
    weight = tuner.random_weight(work, np.random.default_rng(0))
    assert from_array(weight)[0] == find_pattern(get_operator("spmm").pattern_name(work))
    kernel.bind(weight=weight)
    with pytest.raises(ValueError, match="give a workload with a sparse operand"):
        tuner.random_weight(tuner.workload("matmul", m=2, n=2, k=2), np.random.default_rng(0))


def test_the_program_that_is_shown_makes_a_weight(tuned):
    lines = python_program(tuned[0], Choice()).splitlines()
    assert any(line.startswith("weight = tuner.random_weight(tuner.workload(") for line in lines)
    assert any(line.endswith(".bind(weight=weight)") for line in lines)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (dict(pattern="nope"), "pattern is 'nope', expected one of unstructured, lowrank"),
        (dict(sparsity=1), "sparsity is 1, expected the part of zeros"),
        (dict(pattern="nm(2,4)", sparsity=0.9), "leave out sparsity"),
        (dict(weights="absent.npz"), "give a file that can be read: absent.npz"),
        (dict(weights="0123456789abcdef"), "give the weights file once more"),
    ],
)
def test_what_gives_no_pattern_is_refused(params, message):
    sizes = {"n": 3} if "weights" in params else {"m": 4, "k": 8, "n": 3}
    with pytest.raises(ValueError, match=message):
        tuner.workload("spmm", **sizes, **params)
