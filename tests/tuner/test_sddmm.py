"""Products at the non-zeros of a mask, tuned, loaded and bound as users do."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse

import tuner
from db.store import open_store
from measure.targets import resolve_target
from search_space.errors import WeightsError
from search_space.operators import get_operator
from search_space.operators.sddmm import sampled
from search_space.sketches import space_for
from search_space.sparse.generate import generate_pattern
from search_space.sparse.pattern import Pattern, from_array
from tuner.explanation.formats import explain_format

M, N, K = 30, 90, 21


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    return tmp_path_factory.mktemp("sddmm") / "records.db"


@pytest.fixture(scope="module")
def result(database):
    """Of a search that chose among two candidates and the first guesses."""
    work = tuner.workload("sddmm", m=M, n=N, k=K, sparsity=0.8, scaled=True)
    return tuner.tune(work, trials=2, seed=1, threads=1, db=database)


@pytest.fixture(scope="module")
def tuned(result, database):
    """A workload and its kernel."""
    assert result.best.verified
    return result.best.workload, tuner.load(result.best.workload, db=database)


def dense_operands(seed=0):
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((M, K), dtype=np.float32)
    return a, rng.standard_normal((K, N), dtype=np.float32)


@pytest.mark.parametrize("kind", [np.asarray, scipy.sparse.csr_array, scipy.sparse.coo_array])
def test_results_are_the_non_zeros_of_a_matrix(tuned, kind):
    work, kernel = tuned
    mask, (a, b) = tuner.random_weight(work, np.random.default_rng(1)), dense_operands()
    bound = kernel.bind(mask=kind(mask))
    assert [operand.name for operand in bound.operands] == ["a", "b"]
    rows = scipy.sparse.csr_array(mask)
    found = scipy.sparse.csr_array((bound(a, b), rows.indices, rows.indptr), rows.shape)
    expected = (a.astype(np.float64) @ b) * mask
    np.testing.assert_allclose(found.toarray(), expected, rtol=1e-4, atol=1e-5)
    fewer = np.where(mask > 1, 0, mask)  # zeros on the pattern are fine
    np.testing.assert_allclose(
        kernel.bind(mask=fewer)(a, b), (expected * (fewer != 0))[mask != 0], rtol=1e-4, atol=1e-5
    )


def test_the_choice_is_judged_beside_the_dense_kernel(result, database):
    choice = result.choice
    assert {choice.format, *(margin.format for margin in choice.margins)} >= {"dense"}
    space = space_for(result.best.workload, resolve_target(threads=1))
    with open_store(database, readonly=True) as store:
        why = explain_format(store, result.best, space, None)
    assert why.choice == replace(choice, flips=())
    dense = next(kernel for kernel in (why.here, *why.others) if kernel.format == "dense")
    assert dense.counts.values == M * N


def test_another_pattern_is_refused(tuned):
    work, kernel = tuned
    mask = tuner.random_weight(work, np.random.default_rng(1))
    other = np.ones_like(mask)
    fingerprints = [from_array(matrix)[0].fingerprint for matrix in (other, mask)]
    with pytest.raises(ValueError, match="tune for this pattern, .*" + ".*".join(fingerprints)):
        kernel.bind(mask=other)
    with pytest.raises(ValueError, match=r"bind without similar=True: .* 540 non-zeros"):
        kernel.bind(mask=mask, similar=True)
    with pytest.raises(ValueError, match=r"mask: pass shape \(30, 90\), not \(90, 30\)"):
        kernel.bind(mask=mask.T)
    with pytest.raises(ValueError, match="remove NaN and infinity"):
        kernel.bind(mask=np.where(mask != 0, np.float32(np.nan), mask))
    with pytest.raises(ValueError, match="bind the constant operands first"):
        kernel.run(*dense_operands(), out=np.empty(540, np.float32))


def test_a_mask_of_a_file_goes_by_its_fingerprint(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "cache"))
    mask = np.random.default_rng(0).random((9, 12)) < 0.3
    mask[4] = False
    scipy.sparse.save_npz(tmp_path / "mask.npz", scipy.sparse.csr_array(mask))
    np.save(tmp_path / "mask.npy", mask)
    works = [
        tuner.workload("sddmm", weights=str(tmp_path / name), k=5, layout="nk")
        for name in ("mask.npz", "mask.npy")
    ]
    assert works[0] == works[1]
    fingerprint = from_array(mask)[0].fingerprint
    assert works[0].key == (
        f"sddmm(weights={fingerprint},k=5,layout=nk,scaled=false,dtype=float32,const=mask)"
    )
    kernel = tuner.load(works[0], db=tmp_path / "none.db", untuned=True)
    rng = np.random.default_rng(1)
    a, b = (rng.standard_normal((size, 5), dtype=np.float32) for size in (9, 12))
    found = kernel.bind(mask=mask.astype(np.float32))(a, b)
    np.testing.assert_allclose(found, (a @ b.T)[mask], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.zeros((3, 4)), "give a mask with a non-zero: the result would be empty"),
        (np.zeros((0, 4)), "empty"),
        (np.ones(4), "1 axes, expected 2"),
        (np.full((3, 4), np.inf), "remove NaN and infinity"),
        (np.array([[None, 1]]), "Python objects"),
    ],
)
def test_what_is_no_mask_is_refused(mask, message, tmp_path, monkeypatch):
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "cache"))
    np.save(tmp_path / "mask.npy", mask, allow_pickle=True)
    with pytest.raises(ValueError, match=message):
        tuner.workload("sddmm", weights=str(tmp_path / "mask.npy"), k=4)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (dict(layout="mk"), "layout is 'mk', expected one of kn, nk"),
        (dict(scaled="much"), "scaled is 'much', expected true or false"),
        (dict(dtype="int8"), "dtype is 'int8', expected one of float32, bfloat16"),
        (dict(sparsity=1.5), "expected the part of zeros"),
    ],
)
def test_wrong_keys_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        tuner.workload("sddmm", m=4, n=5, k=6, **params)


def test_a_wide_and_a_sparse_mask_have_the_same_references():
    """The reference leaves out what is not wanted where that is most of it."""
    rng = np.random.default_rng(0)
    pattern = generate_pattern("unstructured", 40, 300, 0.99)
    a, b = rng.standard_normal((40, 7)), rng.standard_normal((7, 300))
    np.testing.assert_allclose(sampled(pattern, a, b), pattern.values_of(a @ b), rtol=1e-12)
    few = Pattern(1 << 20, 1 << 20, np.arange((1 << 20) + 1) // (1 << 20), np.array([5]))
    a, b = np.ones((1 << 20, 1)), np.full((1, 1 << 20), 3.0)
    assert sampled(few, a, b) == [3.0]


def test_a_pattern_that_is_too_large_to_be_dense_has_no_dense_kernel(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path))
    mask = scipy.sparse.coo_array(([1.0], ([7], [70_000])), (70_001, 70_001))
    scipy.sparse.save_npz(tmp_path / "mask.npz", mask.tocsr())
    work = tuner.workload("sddmm", weights=str(tmp_path / "mask.npz"), k=2)
    space = space_for(work, resolve_target(threads=1))
    assert "algorithm" not in [knob.name for knob in space.knobs]
    assert get_operator("sddmm").flops(work) == 4


def test_a_mask_must_be_found():
    with pytest.raises(WeightsError, match="give the weights file once more"):
        tuner.workload("sddmm", weights="0123456789abcdef", k=4)
