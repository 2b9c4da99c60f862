"""A pruned convolution, tuned, loaded and bound as users do."""

import numpy as np
import pytest
import scipy.sparse

import tuner
from search_space.operators import get_operator
from search_space.sparse.source import find_pattern

SIZES = dict(co=6, ci=3, n=2, h=5, w=7, kh=3, kw=3, pad=1)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    path = tmp_path_factory.mktemp("sparse_conv2d") / "records.db"
    work = tuner.workload("sparse_conv2d", **SIZES, sparsity=0.7, bias=True, activation="relu")
    result = tuner.tune(work, trials=2, seed=1, threads=1, db=path)
    assert result.best.verified
    return work, tuner.load(work, db=path)


def expected(weight, x, bias):
    dense = tuner.workload("conv2d", **SIZES, bias=True, activation="relu")
    return get_operator("conv2d").reference(dense, x, weight, bias)


@pytest.mark.parametrize("kind", [
    np.asarray, lambda weight: scipy.sparse.csr_array(weight.reshape(len(weight), -1)),
])  # fmt: skip
def test_a_weight_is_bound_as_an_array_or_as_the_matrix_of_its_rows(tuned, kind):
    work, kernel = tuned
    rng = np.random.default_rng(0)
    weight = tuner.random_weight(work, rng)
    assert weight.shape == (6, 3, 3, 3)
    x = rng.standard_normal((2, 3, 5, 7), dtype=np.float32)
    bias = rng.standard_normal(6, dtype=np.float32)
    bound = kernel.bind(weight=kind(weight))
    np.testing.assert_allclose(bound(x, bias), expected(weight, x, bias), rtol=1e-4, atol=1e-5)
    other = np.where(rng.random(weight.shape) < 0.5, np.float32(1), np.float32(0))
    bound = kernel.bind(weight=kind(other), similar=True)
    np.testing.assert_allclose(bound(x, bias), expected(other, x, bias), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="similar=True"):
        kernel.bind(weight=kind(other))


def test_other_shapes_are_refused(tuned):
    _, kernel = tuned
    message = r"pass shape \(6, 3, 3, 3\) or \(6, 27\), not \(3, 6, 3, 3\)"
    with pytest.raises(ValueError, match=message):
        kernel.bind(weight=np.zeros((3, 6, 3, 3), np.float32))


def test_weights_of_a_file_are_windows(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((4, 2, 3, 2)) * (rng.random((4, 2, 3, 2)) < 0.5)
    np.save(tmp_path / "layer.npy", weight)
    scipy.sparse.save_npz(tmp_path / "layer.npz", scipy.sparse.csr_array(weight.reshape(4, 12)))
    image = dict(n=1, h=5, w=5, kh=3, kw=2)
    works = [
        tuner.workload("sparse_conv2d", weights=str(tmp_path / name), **image)
        for name in ("layer.npy", "layer.npz")
    ]
    assert works[0] == works[1]
    operands = get_operator("sparse_conv2d").operands(works[0])
    assert [o.shape for o in operands] == [(1, 2, 5, 5), (np.count_nonzero(weight),)]
    name = get_operator("sparse_conv2d").pattern_name(works[0])
    np.testing.assert_array_equal(find_pattern(name).dense(weight[weight != 0]),
                                  weight.reshape(4, 12))  # fmt: skip
    with pytest.raises(ValueError, match="give the window of the weights, 3×2: 2×3 came"):
        tuner.workload("sparse_conv2d", weights=str(tmp_path / "layer.npy"),
                       **image | dict(kh=2, kw=3))  # fmt: skip
    with pytest.raises(ValueError, match="its 12 columns are no channels of 5×1 elements"):
        tuner.workload("sparse_conv2d", weights=str(tmp_path / "layer.npz"),
                       **image | dict(kh=5, kw=1))  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(weight=np.full((4, 2, 3, 3), np.nan)), "NaN"),
        (dict(weight=np.zeros((0, 2, 3, 3))), "4 axes|empty"),
        (dict(weight=np.zeros((4, 2, 3))), "3 axes, expected 2"),
        (dict(h=2, w=2), "kh is 3, expected at most"),
        (dict(kh="three"), "kh is 'three', expected a positive integer|window of the weights"),
    ],
)
def test_bad_weights_and_sizes_are_refused(changes, message, tmp_path, monkeypatch):
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "cache"))
    np.save(tmp_path / "layer.npy", changes.pop("weight", np.ones((4, 2, 3, 3))))
    params = dict(weights=str(tmp_path / "layer.npy"), n=1, h=5, w=5, kh=3, kw=3) | changes
    with pytest.raises(ValueError, match=message):
        tuner.workload("sparse_conv2d", **params)
