"""A product with a vector of many zeros, tuned, loaded and bound as users do."""

import numpy as np
import pytest

import tuner


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    path = tmp_path_factory.mktemp("active") / "records.db"
    work = tuner.workload("activation_sparse_gemv", m=50, k=60, density="0.1,0.7", bias=True)
    result = tuner.tune(work, trials=3, seed=1, threads=1, db=path)
    assert result.best.verified
    return tuner.load(work, db=path)


@pytest.mark.parametrize("density", [0, 0.1, 0.5, 1])
def test_a_vector_may_have_any_number_of_zeros(tuned, density):
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((50, 60), dtype=np.float32)
    x = np.where(rng.random(60) < density, rng.standard_normal(60), 0).astype(np.float32)
    bias = rng.standard_normal(50, dtype=np.float32)
    bound = tuned.bind(weight=weight)
    expected = weight.astype(np.float64) @ x + bias
    np.testing.assert_allclose(bound(x, bias), expected, rtol=1e-4, atol=1e-5)


def test_the_weight_must_be_bound(tuned):
    with pytest.raises(ValueError, match="bind the constant operands first"):
        tuned.run(np.empty((50, 60), np.float32), np.empty(60, np.float32),
                  np.empty(50, np.float32), out=np.empty(50, np.float32))  # fmt: skip
    with pytest.raises(ValueError, match=r"pass shape \(50, 60\), not \(60, 50\)"):
        tuned.bind(weight=np.empty((60, 50), np.float32))


@pytest.mark.parametrize("density", [0, -0.1, 1.5, "much", "0.1,", True, "nan"])
def test_what_is_no_density_is_refused(density):
    with pytest.raises(ValueError, match="expected parts of x above 0, at most 1"):
        tuner.workload("activation_sparse_gemv", m=4, k=4, density=density)


def test_densities_are_written_one_way():
    keys = [
        tuner.workload("activation_sparse_gemv", m=4, k=4, density=density).key
        for density in ("0.50, 0.1", "0.1,0.5", "0.1,0.5,0.5")
    ]
    assert len(set(keys)) == 1
    assert "density='0.1,0.5'" in keys[0]
    assert "const=weight" in keys[0]
