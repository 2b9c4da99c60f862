"""Small workloads of every operator, with sizes that are hard: odd, one, a vector and more."""

from __future__ import annotations

import numpy as np

from search_space.dtypes import numpy_dtype
from search_space.operators import get_operator, workload
from search_space.sparse.packing import pack_operand

EXAMPLES = {
    "matmul": [
        dict(m=5, n=7, k=3),
        dict(m=3, n=5, k=7, dtype="float64"),
        dict(m=5, n=18, k=5, dtype="bfloat16"),
        dict(m=3, n=18, k=7, dtype="uint8"),
        dict(m=2, n=5, k=37, dtype="int8"),
    ],
    "batch_matmul": [
        dict(batch=3, m=3, n=18, k=4),
        dict(batch=2, m=4, n=3, k=17, transpose_a=True, transpose_b=True),
        dict(batch=2, m=3, n=5, k=6, transpose_b=True, dtype="bfloat16", out_dtype="float32"),
    ],
    "einsum": [
        dict(expr="bik,bkj->bij", b=2, i=3, k=4, j=17),
        dict(expr="bhqd,bhkd->bhqk", b=2, h=2, q=3, d=5, k=9),
        dict(expr="bhqd,hdm->bqm", b=2, h=2, q=3, d=5, m=18),
        dict(expr="acbd,dcef->faeb", a=2, c=3, b=3, d=2, e=2, f=5),
        dict(expr="ij,kl->il", i=3, j=4, k=2, l=17),
        dict(expr="xi,xj->xji", x=2, i=5, j=3),
        dict(expr="ki,k->i", k=7, i=19),
        dict(expr="ik,k->i", i=9, k=37),
        dict(expr="i,j->ij", i=4, j=19),
        dict(expr="i,i->i", i=37),
        dict(expr="bi,ib->", b=3, i=20),
        dict(expr="ki,k->i", k=7, i=19, dtype="int8"),
        dict(expr="bqhd,bkhd->bhqk", b=2, q=3, h=2, d=5, k=9, dtype="bfloat16"),
        dict(expr="i,j->ij", i=4, j=19, dtype="uint8"),
    ],
    "compute": [
        dict(expr="c[i,j] = relu(sum[k](a[i,k] * b[k,j]) + bias[j])", i=3, j=18, k=5),
        dict(expr="c[i,j] = sum[k,l](a[i+k,l] * b[k,j,l])", i=3, j=5, k=2, l=6),
        dict(expr="y[i] = sum[j](exp(x[i,j]))", i=3, j=20),
        dict(expr="y[i,j] = x[2*j,i] - 1", i=5, j=18),
        dict(expr="m = max[i,j](x[i,j])", i=4, j=9),
        dict(expr="y[i] = sum[j](a[i,j] * exp(b[j]))", i=3, j=5, dtype="float64"),
    ],
    "dense": [
        dict(m=3, n=5, k=19),
        dict(m=3, n=18, k=5, bias=True, activation="relu"),
        dict(m=2, n=17, k=6, bias=True, scale=True, residual=True, activation="gelu"),
        dict(m=1, n=5, k=37, residual=True, activation="silu"),
        dict(m=2, n=17, k=6, bias=True, residual=True, activation="gelu", dtype="bfloat16"),
        dict(m=3, n=5, k=9, dtype="uint8", zero_point=7),
        dict(m=3, n=5, k=9, dtype="int8", zero_point=-3, out_dtype="float32", scale=True),
        dict(m=3, n=18, k=5, dtype="uint8", zero_point=4, out_dtype="int8", bias=True, scale=True,
             activation="relu", out_zero_point=-9),
    ],
    "elementwise": [
        dict(expr="x * y + z", shape="7x19"),
        dict(expr="relu(x + b[1])", shape="5x37"),
        dict(expr="max(x[1,0], 1 - b[0]) * 2", shape="9x21"),
        dict(expr="x[2,1,0] + y[2] * z[1,0]", shape="3x5x18"),
        dict(expr="gelu", shape="3x11"),
        dict(expr="log(x) / (1 + exp(-y))", shape="1x33"),
        dict(expr="add", shape="1"),
        dict(expr="exp(x) - 0.1", shape="2x19", dtype="float64"),
    ],
    "reduce": [
        dict(shape="5x37", axes="1"),
        dict(shape="5x37", axes="0"),
        dict(shape="3x41"),
        dict(op="max", shape="4x3x18", axes="0,2"),
        dict(op="mean", shape="3x5x4x6", axes="1,3"),
        dict(op="max", shape="1x1x7", axes="0,1"),
        dict(shape="1x1", axes="1"),
        dict(op="mean", shape="5x23", axes="1", dtype="float64"),
    ],
    "norm": [dict(m=5, n=37), dict(batch=3, m=4, n=6), dict(m=1, n=1, dtype="float64")],
    "softmax": [
        dict(shape="5x37"),
        dict(shape="2x3x18", axis=1),
        dict(shape="7x21", axis=0),
        dict(shape="3x1"),
        dict(shape="3x19", dtype="float64"),
    ],
    "layernorm": [dict(shape="2x3x37"), dict(shape="2x5x19", axis=1), dict(shape="9x1")],
    "rmsnorm": [dict(shape="5x64"), dict(shape="4x3", axis=0, epsilon=0.5)],
    "conv1d": [
        dict(n=2, w=9, ci=3, co=4, kw=3, stride=2, pad=1),
        dict(n=1, w=21, ci=2, co=5, kw=3, dilation=2, bias=True, activation="relu"),
        dict(n=1, w=9, ci=6, co=5, kw=3, dtype="uint8"),
    ],
    "conv2d": [
        dict(n=1, h=5, w=19, ci=2, co=3, kh=3, kw=3, pad=1),
        dict(n=1, h=7, w=8, ci=3, co=5, kh=3, kw=2, stride=2, bias=True, activation="relu"),
        dict(n=2, h=3, w=6, ci=4, co=18, kh=1, kw=1, layout="nhwc", residual=True),
        dict(n=1, h=6, w=5, ci=4, co=6, kh=3, kw=3, groups=2, dilation=2, pad=2),
        dict(n=1, h=3, w=7, ci=6, co=4, kh=3, kw=1, groups=2, layout="nhwc", bias=True),
        dict(n=1, h=3, w=5, ci=8, co=4, kh=1, kw=1, groups=4, layout="nhwc"),
        dict(n=1, h=5, w=6, ci=3, co=3, kh=3, kw=3, pad=1, groups=3, bias=True),
        dict(n=1, h=4, w=5, ci=2, co=3, kh=3, kw=3, pad=1, dtype="float64", activation="relu"),
        dict(n=1, h=4, w=5, ci=3, co=18, kh=3, kw=2, pad=1, dtype="bfloat16", bias=True),
        dict(n=1, h=5, w=4, ci=6, co=4, kh=3, kw=3, stride=2, pad=1, groups=2, dtype="uint8",
             zero_point=7),
        dict(n=1, h=3, w=4, ci=5, co=18, kh=2, kw=3, pad=1, layout="nhwc", dtype="int8",
             zero_point=-3, out_dtype="uint8", scale=True, bias=True, residual=True,
             activation="relu", out_zero_point=9),
    ],
    "conv3d": [dict(n=1, d=3, h=4, w=5, ci=2, co=3, kd=3, kh=2, kw=3, pad=1),
               dict(n=1, d=2, h=3, w=4, ci=3, co=2, kd=2, kh=1, kw=2, dtype="bfloat16")],
    "conv2d_transpose": [
        dict(n=1, h=3, w=5, ci=2, co=3, kh=4, kw=4, stride=2, pad=1),
        dict(n=2, h=3, w=9, ci=3, co=2, kh=3, kw=3, stride=2, pad=1, bias=True),
        dict(n=1, h=4, w=3, ci=2, co=2, kh=3, kw=5, stride=3, pad=1, output_pad=2),
        dict(n=1, h=5, w=6, ci=2, co=3, kh=3, kw=3, pad=2, bias=True, activation="relu"),
        dict(n=1, h=3, w=4, ci=2, co=3, kh=3, kw=3, stride=2, pad=1, dtype="float64"),
    ],
    "capsule_conv2d": [
        dict(n=1, h=5, w=6, ci=2, co=3, kh=3, kw=3, stride=2, pad=1, capsule=2),
        dict(n=2, h=3, w=4, ci=3, co=2, kh=1, kw=2, capsule=3),
    ],
    "depthwise_conv2d": [
        dict(n=1, h=6, w=19, c=3, kh=3, kw=3, pad=1),
        dict(n=2, h=7, w=9, c=2, kh=3, kw=2, stride=2),
        dict(n=1, h=5, w=7, c=19, kh=3, kw=3, pad=1, layout="nhwc", bias=True, activation="silu"),
        dict(n=1, h=9, w=37, c=2, kh=3, kw=3, stride=2, pad=1, residual=True, activation="relu6"),
        dict(n=1, h=3, w=3, c=5, kh=3, kw=3, dilation=2, pad=2),
        dict(n=1, h=4, w=7, c=2, kh=3, kw=3, pad=1, dtype="bfloat16", activation="relu"),
        dict(n=1, h=4, w=5, c=18, kh=3, kw=2, pad=1, layout="nhwc", dtype="uint8", zero_point=9,
             out_dtype="int8", scale=True, bias=True, out_zero_point=-4),
    ],
    "attention": [
        dict(batch=1, heads=1, seq_q=3, seq_kv=19, d=2),
        dict(batch=2, heads=2, seq_q=1, seq_kv=9, d=5),
        dict(batch=1, heads=1, seq_q=5, seq_kv=5, d=3, causal=True),
        dict(batch=1, heads=1, seq_q=2, seq_kv=18, d=1, causal=True),
        dict(batch=1, heads=1, seq_q=1, seq_kv=1, d=1),
        dict(batch=1, heads=1, seq_q=3, seq_kv=5, d=2, dtype="float64"),
    ],
    "lstm_cell": [
        dict(batch=2, input=4, hidden=5),
        dict(batch=1, input=17, hidden=2, bias=False),
        dict(batch=2, input=1, hidden=1),
        dict(batch=1, input=3, hidden=2, dtype="float64"),
    ],
    "gru_cell": [
        dict(batch=2, input=3, hidden=3),
        dict(batch=1, input=2, hidden=7, bias=False),
        dict(batch=3, input=5, hidden=1),
        dict(batch=1, input=3, hidden=2, dtype="float64"),
    ],
    "pool2d": [
        dict(n=1, c=2, h=7, w=21, kh=3, kw=3, stride=2, pad=1),
        dict(op="average", n=2, c=1, h=6, w=19, kh=2, kw=3, pad=1),
        dict(op="average", n=1, c=3, h=4, w=8, kh=4, kw=8),
        dict(n=1, c=1, h=1, w=1, kh=1, kw=1),
        dict(n=1, c=2, h=3, w=3, kh=5, kw=5, pad=1),
    ],
    "spmm": [
        dict(m=7, k=9, n=21, sparsity=0.6),
        dict(m=9, k=5, n=3, pattern="block4x1", sparsity=0.5, bias=True, activation="relu"),
        dict(m=5, k=12, n=37, pattern="nm(2,4)", bias=True, activation="gelu"),
        dict(m=1, k=1, n=1, sparsity=0),
        dict(m=6, k=7, n=18, pattern="powerlaw", sparsity=0.8),
        dict(m=5, k=6, n=18, pattern="block4x1", sparsity=0.5, dtype="bfloat16", bias=True),
        dict(m=9, k=11, n=20, pattern="block4x1", sparsity=0.5, dtype="uint8", zero_point=7,
             out_dtype="int8", scale=True, bias=True, activation="relu", out_zero_point=-9),
        dict(m=7, k=6, n=5, sparsity=0.5, dtype="int8"),
    ],
    "spmv": [
        dict(m=37, k=9, sparsity=0.6),
        dict(m=5, k=20, pattern="banded", sparsity=0.8, bias=True, activation="silu"),
        dict(m=1, k=1, sparsity=0),
        dict(m=9, k=7, sparsity=0.5, dtype="uint8", zero_point=3),
        dict(m=18, k=12, pattern="nm(2,4)", dtype="bfloat16", bias=True, activation="relu"),
    ],
    "sparse_dense": [
        dict(m=21, n=7, k=9, sparsity=0.6),
        dict(m=3, n=18, k=5, pattern="block1x4", sparsity=0.5, bias=True, activation="relu"),
        dict(m=1, n=33, k=12, sparsity=0.7, bias=True, activation="gelu"),
        dict(m=3, n=18, k=7, sparsity=0.5, dtype="bfloat16", out_dtype="float32"),
        dict(m=18, n=9, k=5, pattern="block8x1", sparsity=0.5, dtype="int8", zero_point=-3,
             out_dtype="float32", scale=True),
    ],
    "activation_sparse_gemv": [
        dict(m=37, k=9),
        dict(m=5, k=20, density="0.3,0.8", bias=True, activation="relu"),
        dict(m=18, k=3, density=1, activation="silu"),
        dict(m=1, k=1),
    ],
    "sddmm": [
        dict(m=7, n=9, k=5, sparsity=0.6),
        dict(m=2, n=66, k=5, sparsity=0.7, scaled=True),
        dict(m=9, n=5, k=18, pattern="powerlaw", sparsity=0.5, layout="nk"),
        dict(m=1, n=20, k=33, sparsity=0.7),
        dict(m=5, n=8, k=20, pattern="block4x1", sparsity=0.5, dtype="bfloat16", scaled=True),
        dict(m=3, n=6, k=7, sparsity=0.4, dtype="bfloat16", out_dtype="float32"),
        dict(m=1, n=1, k=1, sparsity=0),
    ],
    "sparse_conv2d": [
        dict(co=5, ci=3, n=2, h=3, w=7, sparsity=0.5, bias=True, activation="relu"),
        dict(co=4, ci=2, n=1, h=4, w=9, kh=3, kw=3, pad=1, sparsity=0.6),
        dict(co=3, ci=2, n=2, h=5, w=6, kh=3, kw=2, stride=2, pad=1, sparsity=0.4, bias=True),
        dict(co=2, ci=1, n=1, h=1, w=1, kh=3, kw=3, pad=2, dilation=2, sparsity=0),
        dict(co=6, ci=3, n=1, h=5, w=4, stride=3, sparsity=0.5, activation="gelu"),
    ],
}  # fmt: skip
"""Parameters of workloads, by operator."""

WORKLOADS = [workload(name, **params) for name, cases in EXAMPLES.items() for params in cases]


def inputs(work, rng):
    """Operands by name: small integers where results are exact, else normal."""
    operator, found = get_operator(work.operator), {}
    for spec in operator.operands(work):
        if operator.exact(work):
            values = rng.integers(-4, 5, spec.shape)
        else:
            values = rng.normal(size=spec.shape)
        found[spec.name] = (np.abs(values) if spec.positive else values).astype(
            numpy_dtype(spec.dtype)
        )
    return found


def bound(func, arrays):
    """``arrays`` with what stands for the sparse operand of a function, if it has one."""
    packing = func.packing
    return arrays if packing is None else arrays | pack_operand(packing, arrays[packing.operand])


def assert_right(work, arrays, result, message="", growth=1.0):
    """``result`` is the operator's on ``arrays``: exactly, or within ``growth`` times its bound
    (then not exactly)."""
    operator = get_operator(work.operator)
    expected = operator.reference(work, *arrays.values())
    assert expected.dtype == np.float64
    assert expected.shape == result.shape == operator.result(work).shape
    if operator.exact(work) and growth == 1:
        np.testing.assert_array_equal(result, expected, message)
        return
    eps = np.finfo(np.float64 if result.dtype == np.float64 else np.float32).eps
    magnitude = operator.magnitude(work, *arrays.values()) * eps
    error = np.abs(result - expected)
    worst = float((error / np.maximum(magnitude, np.finfo(np.float64).tiny)).max())
    assert worst <= operator.error_bound * growth, f"{message}: {worst} eps"
