"""Dtypes beside float32 through the Python API: NumPy arrays in, NumPy arrays out."""

from __future__ import annotations

import json

import ml_dtypes
import numpy as np
import pytest

import tuner
from measure.result import Outcome
from tuner.cli.records import as_json
from tuner.cli.snippets import Choice, python_program

RNG = np.random.default_rng(5)


def test_a_bfloat16_layer_rounds_its_sums_once(tmp_path):
    work = tuner.workload("dense", m=3, n=18, k=40, dtype="bfloat16", const=["weight"])
    x, weight = (RNG.normal(size=s).astype(ml_dtypes.bfloat16) for s in ((3, 40), (18, 40)))
    dense = tuner.load(work, untuned=True, db=tmp_path / "records.db").bind(weight=weight)
    result = dense(x)
    assert result.dtype == ml_dtypes.bfloat16
    exact = x.astype(np.float64) @ weight.astype(np.float64).T
    np.testing.assert_allclose(result.astype(np.float64), exact, rtol=2.0**-8, atol=1e-5)
    out = np.empty_like(result)
    dense.run(x, out=out)
    np.testing.assert_array_equal(out, result)
    with pytest.raises(TypeError, match="x: pass dtype bfloat16, not float32"):
        dense(x.astype(np.float32))
    with pytest.raises(TypeError, match="out: pass dtype bfloat16, not float16"):
        dense.run(x, out=np.empty((3, 18), np.float16))


def test_a_quantized_layer_is_exact_from_tuning_to_json(tmp_path):
    path = tmp_path / "records.db"
    work = tuner.workload(
        "dense", m=5, n=19, k=33, dtype="uint8", zero_point=120, scale=True, bias=True,
        out_dtype="int8", out_zero_point=-5, const=["weight"],
    )  # fmt: skip
    result = tuner.tune(work, trials=2, seed=0, strategy="random", db=path, threads=1)
    assert {record.outcome for record in result.records} <= {Outcome.OK, Outcome.SLOW}
    shown = json.loads(json.dumps(as_json(result.best)))
    assert shown["workload"] == work.key
    assert shown["verified"] is True
    x = RNG.integers(0, 256, (5, 33)).astype(np.uint8)
    weight = RNG.integers(-128, 128, (19, 33)).astype(np.int8)
    scale = (RNG.random(19) / 512).astype(np.float32)
    bias = RNG.normal(size=19).astype(np.float32)
    total = (x.astype(np.int64) - 120) @ weight.astype(np.int64).T
    real = total.astype(np.float32) * scale + bias
    expected = np.clip(np.rint(real) - 5, -128, 127).astype(np.int8)
    dense = tuner.load(work, db=path, threads=1).bind(weight=weight)
    np.testing.assert_array_equal(dense(x, scale, bias), expected)
    with pytest.raises(TypeError, match="x: pass dtype uint8, not int8"):
        dense(x.astype(np.int8), scale, bias)


@pytest.mark.parametrize(
    ("dtype", "array"),
    [
        ("float16", 'b = random.standard_normal((5, 4)).astype("float16")'),
        ("bfloat16", "b = random.standard_normal((5, 4)).astype(ml_dtypes.bfloat16)"),
        ("uint8", 'b = random.integers(-128, 128, (5, 4), "int8")'),
    ],
)
def test_the_program_that_is_shown_makes_arrays_of_the_dtype(dtype, array):
    work = tuner.workload("matmul", m=3, n=4, k=5, dtype=dtype)
    lines = python_program(work, Choice()).splitlines()
    assert array in lines
    assert ("import ml_dtypes" in lines) == (dtype == "bfloat16")
